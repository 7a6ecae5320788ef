#!/usr/bin/env python3
"""Say which parts the tests have, in which order they run, and which ones a change concerns.

    scripts/parts.py group everything        the names of make test's parts, the longest first
    scripts/parts.py group everything waits  those of them that wait more than they compute
    scripts/parts.py changed main            those that a change since the revision main concerns

tests/parts.yml is the table.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLE = "tests/parts.yml"
CORE = "python_modules/ansible_collections/gpulab/core/plugins/"
#: Groups of parts, each with the ones that it contains.
GROUPS = {
    "everything": {"everything", "fast"},
    "fast": {"fast"},
    "emulated": {"emulated"},
    "alone": {"alone"},
}
#: What `changed` may run by itself; the other groups are only named.
AT_ONCE = "everything"
#: Reads every file, so that a file which no other part names counts as named by none.
READS_ALL = "lint"


@dataclass(frozen=True)
class Part:
    """One part of the tests.

    Attributes:
        name: as scripts/run_tests.sh takes it.
        group: when it runs.
        seconds: about how long it takes.
        waits: whether it waits more than it computes.
        images: whether it starts nodes of the sandbox.
        paths: patterns of the files that it is about.
    """

    name: str
    group: str
    seconds: int
    waits: bool
    images: bool
    paths: tuple[str, ...]

    def is_about(self, file: str) -> bool:
        """Say whether a file of the project, relative to its root, is one of this part's."""
        return matches(file, self.paths)


def matches(file: str, patterns: Iterable[str]) -> bool:
    """Say whether one of the patterns is the file's."""
    return any(fnmatchcase(file, pattern) for pattern in patterns)


def expand(patterns: Iterable[str], sets: Mapping[str, list[str]]) -> list[str]:
    """Write out sets of patterns, and where the collection is.

    Raises:
        KeyError: there is no such set.
    """
    found: list[str] = []
    for pattern in patterns:
        if pattern.startswith("@"):
            found += expand(sets[pattern[1:]], sets)
        else:
            found.append(pattern.replace("core:", CORE, 1))
    return list(dict.fromkeys(found))


def read(table: Mapping[str, Any]) -> list[Part]:
    """Read the parts of the table.

    Raises:
        KeyError: a part has no group, seconds or paths, or names a set that is not there.
    """
    return [
        Part(
            name,
            row["group"],
            row["seconds"],
            row.get("lane", "computes") == "waits",
            row.get("images", False),
            tuple(expand(row["paths"], table["sets"])),
        )
        for name, row in table["parts"].items()
    ]


def members(parts: Iterable[Part], group: str) -> list[Part]:
    """Give the parts of a group.

    Raises:
        KeyError: there is no such group.
    """
    return [part for part in parts if part.group in GROUPS[group]]


def in_order(parts: Iterable[Part]) -> list[Part]:
    """Sort parts for several lanes.

    The longest come first, so that none is left over alone at the end. While the first part with
    nodes builds the image that all of them start from, the next ones are parts without.
    """
    longest = sorted(parts, key=lambda part: -part.seconds)
    first = [part for part in longest if part.images][:1]
    without = [part for part in longest if not part.images]
    return [*first, *without, *(part for part in longest if part.images and part not in first)]


def concerned(parts: Iterable[Part], files: Iterable[str], untested: Iterable[str]) -> list[Part]:
    """Give the parts that these files concern.

    Args:
        parts: all parts.
        files: the files that changed.
        untested: patterns of the files that nothing tests.

    Returns:
        Those that name one of the files; all of them where there is a file that is neither named
        by one nor untested.
    """
    parts, files, untested = list(parts), list(files), list(untested)
    named = [part for part in parts if part.name != READS_ALL]
    for file in files:
        if not any(part.is_about(file) for part in named) and not matches(file, untested):
            return parts
    return [part for part in parts if any(part.is_about(file) for file in files)]


def changed_files(base: str) -> list[str]:
    """List what differs from a revision, with what git does not know yet.

    Raises:
        SystemExit: git does not know the revision; it says so itself.
    """
    found: list[str] = []
    for command in (
        ["diff", "--name-only", "--no-renames", base, "--"],
        ["ls-files", "--others", "--exclude-standard"],
    ):
        done = subprocess.run(
            ["git", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.returncode)
        found += done.stdout.splitlines()
    return sorted(set(found))


def main(words: list[str]) -> None:
    """Print names of parts, one a line."""
    table = yaml.safe_load((ROOT / TABLE).read_text())
    parts = read(table)
    if words[:1] == ["group"] and len(words) in (2, 3):
        found = members(parts, words[1])
        if words[2:]:
            found = [part for part in found if part.waits == (words[2] == "waits")]
    elif words[:1] == ["changed"] and len(words) == 2:
        untested = expand(table["nothing"], table["sets"])
        those = concerned(parts, changed_files(words[1]), untested)
        found = members(those, AT_ONCE)
        later = [part.name for part in those if part not in found]
        if later:
            sys.stderr.write(f"not run by themselves: {' '.join(later)}\n")
    else:
        sys.exit(__doc__)
    sys.stdout.write("".join(f"{part.name}\n" for part in in_order(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
