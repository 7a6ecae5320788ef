"""verify.yml and report.yml as they are, each run alone and with --limit, on this host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]

INVENTORY = """
[all:vars]
ansible_connection=local
ansible_become=false
ansible_python_interpreter={python}
lab_name=basement
report_textfile_dir={textfiles}

[compute]
node01 node_rack=A1 node_unit=7
node02

[controllers]
head01
"""


class Project:
    """The real playbooks on an inventory whose nodes are all this host."""

    def __init__(self, root: Path) -> None:
        """Write the inventory."""
        self.root, self.reports, self.textfiles = root, root / "reports", root / "textfiles"
        self.textfiles.mkdir()
        (root / "inventory.ini").write_text(
            INVENTORY.format(python=sys.executable, textfiles=self.textfiles)
        )

    def run(self, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        book = PROJECT / "playbooks" / playbook
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.ini", book, *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "LANG": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "python_modules"),
                "ANSIBLE_CALLBACKS_ENABLED": "gpulab.core.summary",
                "ANSIBLE_INJECT_FACT_VARS": "false",
                "GPULAB_REPORTS_DIR": str(self.reports),
                "GPULAB_STATE_DIR": str(self.root / "state"),
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=240,
            check=False,
        )

    @property
    def folder(self) -> Path:
        folder = (self.reports / paths.LATEST).resolve()
        (lab,) = [path for path in self.reports.iterdir() if path.name != paths.LATEST]
        assert folder.parent == lab
        assert {path.name for path in lab.iterdir()} == {folder.name, paths.LATEST}
        return folder

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "lab.json").read_text()))


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """One node verified, and nothing else run."""
    project = Project(tmp_path_factory.mktemp("alone"))
    return project, project.run("verify.yml", "--limit", "node01").stdout


def test_verify_alone_tells_what_was_seen(verified: tuple[Project, str]) -> None:
    project, told = verified
    assert "failed=0" in told
    record = records.load(project.folder / "node01.json")
    assert "verify" in record["stages"]
    assert "benchmark" not in record["stages"]
    assert record["hardware"]["cpu"]
    # No report was asked for, so the callback has made one, of the node within the limit alone.
    assert [node["name"] for node in project.summary["nodes"]] == ["node01"]
    assert "lab basement, 1 node" in told


def test_report_alone_tells_the_same_of_the_newest_run(verified: tuple[Project, str]) -> None:
    project, _ = verified
    done = project.run("report.yml", "--limit", "node01")
    (node,) = project.summary["nodes"]
    # It has not trained: that was not seen, so it is no pass.
    assert node["verdict"] in ("unknown", "fail")
    assert done.returncode == 2
    assert "not reached in this run: benchmark" in (project.folder / "index.html").read_text()
    assert (
        f"Report: reports/{project.folder.parent.name}/{project.folder.name}/index.html"
        in done.stdout
    )
    for name in ("index.html", "junit.xml", "gpulab.prom"):
        assert "node01" in (project.folder / name).read_text()


def test_the_collectors_folder_has_the_metrics(verified: tuple[Project, str]) -> None:
    project, _ = verified
    (file,) = project.textfiles.iterdir()
    assert file.name == "gpulab.prom"
    assert 'gpulab_node_verdict{node="node01",rack="A1",unit="7"}' in file.read_text()


def test_a_collectors_folder_that_is_missing_fails_the_report_with_the_fix(
    verified: tuple[Project, str],
) -> None:
    project, _ = verified
    done = project.run("report.yml", "--limit", "node01", "-e", "report_textfile_dir=/nowhere/at")
    assert done.returncode != 0
    assert "report_textfile_dir is /nowhere/at, which is no folder" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("playbook", ["verify.yml", "benchmark.yml", "report.yml"])
def test_a_stage_alone_knows_its_hosts_within_the_limit(tmp_path: Path, playbook: str) -> None:
    project = Project(tmp_path)
    told = project.run(playbook, "--limit", "node02", "--list-hosts").stdout
    assert "hosts (1):\n      node02\n" in told
    assert not project.reports.exists()
