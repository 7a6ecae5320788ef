"""Connection profiles of NetworkManager (nm-settings-keyfile(5)). Read by 1.30 and newer."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator

from .files import HEADER, LINK_MONITOR_MS, Files, defaults, name_files, plain_routes
from .model import Bond, Link, Model, NetworkError

FOLDER = "/etc/NetworkManager/system-connections"
#: NetworkManager ignores a profile that others than root may read.
MODE = "0600"
#: Wins over the profiles that installers leave, whose priority is 0 or -999.
PRIORITY = 100
#: VLAN headers are reordered, the kernel's own default.
_VLAN_FLAGS = 1
_TYPES = {"bond": "bond", "vlan": "vlan", "ipoib": "infiniband"}


def profile(name: str) -> str:
    """Name a link's profile."""
    return f"gpulab-{name}"


def render(model: Model) -> Files:
    """Render a profile for each link.

    Raises:
        NetworkError: the interface of a partition has a name that NetworkManager cannot give it.
    """
    files = name_files(model)
    for link in model.links:
        text = HEADER + "\n".join(_profile(model, link)) + "\n"
        files[f"{FOLDER}/{profile(link.name)}.nmconnection"] = (text, MODE)
    return files


def _profile(model: Model, link: Link) -> Iterator[str]:
    kind = _TYPES.get(link.kind, "infiniband" if link.infiniband else "ethernet")
    yield "[connection]"
    yield f"id={profile(link.name)}"
    yield f"uuid={uuid.uuid5(uuid.NAMESPACE_DNS, f'{link.name}.gpulab')}"
    yield f"type={kind}"
    if link.virtual or not link.mac:
        yield f"interface-name={link.name}"
    yield f"autoconnect-priority={PRIORITY}"
    if link.master:
        yield f"master={link.master}"
        yield "slave-type=bond"
    yield ""
    yield from _hardware(link, kind)
    if link.bond:
        yield from _bond(link.bond)
    elif link.kind == "vlan":
        yield "[vlan]"
        yield f"flags={_VLAN_FLAGS}"
        yield f"id={link.tag}"
        yield f"parent={link.parent}"
        yield ""
    if not link.master:
        yield from _addresses(model, link, 4)
        yield ""
        yield from _addresses(model, link, 6)


def _hardware(link: Link, kind: str) -> Iterator[str]:
    yield "[infiniband]" if kind == "infiniband" else "[ethernet]"
    if link.mac and not link.virtual:
        yield f"mac-address={link.mac.upper()}"
    yield f"mtu={link.mtu}"
    if kind == "infiniband":
        yield "transport-mode=datagram"
    if link.kind == "ipoib":
        right = f"{link.parent}.{link.tag:04x}"
        if link.name != right:
            msg = (
                f"node_interfaces.{link.name}: NetworkManager names the interface of a partition "
                f"after parent and key: call it {right}"
            )
            raise NetworkError(msg)
        yield f"p-key={link.tag}"
        yield f"parent={link.parent}"
    yield ""


def _bond(bond: Bond) -> Iterator[str]:
    yield "[bond]"
    if bond.lacp_rate:
        yield f"lacp_rate={bond.lacp_rate}"
    yield f"miimon={LINK_MONITOR_MS}"
    yield f"mode={bond.mode}"
    if bond.primary:
        yield f"primary={bond.primary}"
    if bond.hash_policy:
        yield f"xmit_hash_policy={bond.hash_policy}"
    yield ""


def _addresses(model: Model, link: Link, version: int) -> Iterator[str]:
    yield f"[ipv{version}]"
    mine = [each for each in link.addresses if ipaddress.ip_interface(each).version == version]
    for number, address in enumerate(mine, 1):
        yield f"address{number}={address}"
    if link.name == model.resolver_link and mine:
        servers = [
            server
            for server in model.nameservers
            if ipaddress.ip_address(server).version == version
        ]
        if servers:
            yield f"dns={''.join(f'{server};' for server in servers)}"
        if model.search:
            yield f"dns-search={''.join(f'{domain};' for domain in model.search)}"
    for of, via in defaults(link):
        if of == version:
            yield f"gateway={via}"
    if mine:
        yield "method=manual"
    else:
        # IPv6 needs a link-local address where anything speaks on the link.
        yield f"method={'link-local' if version == 6 and link.addresses else 'disabled'}"
    ways = [way for way in plain_routes(link) if ipaddress.ip_network(way[0]).version == version]
    for number, (to, via) in enumerate(ways, 1):
        yield f"route{number}={to},{via}"
