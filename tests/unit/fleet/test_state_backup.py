"""docs/state.md: its commands back up, restore and tidy up what outlives the runs."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import fleet_samples as samples
import pytest
from history_lab import GPU, OTHER, Lab, bad, gpu, node, past_file

from ansible_collections.gpulab.core.plugins.plugin_utils.admission import admission
from ansible_collections.gpulab.core.plugins.plugin_utils.history import history
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths
from ansible_collections.gpulab.core.plugins.plugin_utils.report import rebuild_history, report

PAGE = (Path(__file__).resolve().parents[3] / "docs/state.md").read_text(encoding="utf-8")


def commands(heading: str) -> list[str]:
    """Return the commands of the first console block below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2]
    block = re.search(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert block, heading
    lines = [line.removeprefix("$ ") for line in block[1].splitlines()]
    # The page's lab is one of its readers'.
    return [re.sub(r"^LAB=\S+", f"LAB={samples.LAB}", line) for line in lines]


def run(lab_folder: Path, *lines: str) -> None:
    subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=lab_folder, check=True, timeout=60)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def rows(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return {line for line in connection.iterdump() if line.startswith("INSERT")}
    finally:
        connection.close()


def _keep_reporting(lab: Lab, stop: Event) -> None:
    # The lab has one run an hour, and a day.
    while lab.hour < 23 and not stop.wait(0.1):
        lab.run(node("node01", gpu(), tokens=100.0), node("node02", gpu(OTHER), checks=[bad()]))


def _cli(lines: list[str]) -> list[str]:
    """Return the same with the program that the page names as the other way."""
    other = re.search(r"`(sqlite3 -cmd [^`]*)`", PAGE)
    assert other
    return [*lines[:2], other[1], *lines[3:]]


@pytest.mark.parametrize(
    "with_program",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.skipif(not shutil.which("sqlite3"), reason="no sqlite3 here")
        ),
    ],
)
def test_a_backup_while_reports_are_written_is_whole(
    lab: Lab, tmp_path: Path, state_dir: Path, with_program: bool
) -> None:
    lines = commands("Back up")
    lab.run(node("node01", gpu(), tokens=100.0))
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    writer = context.Process(target=_keep_reporting, args=(lab, stop))
    writer.start()
    try:
        taken = []
        for _ in range(4):
            run(tmp_path, *(_cli(lines) if with_program else lines))
            taken.append(rows(tmp_path / "backup" / samples.LAB / "history.sqlite3"))
            assert admission.read(tmp_path / "backup" / samples.LAB / "admission.json")["nodes"]
            time.sleep(0.2)
    finally:
        stop.set()
        writer.join(60)
    assert writer.exitcode == 0
    assert taken[0] < taken[-1] <= rows(state_dir / history.FILE)


def test_a_plain_copy_would_lack_what_is_in_the_journal(
    lab: Lab, tmp_path: Path, state_dir: Path
) -> None:
    """Why the page says not to do it."""
    lab.run(node("node01", gpu()))
    with history.connect(past_file()) as reader:
        reader.execute("SELECT count(*) FROM runs").fetchone()
        lab.run(node("node01", gpu(), checks=[bad()]))
        plain = tmp_path / "plain.sqlite3"
        shutil.copy(state_dir / history.FILE, plain)
        run(tmp_path, *commands("Back up"))
    assert rows(plain) < rows(tmp_path / "backup" / samples.LAB / "history.sqlite3")


def test_what_was_backed_up_comes_back_and_the_runs_since(
    lab: Lab, tmp_path: Path, state_dir: Path
) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]), node("node02"))
    run(tmp_path, *commands("Back up"))
    newest = lab.run(node("node01"), node("node02", gpu(), tokens=100.0))
    before = rows(state_dir / history.FILE), (state_dir / admission.FILE).read_bytes()
    (state_dir / history.FILE).write_bytes(b"this is no database at all, is it")
    (state_dir / f"{history.FILE}-wal").write_bytes(b"and this was its journal")
    (state_dir / admission.FILE).write_text("{")

    *copies, rebuild, again = commands("Restore")
    run(tmp_path, *copies)
    assert rebuild == "ansible-playbook playbooks/history.yml -e rebuild=true"
    assert rebuild_history.from_reports(lab.reports, state_dir) == (2, [])
    assert again == "ansible-playbook playbooks/report.yml"
    report.write(newest, [], "basement", max_age_h=1e6)
    assert (rows(state_dir / history.FILE), (state_dir / admission.FILE).read_bytes()) == before


def test_old_reports_go_and_the_history_stays(lab: Lab, tmp_path: Path, state_dir: Path) -> None:
    old = lab.run(node("node01", gpu(), checks=[bad()]))
    newest = lab.run(node("node01", gpu()))
    paths.point_latest(newest)
    before = rows(state_dir / history.FILE)
    long_ago = time.time() - 91 * 86400
    os.utime(old, (long_ago, long_ago))
    run(tmp_path, *commands("Deleting reports"))
    assert not old.exists()
    assert paths.latest_run(lab.reports) == newest.name
    report.write(newest, [], "basement", max_age_h=1e6)
    assert rows(state_dir / history.FILE) == before
    assert GPU in " ".join(before)
