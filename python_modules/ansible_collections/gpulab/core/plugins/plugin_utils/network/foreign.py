"""What files of others say about the interfaces that are declared.

A file counts where it names one of the interfaces, or its MAC, outside comments. That is coarse on
purpose: a file that is taken for one of theirs is reported, and one that is missed would be fought
with at the next boot.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...module_utils.network.programs import NETWORKD
from .backends import BACKENDS, is_ours
from .files import PREFIX
from .model import Model

_COMMENT = re.compile(r"^\s*[#;].*$|\s#.*$", re.MULTILINE)
_SEPARATORS = re.compile(r"[\s\"'=,;{}\[\]]+")
#: DNS servers of networkd, NetworkManager's profiles, ifcfg files and ifupdown, on one line each.
_DNS_LINE = re.compile(r"^\s*(?:DNS\d?|dns|dns-nameservers)(?:\s*=|\s)\s*(.+)$", re.MULTILINE)
_NETPLAN_DNS = re.compile(r"^( *)nameservers:(.*(?:\n\1 +.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Foreign:
    """A file of somebody else's.

    Attributes:
        path: where it lies.
        links: the declared interfaces that it is about.
        others: cards of the node that it is about and that are not declared.
        nameservers: DNS servers that it sets.
    """

    path: str
    links: tuple[str, ...]
    others: tuple[str, ...]
    nameservers: tuple[str, ...]


def find(
    files: Mapping[str, str], used: list[str], model: Model, cards: Mapping[str, str]
) -> list[Foreign]:
    """Find the files of others about the interfaces of the model.

    Args:
        files: path → text of the configuration files that are there.
        used: the back ends in use: what the others would read says nothing.
        model: the node's network as declared.
        cards: the node's physical interfaces, name → MAC.
    """
    ours = {link.name: cards.get(link.name) or link.mac for link in model.links}
    rest = {name: mac for name, mac in cards.items() if name not in ours}
    found = []
    for path, text in sorted(files.items()):
        if is_ours(path) or path.endswith(".link") or _reader(path) not in used:
            continue
        # networkd goes by the first file that fits, and ours are before this one.
        named_only = _reader(path) == NETWORKD and path.rpartition("/")[2] > PREFIX
        links = _about(text, ours, named_only)
        if links:
            servers = tuple(dict.fromkeys(nameservers(text)))
            found.append(Foreign(path, links, _about(text, rest, named_only), servers))
    return found


def _reader(path: str) -> str:
    """Name the back end that reads a file."""
    for backend in BACKENDS:
        if any(fnmatch.fnmatch(path, f"/{pattern}") for pattern in backend.patterns):
            return backend.name
    return ""


def words(text: str) -> set[str]:
    """Give what a configuration file says, in lower case, without comments and punctuation."""
    bare = _COMMENT.sub("", text)
    return {word.rstrip(":").lower() for word in _SEPARATORS.split(bare) if word.rstrip(":")}


def _about(text: str, links: Mapping[str, str], named_only: bool) -> tuple[str, ...]:
    said = words(text)
    globs = [] if named_only else [word for word in said if "*" in word]
    return tuple(
        name
        for name, mac in links.items()
        if name.lower() in said
        or (mac and mac.lower() in said)
        or any(fnmatch.fnmatchcase(name.lower(), glob) for glob in globs)
    )


def nameservers(text: str) -> Iterator[str]:
    """Give the addresses of DNS servers that a configuration file sets."""
    bare = _COMMENT.sub("", text)
    said = [match[1] for match in _DNS_LINE.finditer(bare)]
    said += [match[2] for match in _NETPLAN_DNS.finditer(bare)]
    return (word for word in _SEPARATORS.split(" ".join(said)) if _is_address(word))


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
