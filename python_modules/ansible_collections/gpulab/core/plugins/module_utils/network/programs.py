"""The programs that can set a node's addresses: their names, units, tools and files."""

from __future__ import annotations

from dataclasses import dataclass

NETPLAN, MANAGER, NETWORKD, IFUPDOWN = "netplan", "NetworkManager", "systemd-networkd", "ifupdown"


@dataclass(frozen=True)
class Program:
    """One of them.

    Attributes:
        name: as the option ``network_backend`` has it.
        unit: the systemd unit that runs it.
        tool: what must be installed to tell it something.
        patterns: the files that it reads, as ``pathlib`` globs below ``/``.
    """

    name: str
    unit: str
    tool: str
    patterns: tuple[str, ...]


#: In the order of preference where several are in use: netplan writes for the two after it.
PROGRAMS = (
    Program(NETPLAN, "", "netplan", ("etc/netplan/*.yaml",)),
    Program(
        MANAGER,
        "NetworkManager.service",
        "nmcli",
        (
            "etc/NetworkManager/system-connections/*.nmconnection",
            "etc/sysconfig/network-scripts/ifcfg-*",
        ),
    ),
    Program(
        NETWORKD,
        "systemd-networkd.service",
        "networkctl",
        (
            "etc/systemd/network/*.network",
            "etc/systemd/network/*.netdev",
            "etc/systemd/network/*.link",
            "etc/systemd/network/*.network.d/*.conf",
        ),
    ),
    Program(
        IFUPDOWN,
        "networking.service",
        "ifup",
        ("etc/network/interfaces", "etc/network/interfaces.d/*"),
    ),
)
