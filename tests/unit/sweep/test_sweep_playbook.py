"""The playbook under a real ansible-playbook, of nodes that nobody reaches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).resolve().parents[3]
RUN = "run-1"
# A port of this machine's own on which nothing listens.
INVENTORY = """
all:
  vars: {ansible_host: 127.0.0.1, ansible_port: 9, lab_name: basement}
  children:
    compute: {hosts: {node01: , node02: {ansible_host: '{{ nowhere }}'}}}
    edge: {hosts: {edge01: {ansible_connection: local}}}
"""


@dataclass
class Ended:
    """How a playbook ended."""

    status: int
    output: str


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def sweep(lab: Path, *words: str) -> Ended:
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/sweep.yml"),
            *("-i", str(lab / "hosts.yml"), *words),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
        env={
            **os.environ,
            "GPULAB_STATE_DIR": str(lab / "state"),
            "ANSIBLE_NOCOLOR": "1",
            "GPULAB_REPORTS_DIR": str(lab / "reports"),
            "GPULAB_RUN_ID": RUN,
        },
    )
    return Ended(done.returncode, done.stdout)


def test_the_verdict_is_the_exit_status_and_each_node_has_its_reason(lab: Path) -> None:
    done = sweep(lab)
    assert done.status == 2
    assert "FAIL     lab basement, 3 nodes: 3 fail" in done.output
    assert "Sweep: 0 of 3 nodes answered" in done.output
    (file,) = lab.glob(f"reports/basement-*/{RUN}/lab.json")
    summary = json.loads(file.read_text())
    reasons = {node["name"]: node["reason"] for node in summary["nodes"]}
    assert "127.0.0.1 port 9: Connection refused" in reasons["node01"]
    assert "nowhere" in reasons["node02"]
    assert "ansible_connection is local" in reasons["edge01"]
    assert summary["stages"] == ["verify"]
    # It is said once that they are refused: by the report.
    assert "Refuse the machines" not in done.output.partition("PLAY RECAP")[2]
    # What is swept is held to be out of service.
    assert (lab / "state" / file.parent.parent.name / "admission.json").exists()


def test_check_mode_judges_and_keeps_nothing(lab: Path) -> None:
    done = sweep(lab, "--check", "--limit", "node01")
    assert done.status == 2
    assert "FAIL     lab basement, 1 node: 1 fail" in done.output
    assert "Connection refused" in done.output
    assert sorted(path.name for path in lab.iterdir()) == ["hosts.yml"]


def test_a_run_that_exists_is_not_added_to(lab: Path) -> None:
    sweep(lab, "--limit", "node01")
    (folder,) = lab.glob(f"reports/*/{RUN}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = sweep(lab, "--limit", "node01")
    assert done.status == 2
    assert "a run of its own" in done.output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("words", ["sweep_timeout_s=0", "sweep_parallel=0", "sweep_timeout_s=soon"])
def test_wrong_words_are_refused(lab: Path, words: str) -> None:
    done = sweep(lab, "--limit", "node01", "-e", words)
    assert done.status == 2
    assert words.partition("=")[0].removeprefix("sweep_") in done.output
    assert not (lab / "reports").exists()


def test_a_limit_that_leaves_nothing_is_refused(lab: Path) -> None:
    done = sweep(lab, "--limit", "nobody")
    assert done.status == 1
    assert not (lab / "reports").exists()
