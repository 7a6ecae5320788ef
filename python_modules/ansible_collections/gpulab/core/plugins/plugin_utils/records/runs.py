"""Read one run's folder: the records that can be believed, those that cannot, and the failures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from . import paths, schema
from .records import RESERVED, Record, RecordError, load

FAILURES = "failures.json"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run left behind.

    Attributes:
        run_id: Name of the run and of its folder.
        records: By node; each is checked against the schema and against its own checks.
        broken: By node, why its record cannot be used.
        failures: Tasks that failed, oldest first (``schemas/failures.schema.json``).
        problems: What else could not be read, in words; with one, the lab cannot pass.
    """

    run_id: str
    records: dict[str, Record]
    broken: dict[str, str]
    failures: list[dict[str, Any]]
    problems: list[str]


def read(folder: Path) -> Run:
    """Read ``folder``; what is unreadable is named in the result and never left out in silence.

    Raises:
        FolderError: ``folder`` is no folder.
    """
    if not folder.is_dir():
        msg = f"{folder} is not the folder of a run"
        raise paths.FolderError(msg)
    records: dict[str, Record] = {}
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem in RESERVED:
            continue
        try:
            records[path.stem] = load(path)
        except RecordError as error:
            broken[path.stem] = str(error)
    failures, problems = read_failures(folder)
    return Run(folder.resolve().name, records, broken, failures, problems)


def read_failures(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tasks that failed in a run, and why that may not be all of them."""
    path = folder / FAILURES
    if not path.exists():
        return [], []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema.check(content, "failures")
    except (OSError, ValueError) as error:
        return [], [f"{path.name} cannot be used, so failed tasks may be missing here: {error}"]
    return list(content["failures"]), []
