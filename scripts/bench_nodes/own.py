"""What is a node's own (name, addresses, MACs, serial numbers): taken out and put in. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import random
import re
import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench_nodes.questions import Json, strings

_PLACE = re.compile("⟦(own:)?([^⟧]+)⟧")
# Names of values that no two nodes share, whatever says them.
_OWN_KEYS = re.compile(r"(\w+_)?(serial(_number)?|uuid|machine_id|wwn|guid)", re.IGNORECASE)
_MAC = re.compile(r"(?<![0-9a-f:])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![0-9a-f:])")
_LINK_LOCAL = re.compile(r"(?<![0-9a-f:])fe80::[0-9a-f:]+")
# Others are words, such as `none` or `Not Specified`.
_NUMBER = re.compile(r"(?=.*[0-9])\S{6,}")
_NO_MAC = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")


def identity(name: str, interfaces: Mapping[str, Any], zones: Mapping[str, Any]) -> dict[str, str]:
    """Give the texts by which a node is told apart: what each is → the text.

    Args:
        name: The node's.
        interfaces: `node_interfaces`.
        zones: Zone → `subnet`, `gateway`, and of the head that serves the lab `head`, each with its
            `…6`.
    """
    found = {"name": name}
    for interface in interfaces.values():
        for part in ("address", "address6"):
            if part in interface:
                found[f"{part} {interface['zone']}"] = interface[part]
    for zone, parts in zones.items():
        for part, text in parts.items():
            found[f"{part} {zone}"] = text
            if part.startswith("subnet"):
                network = ipaddress.ip_network(text)
                found[f"network {part} {zone}"] = str(network.network_address)
                found[f"broadcast {part} {zone}"] = str(network.broadcast_address)
    return found


def taker(identity: Mapping[str, str]) -> Callable[[str], str]:
    """Return what puts placeholders for a node's own texts."""
    # The head's address on the head itself is its own: the first name counts.
    named: dict[str, str] = {}
    for what, text in identity.items():
        named.setdefault(text, what)
    # One that begins like another comes before it.
    own = re.compile("|".join(map(_alone, sorted(named, key=len, reverse=True))))

    def take(text: str) -> str:
        return own.sub(lambda found: f"⟦{named[found[0]]}⟧", text)

    return take


def _alone(text: str) -> str:
    """Return a pattern of a text that is no part of a longer name, number or address."""
    more = "[0-9A-Za-z:]" if ":" in text else r"[0-9A-Za-z]|\.[0-9]"
    return rf"(?<![0-9A-Za-z.{':' if ':' in text else ''}]){re.escape(text)}(?!{more})"


def put(text: str, name: str, identity: Mapping[str, str]) -> str:
    """Put a node's own texts where the placeholders are.

    Args:
        text: An answer.
        name: The node's.
        identity: As `identity` gives it.

    Raises:
        KeyError: the answer has something that this node has not, such as an address in a zone.
    """
    return _PLACE.sub(
        lambda found: derived(name, found[2]) if found[1] else identity[found[2]], text
    )


def mark_hardware(answer: Json) -> Json:
    """Put placeholders for serial numbers and the like, which no inventory names.

    Args:
        answer: What a node said, a JSON value.
    """
    found = sorted({value for value in _own_values(answer) if _NUMBER.fullmatch(value)})
    if not found:
        return answer
    own = re.compile("|".join(map(re.escape, sorted(found, key=len, reverse=True))))
    return strings(answer, lambda text: own.sub(lambda one: f"⟦own:{one[0]}⟧", text))


def derived(name: str, value: str) -> str:
    """Make a node's own value of a recorded one: as long, and of the same kinds of signs."""
    seed = hashlib.sha256(f"{name} {value}".encode()).digest()
    draw = random.Random(seed)  # noqa: S311 (a name)
    if _LINK_LOCAL.fullmatch(value):
        return f"fe80::{draw.randrange(1 << 16):x}:{draw.randrange(1 << 16):x}"
    hexadecimal = re.fullmatch(r"[0-9a-f:.-]+", value) is not None

    def one(sign: str) -> str:
        if sign.isdigit():
            return draw.choice(string.digits)
        if sign.isalpha() and sign.isascii():
            kind = string.ascii_lowercase if sign.islower() else string.ascii_uppercase
            return draw.choice("abcdef" if hexadecimal else kind)
        return sign

    # The beginning names a maker, or that a MAC is of one card.
    return value[:2] + "".join(map(one, value[2:]))


def _own_values(answer: Json) -> Iterator[str]:
    text = json.dumps(answer, ensure_ascii=False)
    yield from (mac for mac in _MAC.findall(text) if mac not in _NO_MAC)
    yield from _LINK_LOCAL.findall(text)
    yield from _under_own_keys(answer)


def _under_own_keys(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, str) and _OWN_KEYS.fullmatch(str(key)):
                yield each
            else:
                yield from _under_own_keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _under_own_keys(each)
