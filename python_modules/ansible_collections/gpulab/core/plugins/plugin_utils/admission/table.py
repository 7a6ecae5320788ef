"""The nodes and whether they are in service, as data and as lines to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import formatting
from ..lines import Line
from ..records import records
from . import admission

_COLUMNS = ("node", "state", "since", "passed", "why")
_COLOURS = {
    admission.IN_SERVICE: "pass",
    admission.QUARANTINED: "fail",
    admission.UNVERIFIED: "unknown",
}
_KEYS = ("state", "since", "reason", "actor", "passed_at", "valid_until")


def rows(
    state: admission.State, names: Iterable[str], max_age_h: float | None = None
) -> dict[str, dict[str, Any]]:
    """Return each node's state as of now, also of those in ``names`` that no run has seen."""
    hours = max_age_h or state["policy"]["max_age_h"]
    now = records.now()
    entries = {
        name: admission.aged(entry, hours, now)
        for name, entry in {
            **{name: admission.blank("") for name in names},
            **state["nodes"],
        }.items()
    }
    return {name: {key: entry[key] for key in _KEYS} for name, entry in sorted(entries.items())}


def lines(table: Mapping[str, Mapping[str, Any]]) -> Iterator[Line]:
    """Yield the table for a terminal."""
    texts = [
        (
            *(name, row["state"].replace("_", " ")),
            *(
                formatting.minute(row["since"]) or "-",
                formatting.minute(row["passed_at"]) or "never",
            ),
            row["reason"] + (f" ({row['actor']})" if row["actor"] else ""),
        )
        for name, row in table.items()
    ]
    wide = [max(map(len, column)) for column in zip(_COLUMNS, *texts, strict=True)]
    for row, status in zip(
        (_COLUMNS, *texts), ("", *(_COLOURS[r["state"]] for r in table.values())), strict=True
    ):
        cells = (f"{cell:<{width}}" for cell, width in zip(row[:-1], wide, strict=False))
        yield Line(status, f"{'  '.join(cells)}  {row[-1]}".rstrip())
