"""The file of netplan (netplan.readthedocs.io, YAML configuration). Read by 0.104 and newer.

Written line by line: the file is one that a person reads, and nodes have no YAML library to count
on. Names and addresses are quoted, as JSON does, which YAML includes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from . import networkd
from .files import HEADER, LINK_MONITOR_MS, PREFIX, UDEV_FOLDER, Files, optional
from .model import Bond, Link, Model

PATH = "/etc/netplan/90-gpulab.yaml"
#: netplan warns about files that others may read, as they can hold passwords of wireless networks.
MODE = "0600"
_KINDS = {"physical": "ethernets", "bond": "bonds", "vlan": "vlans"}


def render(model: Model) -> Files:
    """Render one YAML file; InfiniBand's partitions, unknown to netplan, go to networkd below."""
    lines = ["network:", "  version: 2"]
    for kind, section in _KINDS.items():
        links = [link for link in model.links if link.kind == kind]
        if links:
            lines.append(f"  {section}:")
            for link in links:
                lines += [f"    {quoted(link.name)}:", *_indented(_link(model, link), 6)]
    files: Files = {PATH: (HEADER + "\n".join(lines) + "\n", MODE)}
    for link in model.links:
        if link.kind == "ipoib":
            base = f"{UDEV_FOLDER}/{PREFIX}{link.name}"
            files[f"{base}.netdev"] = (networkd.netdev(link), networkd.MODE)
            files[f"{base}.network"] = (networkd.network(model, link), networkd.MODE)
            # Beside what netplan generates for the parent.
            drop_in = f"{UDEV_FOLDER}/10-netplan-{link.parent}.network.d/{PREFIX}partitions.conf"
            children = [other.name for other in model.on_top_of(link.parent)]
            text = "[Network]\n" + "".join(f"IPoIB={name}\n" for name in children)
            files[drop_in] = (HEADER + text, networkd.MODE)
    return files


def quoted(value: str) -> str:
    """Quote a value for YAML."""
    return json.dumps(value)


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(quoted(value) for value in values)}]"


def _indented(lines: Iterable[str], spaces: int) -> Iterator[str]:
    return (" " * spaces + line for line in lines)


def _link(model: Model, link: Link) -> Iterator[str]:
    if link.mac and not link.virtual:
        yield f"match: {{macaddress: {quoted(link.mac)}}}"
        yield f"set-name: {quoted(link.name)}"
    if link.bond:
        yield from _bond(link.bond)
    if link.kind == "vlan":
        yield f"id: {link.tag}"
        yield f"link: {quoted(link.parent)}"
    yield f"mtu: {link.mtu}"
    yield "dhcp4: false"
    yield "dhcp6: false"
    yield "accept-ra: false"
    if optional(link):
        yield "optional: true"
    if not link.addresses:
        yield "link-local: []"
        return
    yield f"addresses: {_listed(link.addresses)}"
    if link.routes:
        yield "routes:"
        for route in link.routes:
            to = "default" if route.is_default else route.to
            yield f"  - {{to: {quoted(to)}, via: {quoted(route.via)}}}"
    if link.name == model.resolver_link and (model.nameservers or model.search):
        yield "nameservers:"
        if model.nameservers:
            yield f"  addresses: {_listed(model.nameservers)}"
        if model.search:
            yield f"  search: {_listed(model.search)}"


def _bond(bond: Bond) -> Iterator[str]:
    yield f"interfaces: {_listed(bond.members)}"
    yield "parameters:"
    yield f"  mode: {quoted(bond.mode)}"
    yield f"  mii-monitor-interval: {LINK_MONITOR_MS}"
    if bond.primary:
        yield f"  primary: {quoted(bond.primary)}"
    if bond.lacp_rate:
        yield f"  lacp-rate: {bond.lacp_rate}"
    if bond.hash_policy:
        yield f"  transmit-hash-policy: {bond.hash_policy}"
