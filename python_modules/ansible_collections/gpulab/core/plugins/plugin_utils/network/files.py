"""What every back end's files have in common: who wrote them, where they lie, naming by MAC."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Link, Model

#: path → content and permissions.
Files = dict[str, tuple[str, str]]

HEADER = (
    "# Written by gpulab (role network): change node_interfaces and lab_zones in the inventory.\n"
)
#: Whoever looks for a link's loss (the bonding driver's documentation recommends 100 ms).
LINK_MONITOR_MS = 100
UDEV_FOLDER = "/etc/systemd/network"
PREFIX = "10-gpulab-"


def name_files(model: Model) -> Files:
    """Tell udev which name the card with a declared MAC has, whatever slot it is found in.

    udev reads these whichever program sets the addresses; netplan writes its own.
    """
    return {
        f"{UDEV_FOLDER}/{PREFIX}{link.name}.link": (
            f"{HEADER}[Match]\nPermanentMACAddress={link.mac}\n\n[Link]\nName={link.name}\n",
            "0644",
        )
        for link in model.links
        if link.mac and not link.virtual
    }


def defaults(link: Link) -> Iterator[tuple[int, str]]:
    """Give the IP version and the router of each default route of a link."""
    for route in link.routes:
        if route.is_default:
            yield route.version, route.via


def plain_routes(link: Link) -> Iterator[tuple[str, str]]:
    """Give network and router of each route of a link that is no default route."""
    for route in link.routes:
        if not route.is_default:
            yield route.to, route.via


def optional(link: Link) -> bool:
    """Say whether a boot goes on without the link: an unplugged fabric must not hold it up."""
    return not any(route.is_default for route in link.routes)
