"""Whose a lab's folder in ``state/`` is, and other folders that may be this lab's, renamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..records import paths
from .lab import Lab

FILE = "lab.json"


def note(lab: Lab) -> None:
    """Write down whose folder it is, for people and for `relatives`."""
    path = paths.state_dir(lab.folder) / FILE
    told = {"lab": lab.name, "inventory": list(lab.told_inventory)}
    if _read(path) != told:
        paths.write_json(path, told)


def known(lab: Lab) -> bool:
    """Return whether the lab's folder has been used before."""
    return (paths.state_dir(lab.folder) / FILE).exists()


def relatives(lab: Lab) -> Iterator[str]:
    """Say which other folder may hold this lab's past, and how it gets it back.

    It may where the same inventory had another name, or where an inventory of the same name is not
    there any more: it may have been moved. Which of the two it is, only a person knows.
    """
    root = paths.state_root()
    own = root / lab.folder
    for path in sorted(root.glob(f"*/{FILE}")):
        other = _read(path)
        if path.parent.name == lab.folder or not other:
            continue
        inventory = [str(source) for source in other.get("inventory") or ()]
        renamed = other.get("lab") != lab.name and inventory == list(lab.told_inventory)
        moved = other.get("lab") == lab.name and not all(_is_there(source) for source in inventory)
        if renamed or moved:
            there, here = paths.from_here(path.parent), paths.from_here(own)
            yield (
                f"{there} is of lab {other.get('lab')!r}, inventory {' '.join(inventory)}. If that "
                f"was this lab, move its past here: put {here} aside if there is one, then "
                f"mv {there} {here}, and in the reports {path.parent.name} to {lab.folder}. If it "
                f"was another, remove {paths.from_here(path)}, and no more is said of it."
            )


def _is_there(source: str) -> bool:
    base = paths.state_root().absolute().parent.resolve()
    return "," in source or (base / source).exists()


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
