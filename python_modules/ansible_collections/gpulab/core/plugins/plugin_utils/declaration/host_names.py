"""Names of nodes: one label, or a full name of labels and dots."""

from __future__ import annotations

import re

from .addresses import parse_address

# RFC 1123, section 2.1: labels of letters, digits and hyphens, 63 characters at most.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# RFC 1035, section 2.3.4: 255 bytes with the lengths of the first and the last label.
LONGEST = 253
# hostname(7): HOST_NAME_MAX of Linux.
LONGEST_OF_KERNEL = 64
RIGHT = (
    "labels of lower-case letters, digits and hyphens, alone (gpu01) or with a domain "
    "(gpu01.lab.example.com)"
)


def host_name_problem(name: str, longest: int = LONGEST) -> str:
    """Say why a node can't have this name; "" when it can.

    Args:
        name: one label, or a full name.
        longest: characters at most.
    """
    if parse_address(name) is not None:
        return f"'{name}' is an address, no name"
    if not _NAME.fullmatch(name):
        return f"'{name}' cannot be a host name"
    # RFC 1123, section 2.1: so that no name is taken for an address.
    if "." in name and name.rpartition(".")[2].isdigit():
        return f"'{name}' cannot be a host name: its last label is a number"
    if len(name) > longest:
        return f"'{name}' is longer than {longest} characters"
    return ""


def label(name: str) -> str:
    """The first label: what a machine calls itself (hostname(5) recommends a single label)."""
    return name.partition(".")[0]


def domain(name: str) -> str:
    """What follows the first label of a full name; "" of a label alone."""
    return name.partition(".")[2]
