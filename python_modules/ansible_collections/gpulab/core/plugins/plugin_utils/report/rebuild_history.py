"""Write the history again from the reports that are still there."""

from __future__ import annotations

from pathlib import Path

from ..history import history
from ..records import paths, runs
from . import report


def from_reports(reports: Path, state: Path) -> tuple[int, list[str]]:
    """Take up every run of a lab; one that the history has already is written once more.

    Args:
        reports: The folder of the lab's runs.
        state: The folder of its state.

    Returns:
        How many runs were taken up, and why the others, and single records, were not.

    Raises:
        HistoryError: the history cannot be used.
    """
    taken, problems = 0, []
    with history.connect(state / history.FILE) as connection:
        for folder in sorted(reports.glob("*/")):
            if folder.name == paths.LATEST:
                continue
            try:
                summary = report.read_summary(folder)
            except (OSError, ValueError) as error:
                problems.append(f"{folder.name}: no report that can be used: {error}")
                continue
            run = runs.read(folder)
            problems += [f"{folder.name}: {why}" for why in run.broken.values()]
            history.ingest(connection, summary, run.records)
            taken += 1
    return taken, problems
