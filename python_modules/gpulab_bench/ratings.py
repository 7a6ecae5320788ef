"""Users' ratings from a file that the lab's owner supplies; none is ever made up."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOWEST, HIGHEST = 1, 5


class RatingsError(ValueError):
    """A ratings file that cannot be used; the text names the file, the entry and the fix."""


def parse(path: Path) -> list[float]:
    """Read a ratings file.

    JSON: an array of numbers. CSV: a column ``rating`` (with a header), or one number per line.

    Raises:
        RatingsError: it cannot be read, is empty, or an entry is no number from 1 to 5.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"ratings file {path}: cannot be read: {error}"
        raise RatingsError(msg) from error
    entries = _of_json(path, text) if text.lstrip().startswith(("[", "{")) else _of_csv(path, text)
    if not entries:
        msg = f"ratings file {path}: it holds no ratings; leave the option out where there are none"
        raise RatingsError(msg)
    return [_rating(path, place, entry) for place, entry in entries]


def summarise(ratings: Sequence[float]) -> dict[str, Any]:
    """Return the document's section ``user``: their mean, and how many there are."""
    return {"satisfaction": sum(ratings) / len(ratings), "ratings": len(ratings)}


def _of_json(path: Path, text: str) -> list[tuple[str, object]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"ratings file {path}: it is not JSON: {error}"
        raise RatingsError(msg) from error
    if not isinstance(found, list):
        msg = f"ratings file {path}: it must be an array of numbers, such as [5, 4, 4]"
        raise RatingsError(msg)
    return [(f"entry {number}", entry) for number, entry in enumerate(found, 1)]


def _of_csv(path: Path, text: str) -> list[tuple[str, object]]:
    rows = [(n, row) for n, row in enumerate(csv.reader(io.StringIO(text)), 1) if any(row)]
    if not rows:
        return []
    header = [name.strip().lower() for name in rows[0][1]]
    if "rating" in header:
        column, rows = header.index("rating"), rows[1:]
    elif all(len(row) == 1 for _, row in rows):
        column = 0
    else:
        msg = f"ratings file {path}: several columns need a header with a column 'rating'"
        raise RatingsError(msg)
    return [(f"line {n}", row[column] if column < len(row) else "") for n, row in rows]


def _rating(path: Path, place: str, entry: object) -> float:
    try:
        value = float("nan") if isinstance(entry, bool) else float(str(entry))
    except ValueError:
        value = float("nan")
    if not LOWEST <= value <= HIGHEST:
        msg = f"ratings file {path}, {place}: {entry!r} must be a number from {LOWEST} to {HIGHEST}"
        raise RatingsError(msg)
    return value
