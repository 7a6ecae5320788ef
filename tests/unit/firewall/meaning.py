"""What a plain policy declares, decided by the definition and by none of the compiler's code."""

from __future__ import annotations

import ipaddress
from typing import Any

from nft_text import Packet


def zone_of(plain: dict[str, Any], where: str) -> str | None:
    ip = ipaddress.ip_address(where)
    for name, body in plain["zones"].items():
        for key in ("cidr", "cidr6"):
            if key in body and ip in ipaddress.ip_network(body[key]):
                return str(name)
    return None


def owned(plain: dict[str, Any], node: str, zone: str = "") -> set[str]:
    return {
        body[key]
        for body in plain["nodes"][node]["interfaces"].values()
        if zone in ("", body["zone"])
        for key in ("address", "address6")
        if key in body
    }


def is_in(plain: dict[str, Any], where: str, end: str) -> bool:
    if end == "outside":
        return zone_of(plain, where) is None
    if end == "gateways":
        gateways = {
            body.get(key) for body in plain["zones"].values() for key in ("gateway", "gateway6")
        }
        return where in gateways
    if end in plain["zones"]:
        return zone_of(plain, where) == end
    name, _, zone = end.partition("@")
    members = [
        node for node, body in plain["nodes"].items() if name == "all" or name in body["groups"]
    ]
    if name != "all" and not members:
        members = [name] if name in plain["nodes"] else []
    return any(where in owned(plain, node, zone) for node in members)


def opens(ports: list[int | str], port: int) -> bool:
    for written in ports:
        first, _, last = str(written).partition("-")
        if int(first) <= port <= int(last or first):
            return True
    return False


def declared(plain: dict[str, Any], packet: Packet) -> bool:
    protocol = "icmp" if packet.protocol == "icmpv6" else packet.protocol
    for flow in plain["flows"]:
        if flow["protocol"] not in ("any", protocol):
            continue
        if flow["protocol"] in ("tcp", "udp") and not opens(flow["ports"], packet.port):
            continue
        if flow["to"] in ("outside", "gateways"):
            zone = zone_of(plain, packet.source)
            body = plain["zones"].get(zone, {"outside": True})
            if not body.get("outside", "gateway" in body):
                continue
        if is_in(plain, packet.source, flow["from"]) and is_in(plain, packet.target, flow["to"]):
            return True
    return False
