"""The collection outside the checkout: built, installed into a clean environment, used there."""

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

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]
SOURCE = PROJECT / "python_modules/ansible_collections/gpulab/core"
PROGRAMS = Path(__file__).parent

INVENTORY = """
[all:vars]
ansible_connection=local
ansible_become=false
ansible_python_interpreter={python}
lab_name=elsewhere

[compute]
node01
node02
"""
# Instead of those that the sandbox's start would choose.
ZONES = {
    name: {"cidr": f"10.9.{number}.0/24"}
    for number, name in enumerate(("management", "fabric", "storage", "edge"))
}
DECLARATION = """
- hosts: all
  gather_facts: false
  tasks:
    - gpulab.core.declaration:
      run_once: true
"""
# What only a run with the role's own files shows; check mode needs no root.
COMMIT = """
- hosts: node01
  gather_facts: false
  tasks:
    - ansible.builtin.setup: {gather_subset: [min]}
    - ansible.builtin.include_role: {name: commit, tasks_from: preflight}
    - ansible.builtin.include_role: {name: commit, tasks_from: install}
"""
FAILURE = """
- hosts: compute
  gather_facts: false
  tags: [base]
  tasks:
    - name: Break
      ansible.builtin.fail: {msg: broken}
      when: inventory_hostname == 'node02'
"""


@dataclasses.dataclass
class Elsewhere:
    """A user's folder and environment; what runs there finds nothing of the checkout."""

    root: Path

    @property
    def collection(self) -> Path:
        """Where ansible-galaxy installs by itself."""
        return self.root / "home/.ansible/collections/ansible_collections/gpulab/core"

    @property
    def python(self) -> Path:
        return self.root / "venv/bin/python"

    def run(self, *argv: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment by its name."""
        program, *arguments = map(str, argv)
        return subprocess.run(
            [str(self.root / "venv/bin" / program), *arguments],
            cwd=self.root,
            env={
                "PATH": f"{self.root}/venv/bin:/usr/bin:/bin",
                "HOME": str(self.root / "home"),
                "LANG": "C.UTF-8",
                "ANSIBLE_INJECT_FACT_VARS": "false",
                **more,
            },
            text=True,
            capture_output=True,
            timeout=240,
            check=False,
        )

    def ask(self, program: str, *arguments: object) -> dict[str, Any]:
        """Run one of this folder's programs there, and read what it prints."""
        done = self.run("python", "-I", PROGRAMS / program, *arguments)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def play(self, playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run(
            "ansible-playbook", *options, playbook, ANSIBLE_CALLBACKS_ENABLED="gpulab.core.summary"
        )


def install_locked(root: Path) -> None:
    """Make an environment of the controller's lock alone, without pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True)
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-compile"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", root / "venv/bin/python", "install"),
            *(*options, "--requirement", PROJECT / "requirements.txt"),
        ],
        check=True,
        timeout=300,
        # Not this process' own packages, which a path in the environment would add.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Build the collection and install it as a user does."""
    place = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    install_locked(place.root)
    built = place.run("ansible-galaxy", "collection", "build", SOURCE, "--output-path", "built")
    assert built.returncode == 0, built.stderr
    (archive,) = (place.root / "built").iterdir()
    done = place.run("ansible-galaxy", "collection", "install", archive, "--offline")
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def project(elsewhere: Elsewhere) -> Elsewhere:
    """A user's own project there: an inventory, and playbooks that use the collection."""
    python = elsewhere.python
    (elsewhere.root / "inventory.ini").write_text(INVENTORY.format(python=python))
    for name in ("verify.yml", "report.yml"):
        shutil.copy(PROJECT / "playbooks" / name, elsewhere.root)
    site = "".join(f"\n- import_playbook: {name}.yml" for name in ("base", "verify", "report"))
    own = {"base": FAILURE, "commit": COMMIT, "declaration": DECLARATION, "site": site}
    for name, text in own.items():
        (elsewhere.root / f"{name}.yml").write_text(f"---{text}")
    shutil.copytree(PROJECT / "roles/commit", elsewhere.root / "roles/commit")
    shutil.copytree(
        PROJECT / "inventory/sandbox",
        elsewhere.root / "sandbox",
        ignore=shutil.ignore_patterns("machines.yml"),
    )
    return elsewhere


def names(kind: str) -> list[str]:
    """List the checkout's plugins of a kind; a filter's name is its sidecar's."""
    pattern = "*.yml" if kind == "filter" else "*.py"
    return sorted(file.stem for file in (SOURCE / "plugins" / kind).glob(pattern))


def test_the_environment_has_what_is_declared_and_nothing_else(elsewhere: Elsewhere) -> None:
    found = elsewhere.ask("installed_packages.py", elsewhere.collection)
    assert "" not in found["declared"].values(), "declared, and not installed as such"
    assert found["installed"] == found["declared"]


def test_every_plugin_loads(elsewhere: Elsewhere) -> None:
    found = elsewhere.ask("installed_plugins.py")
    assert found["root"] == str(elsewhere.collection)
    assert found["problems"] == {}
    assert found["loaded"] == {
        kind: names(kind)
        for kind in ("modules", "action", "callback", "lookup", "filter", "doc_fragments")
    }


@pytest.mark.parametrize("kind", ["module", "filter", "lookup", "callback", "strategy"])
def test_every_plugin_is_documented_there(elsewhere: Elsewhere, kind: str) -> None:
    wanted = [f"gpulab.core.{name}" for name in names({"module": "modules"}.get(kind, kind))]
    shown = elsewhere.run("ansible-doc", "--type", kind, "--json", *wanted)
    assert shown.returncode == 0, shown.stderr
    documents = json.loads(shown.stdout)
    assert sorted(documents) == wanted
    if kind == "strategy":
        assert documents["gpulab.core.mitogen"]["doc"]["requirements"] == ["mitogen"]


def test_the_declaration_is_held_against_the_collections_own_schema(project: Elsewhere) -> None:
    options = ("--inventory", "sandbox", "--extra-vars")
    sound = project.play("declaration.yml", *options, json.dumps({"lab_zones": ZONES}))
    assert sound.returncode == 0, sound.stdout
    assert "ok=1" in sound.stdout
    zones = ZONES | {"storage": {"cidr": "10.9.0.0"}}
    wrong = project.play("declaration.yml", *options, json.dumps({"lab_zones": zones}))
    assert wrong.returncode == 2, wrong.stdout
    assert "lab_zones.storage.cidr" in wrong.stdout


def test_a_run_is_recorded_reported_and_summed_up(project: Elsewhere) -> None:
    """The modules run on the nodes, all else here; reports are the working folder's."""
    done = project.play("site.yml", "--inventory", "inventory.ini")
    assert done.returncode == 2, done.stdout
    assert "lab elsewhere, 2 nodes" in done.stdout
    folder = (project.root / "reports/latest").resolve()
    assert json.loads((folder / "node01.json").read_text())["hardware"]["cpu"]
    assert "node01" in (folder / "index.html").read_text()
    (failure,) = json.loads((folder / "failures.json").read_text())["failures"]
    assert (failure["host"], failure["stage"], failure["message"]) == ("node02", "base", "broken")
    assert (project.root / "state").is_dir()


def test_a_role_ships_the_installed_collections_files(project: Elsewhere) -> None:
    done = project.play("commit.yml", "--inventory", "inventory.ini", "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert "+++ after: /usr/local/lib/gpulab/gpulab_node/commit/runner.py" in done.stdout
