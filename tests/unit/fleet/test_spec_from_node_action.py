"""The action gpulab.core.spec_from_node and its playbook under a real ansible-playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from host_machines import HOST_MACHINES

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- hosts: node01
  gather_facts: false
  tasks:
    - name: Capture
      gpulab.core.spec_from_node:
        hardware: "{{ lookup('ansible.builtin.file', machine ~ '.json') | from_json }}"
        name: "{{ spec_name | default('good') }}"
        dest: "{{ playbook_dir }}/lab/good.yml"
        overwrite: "{{ overwrite | default(false) }}"
        allow_unread: "{{ allow_unread | default(false) }}"
      register: result
    - name: Show
      ansible.builtin.debug:
        msg: "changed={{ result.changed }} path={{ result.path }}"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the playbook, an inventory, and the facts of two machines."""
    root = tmp_path_factory.mktemp("capture")
    (root / "spec_from_node.yml").write_text(f"---{PLAYBOOK}")
    (root / "inventory.ini").write_text("node01 ansible_connection=local\nnode02\n")
    for name in ("server", "bare-server"):
        machine = HOST_MACHINES[name]
        tree = Tree(str(machine.lay(root / "machines" / name)))
        facts = gather(tree, machine.run, machine.machine, 2.0, pause_s=0.01)
        (root / f"{name}.json").write_text(json.dumps(facts))
    return root


def run(project: Path, playbook: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.ini", playbook, *arguments],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(project),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "python_modules"),
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    return done.returncode, " ".join(done.stdout.split())


def test_a_spec_is_written_once_and_never_replaced_unasked(project: Path) -> None:
    file = project / "lab" / "good.yml"

    status, out = run(project, "spec_from_node.yml", "-e", "machine=server", "--check")
    assert (status, "changed=True" in out, file.exists()) == (0, True, False)

    status, out = run(project, "spec_from_node.yml", "-e", "machine=server")
    assert (status, "changed=True" in out) == (0, True)
    written = file.read_text()
    (name, spec) = next(iter(yaml.safe_load(written)["lab_hardware_specs"].items()))
    assert (name, spec["memory"]["dimms_min"]) == ("good", 16)

    status, out = run(project, "spec_from_node.yml", "-e", "machine=server")
    assert (status, "changed=False" in out) == (0, True)

    status, out = run(project, "spec_from_node.yml", "-e", "machine=server spec_name=other")
    assert status != 0
    assert "is there already" in out
    assert "spec_overwrite: true" in out
    assert file.read_text() == written

    status, _ = run(
        project, "spec_from_node.yml", "-e", "machine=server spec_name=other overwrite=true"
    )
    assert status == 0
    assert "other" in yaml.safe_load(file.read_text())["lab_hardware_specs"]


def test_what_could_not_be_read_is_refused_unless_it_is_allowed(project: Path) -> None:
    status, out = run(project, "spec_from_node.yml", "-e", "machine=bare-server overwrite=true")
    assert status != 0
    assert "dimms: dmidecode is not installed" in out

    status, _ = run(
        project, "spec_from_node.yml", "-e", "machine=bare-server overwrite=true allow_unread=true"
    )
    assert status == 0


def test_the_playbook_takes_one_node_and_a_name() -> None:
    real = str(PROJECT / "playbooks" / "spec_from_node.yml")
    inventory = PROJECT / "inventory" / "example"
    for arguments in (["-e", "spec_name=x"], ["--limit", "head01"]):
        status, out = run(inventory, real, "-i", "hosts.yml", *arguments)
        assert status != 0
        assert "Name one node (--limit node01) and the spec" in out
