"""History, admission and scheduler under a real ansible-playbook; its Slurm is a script."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_plugins import PROJECT, Lab, Result

pytestmark = pytest.mark.ansible

GROUPS = """
[controllers]
head01 ansible_connection=local

[slurm]
node01
node02

[all:vars]
ansible_become=false
lab_admission={"max_age_h": 48}
"""

# Keeps each node's state and reason in a file; speaks as scontrol(1) does. The scenario slurm has a
# real one.
SCONTROL = """#!/usr/bin/env bash
cd "$(dirname "$0")/../slurm"
echo "$*" >> calls
[ ! -e broken ] || { echo "Unable to contact slurm controller"; exit 1; }
case $1 in
  --oneliner)
    for node in node*; do
      read -r state reason < "$node"
      echo "NodeName=$node Arch=x86_64 State=$state ThreadsPerCore=2" \
        "${reason:+Reason=$reason [root@2026-12-01T00:00:00]}"
    done ;;
  update)
    node=${2#nodename=} state=${3#state=}
    case $state in
      drain) echo "IDLE+DRAIN ${4#reason=}" > "$node" ;;
      resume) echo IDLE > "$node" ;;
    esac ;;
esac
"""


class StateLab(Lab):
    """A lab with the real playbooks of admission and history, and a scheduler."""

    def __init__(self, root: Path) -> None:
        """Write the project."""
        super().__init__(root)
        inventory = root / "inventory.ini"
        inventory.write_text(inventory.read_text() + GROUPS)
        for name in ("history.yml", "admission.yml", "tasks"):
            source = PROJECT / "playbooks" / name
            if source.is_dir():
                shutil.copytree(source, root / name)
            else:
                shutil.copy(source, root / name)
        self.slurm = root / "slurm"
        self.slurm.mkdir()
        for name in ("node01", "node02"):
            (self.slurm / name).write_text("IDLE\n")
        # The timer is a matter of a head with systemd.
        shutil.copytree(PROJECT / "roles" / "slurm_admission", root / "roles" / "slurm_admission")
        role = root / "roles" / "slurm_admission"
        (role / "tasks" / "install.yml").write_text("[]\n")
        file = role / "vars" / "main.yml"
        file.write_text(file.read_text().replace("/var/lib/gpulab", str(root)))

    def verified(self, status: str = "pass", *, limit: str = "node01,node02") -> Result:
        plays = ("verify.yml", "benchmark.yml", "report.yml")
        return self.run(*plays, "--limit", limit, "-e", f"status={status}")

    @property
    def state_dir(self) -> Path:
        (folder,) = (self.root / "state").glob("basement-*")
        return folder

    def state(self) -> dict[str, Any]:
        text = self.state_dir.joinpath("admission.json").read_text()
        return json.loads(text)

    def in_slurm(self, node: str) -> str:
        return (self.slurm / node).read_text().strip()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateLab]:
    """Found by the tasks before any Slurm that this machine may have."""
    tool = tmp_path / "bin" / "scontrol"
    tool.parent.mkdir()
    tool.write_text(SCONTROL)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    return StateLab(tmp_path)


def test_a_failed_node_is_drained_and_comes_back_by_a_whole_record(lab: StateLab) -> None:
    result = lab.verified("fail")
    assert result.status == 2
    assert lab.state()["policy"] == {"max_age_h": 48.0}
    assert lab.state()["nodes"]["node01"]["state"] == "quarantined"
    assert lab.in_slurm("node01").startswith("IDLE+DRAIN gpulab: quarantined: cpu.cores: 64")
    assert "In service: 0 of 2; quarantined: node01, node02" in result.out
    assert "In service: 0 of 2; quarantined: node01, node02" in result.closing

    # Only verified: that is not enough.
    lab.run("verify.yml", "report.yml", "--limit", "node01", run_id="part")
    assert lab.state()["nodes"]["node01"]["state"] == "quarantined"
    assert lab.in_slurm("node01").startswith("IDLE+DRAIN")

    back = lab.run("verify.yml", "benchmark.yml", "report.yml", "--limit", "node01", run_id="whole")
    assert back.status == 0, back.out
    assert "In service: 1 of 1" in back.closing
    assert lab.in_slurm("node01") == "IDLE"
    assert lab.in_slurm("node02").startswith("IDLE+DRAIN")


@pytest.mark.parametrize("reason", ["fan is loud", "gpulab: driver upgrade"])
def test_what_somebody_else_drained_stays_so(lab: StateLab, reason: str) -> None:
    (lab.slurm / "node01").write_text(f"IDLE+DRAIN {reason}\n")
    lab.verified()
    assert lab.in_slurm("node01") == f"IDLE+DRAIN {reason}"
    lab.verified("fail")
    assert lab.in_slurm("node01") == f"IDLE+DRAIN {reason}"


def test_a_node_that_slurm_does_not_know_costs_nothing(lab: StateLab) -> None:
    (lab.slurm / "node02").unlink()
    result = lab.verified("fail")
    assert lab.in_slurm("node01").startswith("IDLE+DRAIN")
    assert "Slurm does not know it" not in result.closing


def test_a_slurm_that_does_not_answer_is_told(lab: StateLab) -> None:
    (lab.slurm / "broken").touch()
    result = lab.verified()
    assert result.status != 0
    assert "Unable to contact slurm controller" in result.out


def test_a_second_report_changes_nothing(lab: StateLab) -> None:
    first = lab.verified()
    assert first.status == 0, first.out
    file = lab.state_dir / "admission.json"
    records = sorted(first.folder.glob("node*.json"))
    before = [path.read_bytes() for path in (file, *records)]
    again = lab.run("report.yml", "--limit", "node01,node02")
    assert again.status == 0, again.out
    assert again.folder == first.folder
    assert [path.read_bytes() for path in (file, *records)] == before
    assert "changed=0" in again.out


def test_a_check_decides_nothing(lab: StateLab) -> None:
    lab.run("verify.yml", "benchmark.yml", "report.yml", "--check")
    lab.run("admission.yml", "--check", "-e", "quarantine=node01", "-e", "reason=x")
    assert not (lab.root / "state").exists()


def test_by_hand(lab: StateLab) -> None:
    lab.verified()
    out = lab.run("admission.yml", "-e", "quarantine=node01", "-e", "reason='its fan rattles'").out
    assert "its fan rattles" in out
    entry = lab.state()["nodes"]["node01"]
    assert (entry["state"], entry["reason"]) == ("quarantined", "its fan rattles")
    assert entry["actor"]
    assert lab.in_slurm("node01") == "IDLE+DRAIN gpulab: quarantined: its fan rattles"
    out = lab.run("admission.yml").out
    assert "node03  unverified" in out
    assert "node02  in service" in out
    out = lab.run("admission.yml", "-e", "release=node01", "-e", "reason='fan replaced'").out
    assert lab.state()["nodes"]["node01"]["state"] == "in_service"
    assert lab.in_slurm("node01") == "IDLE"
    out = lab.run("history.yml", "-e", "part=node01").out
    assert f"quarantined by {entry['actor']}  its fan rattles" in out
    assert f"in service by {entry['actor']}  released: fan replaced" in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("quarantine=node01",), "say why"),
        (("release=node01", "reason=x"), "node01 is not released: it is unverified"),
        (("release=nod1", "reason=x"), "there is no node nod1"),
        (("release=node01", "quarantine=node02", "reason=x"), "mutually exclusive"),
    ],
)
def test_what_makes_no_sense_by_hand_is_refused(
    lab: StateLab, options: tuple[str, ...], told: str
) -> None:
    result = lab.run("admission.yml", *(word for option in options for word in ("-e", option)))
    assert result.status == 2
    assert told in result.out
    assert not list(lab.root.glob("state/**/admission.json"))


def test_the_history_of_everything_and_of_nothing(lab: StateLab) -> None:
    assert "No part has failed or warned yet." in lab.run("history.yml").out
    lab.verified("fail")
    told = "FAIL     CPU  cpu.cores: 64, expected 16"
    assert told in lab.run("history.yml", "-e", "part=node01").out
    out = lab.run("history.yml", "-e", "part=node").out
    assert "Several begin with 'node'" in out
    assert "knows no part and no node" in lab.run("history.yml", "-e", "part=xyz").out


def test_a_history_that_is_lost_is_taken_up_again(lab: StateLab) -> None:
    lab.verified()
    file = lab.state_dir / "history.sqlite3"
    file.write_bytes(b"broken")
    result = lab.run("history.yml")
    assert result.status == 2
    assert "move it away" in result.out
    file.unlink()
    result = lab.run("history.yml", "-e", "rebuild=true", "-e", "part=node01")
    assert result.status == 0, result.out
    assert "No fault known." in result.out


def test_the_numbers_alone_are_forgotten(lab: StateLab) -> None:
    lab.verified("fail")
    out = lab.run("history.yml", "-e", "forget_metrics=true", "-e", "part=node01").out
    assert "changed=1" in out
    assert "FAIL     CPU  cpu.cores" in out
    assert "changed=0" in lab.run("history.yml", "-e", "forget_metrics=true").out
