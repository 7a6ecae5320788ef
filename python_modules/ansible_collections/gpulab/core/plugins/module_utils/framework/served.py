"""What the head serves: which wheelhouses are missing, and which were replaced. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .wheelhouse import is_complete


def served(folder: Path) -> list[str]:
    """Return the keys of what lies in the served folder, whole or not, sorted."""
    if not folder.is_dir():
        return []
    return sorted({entry.name.removesuffix(".json") for entry in folder.iterdir()})


def compare(folder: Path, wanted: Iterable[str], families: Iterable[str]) -> dict[str, Any]:
    """Hold the served folder against what the nodes want.

    Args:
        folder: The folder that the web server serves.
        wanted: Keys of the wheelhouses that the nodes need.
        families: Beginnings of the keys that the wanted ones replace.

    Returns:
        missing: wanted keys that are not served whole. stale: served keys of the families that
        nobody wants. others: served keys that are neither.
    """
    keys = set(wanted)
    beginnings = tuple(families)
    there = served(folder)
    stale = [key for key in there if key not in keys and key.startswith(beginnings)]
    return {
        "missing": sorted(key for key in keys if not is_complete(folder / key)),
        "stale": stale,
        "others": [key for key in there if key not in keys and key not in stale],
    }
