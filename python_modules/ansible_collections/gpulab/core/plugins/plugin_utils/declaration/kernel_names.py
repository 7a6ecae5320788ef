"""Names of interfaces that the kernel gives by itself, in the order in which it finds the cards."""

from __future__ import annotations

import re

#: What drivers of the kernel call their interfaces: ``eth%d`` (alloc_etherdev), ``ib%d`` (ipoib),
#: ``wlan%d``, ``wwan%d``, ``usb%d``.
_KERNEL_NAME = re.compile(r"(eth|ib|wlan|wwan|usb)\d+")
#: systemd.link(5) of systemd 257, on "Name=": to ask for such a name is dangerous, because udev and
#: the kernel race for it, and only one interface may have it.
ADVICE = (
    "let the machine name its cards by their place (without net.ifnames=0 on the kernel's command "
    "line, after a reboot: eno1, enp5s0), or name them yourself (systemd.link(5): a file with "
    "PermanentMACAddress= and Name=lan0, and a reboot), and declare them so"
)


def kind_of_name(name: str) -> str:
    """Give what the kernel counts such names of (``eth`` of ``eth0``), or "" for another name."""
    found = _KERNEL_NAME.fullmatch(name)
    return found[1] if found else ""
