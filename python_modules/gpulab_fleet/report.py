"""Make a run's report: ``python -m gpulab_fleet.report reports/<run>``.

Prints the summary and writes ``index.html`` and ``lab.json`` into the run's folder.

Exit status: 0 the lab passed or only warned; 1 it failed or its state is unknown; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import folders, lab, matrix, page, runs, schema, terminal
from .records import STAGES

PAGE = "index.html"
SUMMARY = "lab.json"
GOOD = ("pass", "warn")


class Report(NamedTuple):
    """What was reported: ``summary`` is what ``lab.json`` holds, ``lines`` are for a terminal."""

    summary: lab.Summary
    lines: list[terminal.Line]


def write(
    folder: Path,
    expected: Iterable[Mapping[str, Any]],
    name: str,
    problem: str = "",
    stages: Sequence[str] = STAGES,
) -> Report:
    """Write the page and ``lab.json`` of a run.

    Args:
        folder: The run's folder.
        expected: The nodes the run was about, as ``host`` of a record; only ``name`` is needed.
        name: The lab's name.
        problem: Why ``expected`` may be incomplete, in words; with one the lab cannot pass.
        stages: The stages that the run was about.

    Raises:
        FolderError: ``folder`` is not a folder.
    """
    run = runs.read(folder)
    if problem:
        run.problems.append(problem)
    summary = lab.summarise(run, expected, name, stages)
    schema.check(summary, "lab")
    folders.write_json(folder / SUMMARY, summary)
    folders.write_text(folder / PAGE, page.render(summary, run.records))
    return Report(summary, terminal.lines(summary, matrix.table(run.records), folder / PAGE))


def read_summary(folder: Path) -> lab.Summary:
    """Return the ``lab.json`` that ``folder`` has.

    Raises:
        ValueError: it is no JSON, or does not fit its schema.
        OSError: it cannot be read.
    """
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    schema.check(summary, "lab")
    return dict(summary)


def earlier(folder: Path) -> tuple[list[dict[str, Any]], str, str, Sequence[str]]:
    """Return what the report that ``folder`` has already says: nodes, lab's name, problem, stages.

    Only that report knows which nodes the run was about. Without it a node that left no record
    would be forgotten, so its absence is a problem and no pass.
    """
    try:
        summary = read_summary(folder)
    except (OSError, ValueError) as error:
        return [], "", f"{SUMMARY} cannot be used, so nodes may be missing here: {error}", STAGES
    keys = ("name", "serial", "rack", "unit", "groups", "spec")
    nodes = [{key: node[key] for key in keys} for node in summary["nodes"]]
    return nodes, str(summary["lab"]), "", summary.get("stages", STAGES)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m gpulab_fleet.report",
        description="Print a run's report and write its page.",
        epilog="exit status: 0 pass or warn, 1 fail or unknown, 2 usage",
    )
    parser.add_argument("folder", type=Path, help="folder of the run, such as reports/latest")
    folder = parser.parse_args(arguments).folder
    try:
        summary, lines = write(folder, *earlier(folder))
    except folders.FolderError as error:
        parser.error(str(error))
    show(lines)
    return 0 if summary["verdict"] in GOOD else 1


def show(lines: Iterable[terminal.Line]) -> None:
    """Print a report's lines."""
    for line in lines:
        print(_coloured(line))  # noqa: T201  this is a command's output


def _coloured(line: terminal.Line) -> str:
    if not line.status or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return line.text
    return f"\033[{terminal.ANSI[line.status]}m{line.text}\033[0m"


if __name__ == "__main__":
    sys.exit(main())
