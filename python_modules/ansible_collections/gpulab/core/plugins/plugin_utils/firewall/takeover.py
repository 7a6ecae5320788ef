"""Stop another firewall so that it can come back, and let it come back. Pure.

Until the change is confirmed it is masked in ``/run`` only: a node that reboots before has it as it
was. The lasting mask is a file of the change like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_UFW_INIT = "/usr/lib/ufw/ufw-init"
_PERSISTENT = "netfilter-persistent"
_UNITS = "/etc/systemd/system"
#: Stopping it flushes all tables, those of container engines too. Masked it neither starts nor
#: stops any more; what it has loaded stays until the next boot.
_ONLY_MASKED = ("nftables",)


def commands(others: dict[str, bool]) -> dict[str, list[list[str]]]:
    """Give the commands ``apply``, ``undo`` and ``boot`` of a change that takes over firewalls.

    Args:
        others: the firewalls to take over, and whether each rules now.
    """
    names = list(others)
    stopped = [name for name, now in others.items() if now and name not in _ONLY_MASKED]
    apply = [
        *(["systemctl", "mask", "--runtime", f"{name}.service"] for name in names),
        *(["systemctl", "stop", f"{name}.service"] for name in stopped),
        # `ufw enable` loads its rules without its unit, so there may be no unit to stop.
        *([_UFW_INIT, "force-stop"] for name in stopped if name == "ufw"),
        # Its unit leaves the rules in the kernel when it stops (FLUSH_ON_STOP in its defaults).
        *([_PERSISTENT, "flush"] for name in stopped if name == _PERSISTENT),
    ]
    undo = [
        *(["systemctl", "unmask", "--runtime", f"{name}.service"] for name in names),
        *(["systemctl", "daemon-reload"] for _ in names[:1]),
        *(["systemctl", "start", f"{name}.service"] for name in stopped),
    ]
    # A lasting mask is there to undo only where the node lost its power in the moment of the
    # confirmation, and then systemd has already decided not to start them.
    boot = [
        *(["systemctl", "daemon-reload"] for _ in names[:1]),
        *(["systemctl", "start", "--no-block", f"{name}.service"] for name in names),
    ]
    return {"apply": apply, "undo": undo, "boot": boot}


def masks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give the files that keep them stopped, for ``persist``."""
    return {f"{_UNITS}/{name}.service": {"link": "/dev/null"} for name in names}
