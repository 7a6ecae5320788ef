"""Make a run's report.

``python -m ansible_collections.gpulab.core.plugins.plugin_utils.report.report reports/<lab>/<run>``

Prints the summary and writes ``index.html``, ``lab.json``, ``junit.xml`` and ``gpulab.prom`` into
the run's folder.

Exit status: 0 the lab passed or only warned; 1 it failed or its state is unknown; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..admission import admission
from ..checks.peers import peer_comparison
from ..history import history, history_queries
from ..lines import Line
from ..records import paths, runs, schema
from ..records.records import STAGES
from . import junit, lab_summary, metric_table, page, prometheus, terminal

PAGE = "index.html"
SUMMARY = "lab.json"
JUNIT = "junit.xml"
PROMETHEUS = "gpulab.prom"
GOOD = ("pass", "warn")


class Report(NamedTuple):
    """What was reported: ``summary`` is what ``lab.json`` holds, ``lines`` are for a terminal."""

    summary: lab_summary.Summary
    lines: list[Line]


def write(
    folder: Path,
    expected: Iterable[Mapping[str, Any]],
    name: str,
    problem: str = "",
    stages: Sequence[str] = STAGES,
    *,
    max_age_h: float | None = None,
    require_speed: bool | None = None,
    textfile_dir: Path | None = None,
) -> Report:
    """Hold the nodes of a run against their like, decide who is in service, and write the report.

    The report is the page, and what other programs read. Doing it again changes nothing but the
    time at which it was written. A history that cannot be used costs the report nothing but what
    it would have told; the report says so.

    Args:
        folder: The run's folder.
        expected: The nodes the run was about, as ``host`` of a record; only ``name`` is needed.
        name: The lab's name.
        problem: Why ``expected`` may be incomplete, in words; with one the lab cannot pass.
        stages: The stages that the run was about.
        max_age_h: Hours that a passing record counts; None: as the last report had it.
        require_speed: A node with a GPU whose speed nothing judges cannot pass; None: as the last
            report had it.
        textfile_dir: Folder of node_exporter's textfile collector, which gets the metrics, too.

    Raises:
        FolderError: ``folder`` or ``textfile_dir`` is not a folder, or ``folder`` is no lab's;
            nothing has been written.
    """
    state = paths.state_of(folder)
    if textfile_dir and not textfile_dir.is_dir():
        msg = (
            f"report_textfile_dir is {textfile_dir}, which is no folder: make it, or name the one "
            "that node_exporter was started with (--collector.textfile.directory)"
        )
        raise paths.FolderError(msg)
    run = runs.read(folder)
    if problem:
        run.problems.append(problem)
    notices: list[str] = []
    demanded = (
        admission.requires_speed(state / admission.FILE) if require_speed is None else require_speed
    )

    def compare(past_: sqlite3.Connection | None) -> None:
        peer_comparison.compare(folder, run.records, past_, require_speed=demanded)

    past = state / history.FILE
    if not _with_history(past, compare, notices):
        compare(None)
    summary = lab_summary.summarise(run, expected, name, stages)
    policy = {"max_age_h": max_age_h, "require_speed": require_speed}
    changes = _admit(summary, run, state, policy, notices)
    summary["history"] = {}

    def keep(connection: sqlite3.Connection) -> None:
        history.ingest(connection, summary, run.records)
        history.note_admission(connection, changes)
        names = sorted(node["name"] for node in summary["nodes"])
        moment = history.moment_of(connection, run.run_id, run.records)
        summary["history"] = history_queries.timeline(connection, names, moment)

    _with_history(past, keep, notices)
    summary["notices"] = notices
    schema.check(summary, "lab")
    paths.write_json(folder / SUMMARY, summary)
    paths.write_text(folder / JUNIT, junit.render(summary, run.records))
    paths.write_text(folder / PAGE, page.render(summary, run.records))
    metrics = prometheus.render(summary, run.records)
    for place in (folder, textfile_dir):
        if place:
            paths.write_text(place / PROMETHEUS, metrics)
    return Report(summary, terminal.lines(summary, metric_table.table(run.records), folder / PAGE))


def refused(summary: Mapping[str, Any], nodes: Iterable[str]) -> dict[str, str]:
    """Return the verdict of each of ``nodes`` that is not accepted.

    Where the lab is not accepted though each of these nodes would be (a file of the run cannot be
    read, a node outside the limit failed), the lab's verdict stands for all of them.
    """
    bad = {n["name"]: n["verdict"] for n in summary["nodes"] if n["verdict"] not in GOOD}
    here = {name: bad[name] for name in nodes if name in bad}
    if here or summary["verdict"] in GOOD:
        return here
    return dict.fromkeys(nodes, str(summary["verdict"]))


def _with_history(
    file: Path, use: Callable[[sqlite3.Connection], None], notices: list[str]
) -> bool:
    """Let ``use`` have the history, and return whether that went well; else say why, once."""
    try:
        with history.connect(file) as connection:
            use(connection)
    except history.HistoryError as error:
        notice = f"the history is left out: {error}"
        if notice not in notices:
            notices.append(notice)
        return False
    return True


def _admit(
    summary: lab_summary.Summary,
    run: runs.Run,
    folder: Path,
    policy: Mapping[str, Any],
    notices: list[str],
) -> list[tuple[str, admission.Entry]]:
    """Decide who is in service, put it into the summary, and return what has changed."""
    try:
        state, changes = admission.settle(summary["nodes"], run, folder / admission.FILE, policy)
    except admission.AdmissionError as error:
        notices.append(str(error))
        admission.annotate(summary["nodes"], None, f"{admission.FILE} cannot be used")
        return []
    admission.annotate(summary["nodes"], state)
    return changes


def read_summary(folder: Path) -> lab_summary.Summary:
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
        prog="python -m ansible_collections.gpulab.core.plugins.plugin_utils.report.report",
        description="Print a run's report and write its page.",
        epilog="exit status: 0 pass or warn, 1 fail or unknown, 2 usage",
    )
    parser.add_argument("folder", type=Path, help="folder of the run, such as reports/latest")
    parser.add_argument(
        "--textfile-dir",
        type=Path,
        metavar="DIR",
        help=f"folder of node_exporter's textfile collector, which gets {PROMETHEUS}, too",
    )
    options = parser.parse_args(arguments)
    try:
        summary, lines = write(
            options.folder, *earlier(options.folder), textfile_dir=options.textfile_dir
        )
    except paths.FolderError as error:
        parser.error(str(error))
    show(lines)
    return 0 if summary["verdict"] in GOOD else 1


def show(lines: Iterable[Line]) -> None:
    """Print a report's lines."""
    for line in lines:
        print(_coloured(line))  # noqa: T201  this is a command's output


def _coloured(line: Line) -> str:
    if not line.status or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return line.text
    return f"\033[{terminal.ANSI[line.status]}m{line.text}\033[0m"


if __name__ == "__main__":
    sys.exit(main())
