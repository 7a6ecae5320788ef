"""What is done to a node's firewall, as options of ``gpulab.core.commit``. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from . import routing, takeover

RULESET = "/etc/gpulab/firewall.nft"
_STAGED = f"{{stage}}{RULESET}"
_FORMER = "{undo}/former.nft"


def refusal(others: Collection[str], node: str) -> str:
    """Say why nothing is done beside another firewall.

    Args:
        others: the firewalls that rule now or will after a reboot.
        node: the machine.
    """
    names = " and ".join(others)
    extra = " (nftables.service flushes the tables of all others)" if "nftables" in others else ""
    return (
        f"{names} {'is' if len(others) == 1 else 'are'} active on {node}{extra}, and two firewalls "
        "fight each other. Nothing was changed. -> set firewall_existing: take_over, so that it is "
        f"stopped and masked in the same guarded change, or remove it from {node} yourself"
    )


def plan(ruleset: str, read: dict[str, Any], needed: list[str]) -> dict[str, Any]:
    """Plan the change.

    Args:
        ruleset: what was compiled.
        read: what the node's module read.
        needed: the sysctls that must be 1 here.

    Returns:
        ``persist``, ``undo_files``, ``live``, ``check``, ``apply``, ``undo`` and ``boot``.
    """
    others = read["others"]
    others_go = takeover.commands(others)
    routes = routing.change(needed, read["forwarding"])
    return {
        # Only at the confirmation: a reboot before it loads the former one.
        "persist": {
            RULESET: {"content": ruleset, "mode": "0600"},
            **takeover.masks(others),
            **routes["persist"],
        },
        "undo_files": {"former.nft": read["live"]["former"]},
        "live": bool(read["live"]["same"]) and not others and not routes["apply"],
        # Of the way back, too: a listing that cannot be loaded again would be none.
        "check": [["nft", "--check", "--file", path] for path in (_STAGED, _FORMER)],
        # Ours before the others go: at no moment is there none.
        "apply": [["nft", "--file", _STAGED], *routes["apply"], *others_go["apply"]],
        "undo": [*others_go["undo"], *routes["undo"], ["nft", "--file", _FORMER]],
        "boot": others_go["boot"],
    }
