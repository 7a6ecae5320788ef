"""Names of the declaration as nftables can carry them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .policy import PolicyError

# nftables holds 128 bytes of comment and of log prefix, and a quote would end either.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .,:@/+*()-]{0,99}")
_NO_IDENTIFIER = re.compile(r"[^A-Za-z0-9_.-]")


def checked(what: str, name: str) -> str:
    """Return `name` when it can stand in a comment, a log prefix and quotes of nftables.

    Raises:
        PolicyError: it cannot; the text says which characters can.
    """
    if not _PLAIN.fullmatch(name):
        msg = (
            f"{what} {name!r}: the firewall takes names of up to 100 letters, digits, spaces and "
            "_ . , : @ / + * ( ) - that begin with a letter, a digit or _"
        )
        raise PolicyError(msg)
    return name


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return for each name a different word for the names of sets and chains.

    A character that nftables' names cannot have becomes ``_``; where two names would then be one
    word, all but the first in alphabetical order get a number.
    """
    words: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(names)):
        base = word = _NO_IDENTIFIER.sub("_", name)
        number = 2
        while word in taken:
            word = f"{base}.{number}"
            number += 1
        taken.add(word)
        words[name] = word
    return words
