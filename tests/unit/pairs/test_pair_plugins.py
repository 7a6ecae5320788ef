"""Plan, judgement and record under a real ansible-playbook, on nodes that are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pairs_samples import everybody

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]
NODES = ("a", "b", "c")
PLAYBOOK = """
- hosts: compute
  gather_facts: false
  tasks:
    - gpulab.core.pair_plan:
        nodes: "{{ ansible_play_hosts }}"
        zone: "{{ zone | default('') }}"
        rounds: "{{ rounds | default(0) }}"
      run_once: true
      register: plan
    - gpulab.core.pair_plan:
        nodes: "{{ ansible_play_hosts }}"
        plan: "{{ plan }}"
        measurements: "{{ measurements }}"
      run_once: true
      register: retest
    - gpulab.core.pair_judge:
        plan: "{{ plan }}"
        measurements: "{{ measurements }}"
        limits: "{{ limits | default({}) }}"
      run_once: true
      register: judged
    - ansible.builtin.debug:
        msg: "retest {{ clients | join('+') }}"
      vars:
        clients: "{{ retest.rounds | map('dict2items') | flatten | map(attribute='key') }}"
      run_once: true
    - gpulab.core.record:
        pairs: "{{ judged.nodes[inventory_hostname] }}"
"""


class Lab:
    """Three nodes of a fabric with 10 Gb/s declared, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        """Declare it."""
        self.root = root
        hosts = {
            name: {
                "node_interfaces": {
                    "ens1f0": {"zone": "fabric", "address": f"198.51.100.{number}"}
                },
                "node_hardware_spec": "fast",
            }
            for number, name in enumerate(NODES, 1)
        }
        lab = {
            "ansible_connection": "local",
            "lab_zones": {"fabric": {"cidr": "198.51.100.0/24", "speed_mbps": 10000}},
            "lab_hardware_specs": {"fast": {"network": {"round_trip_ms_max": 1.0}}},
        }
        inventory = {"all": {"vars": lab, "children": {"compute": {"hosts": hosts}}}}
        (root / "inventory.json").write_text(json.dumps(inventory))
        (root / "pairs.yml").write_text(PLAYBOOK)

    def run(self, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", "inventory.json", "pairs.yml"),
                *("--extra-vars", json.dumps(variables), *options),
            ],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "LANG": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "python_modules"),
                "GPULAB_REPORTS_DIR": str(self.root / "reports"),
                "GPULAB_RUN_ID": "pairs",
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )

    def record(self, name: str) -> records.Record:
        (file,) = self.root.glob(f"reports/*/pairs/{name}.json")
        return records.load(file)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def slow(sender: str, _: str) -> float:
    return 1.0 if sender == "b" else 9.4


def test_a_slow_node_is_in_its_record_and_in_no_others(lab: Lab) -> None:
    done = lab.run(measurements=everybody("abc", rate=slow))
    assert done.returncode == 0, done.stdout
    assert "Node pairs: 3 pairs of 3 nodes in zone fabric, 3 rounds, about 39 s." in done.stdout
    assert "retest a+b" in done.stdout
    assert {name: lab.record(name)["stages"] for name in NODES} == {
        "a": {"pairs": "pass"},
        "b": {"pairs": "fail"},
        "c": {"pairs": "pass"},
    }
    metrics = {(m["id"], m["scope"]): m["value"] for m in lab.record("b")["metrics"]}
    assert metrics["pair.bandwidth", "peer:a"] == 1.0
    assert metrics["network.bandwidth", "node"] == 1.0


def test_check_mode_plans_and_writes_nothing(lab: Lab) -> None:
    done = lab.run("--check", measurements=everybody("abc"))
    assert done.returncode == 0, done.stdout
    assert not (lab.root / "reports").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"zone": "fabrik"}, "there is no zone 'fabrik'"),
        ({"rounds": -1}, "must be 0 (all) or more, not -1"),
        ({"limits": {"share_min": 1.5}}, "pairs_limits.share_min must be above 0 and at most 1"),
        ({"limits": {"loss_percent_max": -1}}, "pairs_limits.loss_percent_max must be from 0"),
        ({"limits": {"share": 0.5}}, "share"),
    ],
)
def test_bad_options_are_refused_by_name(lab: Lab, options: dict[str, Any], told: str) -> None:
    done = lab.run(measurements=everybody("abc"), **options)
    assert done.returncode == 2, done.stdout
    assert told in " ".join(done.stdout.split())
    assert not (lab.root / "reports").exists()
