"""The callback and the actions under a real ansible-playbook, on nodes that are not there."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records, runs

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]

INVENTORY = """
[all:vars]
ansible_python_interpreter={python}
ansible_connection=local
lab_name=basement

[compute]
node01 node_rack=A1 node_unit=7
node02
node03

[edge]
gone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1

[alone]
gone
"""

# A stage's play carries its file's name as a tag; sandbox.yml's does not.
PLAYBOOKS = {
    "base.yml": """
- hosts: compute:edge
  gather_facts: false
  tags: [base]
  tasks:
    - name: Reach it
      ansible.builtin.ping:
    - name: Ignore a failure
      ansible.builtin.fail: {msg: ignored}
      ignore_errors: true
    - block:
        - name: Fail and be rescued
          ansible.builtin.fail: {msg: rescued}
      rescue:
        - name: Rescue
          ansible.builtin.debug: {msg: "run {{ lookup('ansible.builtin.env', 'GPULAB_RUN_ID') }}"}
    - name: Install packages
      ansible.builtin.fail: {msg: "No space left on device"}
      when: inventory_hostname == 'node02'
""",
    "verify.yml": """
- hosts: compute:edge
  gather_facts: false
  tags: [verify]
  tasks:
    - name: Record
      gpulab.core.record:
        verification:
          hardware: {cpu: {model: EPYC, cores: 64}, probes: {cpu: {seconds: 0.1}}}
          checks: ["{{ check }}"]
          spec_name: compute-minimum
      vars:
        check:
          {id: cpu.cores, part: {kind: cpu}, observed: 64, expected: 16, unit: '', source: s,
           severity: fail, status: "{{ status | default('pass') }}", action: '', evidence: ''}
""",
    "benchmark.yml": """
- hosts: compute
  gather_facts: false
  tags: [benchmark]
  tasks:
    - name: Record
      gpulab.core.record:
        benchmark:
          checks:
            - {id: loss, part: {kind: framework}, observed: 0.1, expected: 0.5, unit: '',
               source: s, severity: fail, status: pass, action: '', evidence: ''}
          metrics: [{id: train.tokens_per_s, scope: node, value: 12.5, unit: 1/s}]
          result: {preset: xs}
          durations_s: {total: 1.5}
""",
    "all_fail.yml": """
- hosts: compute
  gather_facts: false
  tags: [all_fail]
  tasks:
    - name: Break
      ansible.builtin.fail: {msg: "broken {{ inventory_hostname }}"}
""",
    "once.yml": """
- hosts: compute
  gather_facts: false
  tags: [once]
  tasks:
    - name: Pack for all
      ansible.builtin.fail: {msg: cannot pack}
      run_once: true
""",
    "sandbox.yml": """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Start
      ansible.builtin.fail: {msg: no podman}
      when: bad | default(false) | bool
""",
    "hidden.yml": """
- hosts: node01
  gather_facts: false
  tags: [hidden]
  tasks:
    - name: Use a secret
      ansible.builtin.fail: {msg: hunter2}
      no_log: true
""",
}


@dataclasses.dataclass
class Result:
    """What a run printed and left behind."""

    status: int
    out: str
    reports: Path

    @property
    def lab_reports(self) -> Path:
        """The folder of the only lab."""
        (folder,) = [path for path in self.reports.iterdir() if path.name != paths.LATEST]
        return folder

    @property
    def folder(self) -> Path:
        (folder,) = [path for path in self.lab_reports.iterdir() if path.name != paths.LATEST]
        return folder

    @property
    def page(self) -> str:
        """The page as the terminal names it."""
        return f"reports/{self.lab_reports.name}/{self.folder.name}/index.html"

    @property
    def failures(self) -> list[dict[str, Any]]:
        return runs.read(self.folder).failures

    @property
    def closing(self) -> str:
        """What the callback printed: all after the recap."""
        recap = self.out.partition("PLAY RECAP")[2]
        return recap.partition("\n\n")[2]


class Lab:
    """A project of tiny playbooks beside the real report.yml."""

    def __init__(self, root: Path) -> None:
        """Write the project."""
        self.root = root
        self.inventory = ("-i", "inventory.ini")
        self.reports = root / "reports"
        (root / "inventory.ini").write_text(INVENTORY.format(python=sys.executable))
        for name, text in PLAYBOOKS.items():
            (root / name).write_text(f"---{text}")
        shutil.copy(PROJECT / "playbooks" / "report.yml", root / "report.yml")
        site = "".join(
            f"- import_playbook: {name}.yml\n" for name in ("base", "verify", "benchmark", "report")
        )
        (root / "site.yml").write_text(f"---\n{site}")

    def run(self, *arguments: str, program: str = "playbook", run_id: str = "") -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "ansible", program, *self.inventory, *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "LANG": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "python_modules"),
                "ANSIBLE_CALLBACKS_ENABLED": "gpulab.core.summary",
                "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
                "ANSIBLE_INJECT_FACT_VARS": "false",
                "GPULAB_REPORTS_DIR": str(self.reports),
                "GPULAB_RUN_ID": run_id,
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, self.reports)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One run of everything: a node passes, one fails, one cannot be reached."""
    return Lab(tmp_path_factory.mktemp("mixed")).run("site.yml")


def test_run_with_failures_ends_badly(mixed: Result) -> None:
    assert mixed.status != 0
    assert "Traceback" not in mixed.out
    assert "Failed to load callback" not in mixed.out
    assert "[WARNING]: Failure using" not in mixed.out


def test_failures_that_stand_are_kept(mixed: Result) -> None:
    kept = {failure["host"]: failure for failure in mixed.failures}
    assert len(mixed.failures) == 2
    assert set(kept) == {"node02", "gone"}
    assert kept["node02"]["stage"] == "base"
    assert kept["node02"]["task"] == "Install packages"
    assert kept["node02"]["message"] == "No space left on device"
    assert not kept["node02"]["unreachable"]
    assert kept["gone"]["unreachable"]


def test_workers_see_the_run_id(mixed: Result) -> None:
    assert f"run {mixed.folder.name}" in mixed.out


def test_report_includes_who_never_reached_verification(mixed: Result) -> None:
    summary = json.loads((mixed.folder / "lab.json").read_text())
    verdicts = {node["name"]: node["verdict"] for node in summary["nodes"]}
    assert verdicts == {"node01": "pass", "node02": "fail", "node03": "pass", "gone": "fail"}
    assert summary["lab"] == "basement"
    assert "node02" in (mixed.folder / "index.html").read_text()
    assert (mixed.reports / "latest").resolve() == mixed.folder
    assert (mixed.lab_reports / "latest").resolve() == mixed.folder


def test_record_has_what_the_inventory_declares(mixed: Result) -> None:
    host = records.load(mixed.folder / "node01.json")["host"]
    assert (host["rack"], host["unit"], host["groups"]) == ("A1", 7, ["compute"])


def test_closing_summary(mixed: Result) -> None:
    told = mixed.closing
    assert "node02  base: Install packages\n    No space left on device\n    → its disk is" in told
    assert "gone  base: Reach it" in told
    assert "→ it answers but has no SSH there" in told
    assert "FAIL     lab basement, 4 nodes: 2 fail, 2 pass" in told
    assert f"Report: {mixed.page}" in told
    assert "Time: base " in told
    assert "rescued" not in told
    assert "ignored" not in told


def test_report_is_printed_in_the_run(mixed: Result) -> None:
    assert "What to do, by part" in mixed.out.partition("PLAY RECAP")[0]


def test_lab_that_passes(lab: Lab) -> None:
    """Two plays of this run succeed; --limit still reaches the report."""
    result = lab.run("site.yml", "--limit", "node01")
    assert result.status == 0, result.out
    assert not (result.folder / "failures.json").exists()
    assert "PASS     lab basement, 1 node: 1 pass" in result.closing
    assert "→" not in result.closing


@pytest.mark.parametrize(
    ("verdict", "status"), [("pass", 0), ("warn", 0), ("unknown", 2), ("fail", 2)]
)
def test_exit_status_is_the_verdict(lab: Lab, verdict: str, status: int) -> None:
    result = lab.run(
        "verify.yml", "benchmark.yml", "report.yml", "--limit", "node01", "-e", f"status={verdict}"
    )
    assert json.loads((result.folder / "lab.json").read_text())["verdict"] == verdict
    assert result.status == status
    assert not (result.folder / "failures.json").exists()


def test_run_that_breaks_off_still_leaves_its_report(lab: Lab) -> None:
    """Ansible ends a run when all hosts of a play failed: report.yml is never reached."""
    result = lab.run("all_fail.yml", "report.yml")
    assert result.status == 2
    summary = json.loads((result.folder / "lab.json").read_text())
    assert summary["counts"]["fail"] == 3
    assert "FAIL     lab basement, 3 nodes: 3 fail" in result.closing
    rerun = "→ fix what the message says, then: ansible-playbook -i inventory.ini all_fail.yml"
    assert f"{rerun} --limit node01" in result.closing


def test_task_for_every_host(lab: Lab) -> None:
    result = lab.run("once.yml")
    assert [failure["every_host"] for failure in result.failures] == [True]
    assert "every host  once: Pack for all" in result.closing
    assert json.loads((result.folder / "lab.json").read_text())["verdict"] == "unknown"


def test_secret_stays_secret(lab: Lab) -> None:
    result = lab.run("hidden.yml")
    assert result.failures[0]["host"] == "node01"
    files = "".join(path.read_text() for path in result.folder.iterdir())
    assert "hunter2" not in files + result.closing


@pytest.mark.parametrize("playbook", ["site.yml", "all_fail.yml"])
def test_check_mode_writes_nothing_and_says_so(lab: Lab, playbook: str) -> None:
    result = lab.run(playbook, "--check")
    assert not lab.reports.exists()
    assert "Check mode: nothing was changed, recorded or judged." in result.closing


@pytest.mark.parametrize("bad", ["false", "true"])
def test_playbook_that_is_no_stage_leaves_no_run(lab: Lab, bad: str) -> None:
    result = lab.run("sandbox.yml", "-e", f"bad={bad}")
    assert not lab.reports.exists()
    assert ("no podman" in result.closing) == (bad == "true")
    assert "Time:" not in result.closing


@pytest.mark.parametrize("option", ["--syntax-check", "--list-tasks", "--list-hosts"])
def test_options_that_run_nothing(lab: Lab, option: str) -> None:
    result = lab.run("site.yml", option)
    assert result.status == 0, result.out
    assert not lab.reports.exists()


def test_ad_hoc_command(lab: Lab) -> None:
    result = lab.run("node01", "-m", "ansible.builtin.ping", program="adhoc")
    assert result.status == 0, result.out
    assert not lab.reports.exists()


def test_report_without_any_run_says_what_to_do(lab: Lab) -> None:
    result = lab.run("report.yml")
    assert result.status == 2
    assert "nothing was recorded in run" in result.out
    assert not lab.reports.exists()


def test_report_on_its_own_is_about_the_newest_run(lab: Lab) -> None:
    first = lab.run("verify.yml", "benchmark.yml", "--limit", "compute")
    again = lab.run("report.yml", "--limit", "compute")
    assert again.status == 0, again.out
    assert first.folder == again.folder


def test_run_id_that_is_set_is_used_and_keeps_its_failures(lab: Lab) -> None:
    lab.run("all_fail.yml", "--limit", "node01", run_id="mine")
    result = lab.run("site.yml", "--limit", "node01", run_id="mine")
    assert result.folder.name == "mine"
    assert result.status == 2
    assert [failure["stage"] for failure in result.failures] == ["all_fail"]


def test_run_id_that_is_no_name_is_refused(lab: Lab) -> None:
    result = lab.run("verify.yml", "--limit", "node01", run_id="../../x")
    assert result.status != 0
    assert "GPULAB_RUN_ID" in result.out
    assert not lab.reports.exists()
