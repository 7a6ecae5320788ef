"""Check the inventory's own files: names that match nothing, keys that stand twice."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Declaration, Problem
from .sources import Sources
from .suggest import did_you_mean


def inventory_problems(declaration: Declaration, sources: Sources) -> Iterator[Problem]:
    """Report what Ansible reads past without a word."""
    for place, key in sources.repeated:
        wrong = f"the key '{key}' stands twice in one mapping; YAML keeps the last"
        yield Problem("", (key,), wrong, "keep one of the two", place.file, place.line)
    known = {
        "group": {*declaration.groups, "all", "ungrouped"},
        "host": {host.name for host in declaration.hosts},
    }
    for (kind, name), place in sorted(sources.folders.items()):
        if name not in known[kind]:
            wrong = f"there is no {kind} '{name}', so nobody reads this file"
            right = did_you_mean(name, known[kind])
            yield Problem("", (f"{kind}_vars/{name}",), wrong, right, place.file, place.line)
