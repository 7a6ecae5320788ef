"""A node whose packets are late is found, by a delay that only a kernel of its own can make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playbook_run import Play
from testinfra.host import Host

NODES = ("node01", "node02", "vm01")
FABRIC = "eth1"
DELAY_MS = 150


def test_delay_is_laid_to_the_machine_that_has_it(
    play: Play,
    machine: Callable[[str], Host],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPULAB_REPORTS_DIR", str(tmp_path))

    def measure(run_id: str) -> dict[str, dict[str, Any]]:
        monkeypatch.setenv("GPULAB_RUN_ID", run_id)
        done = play("playbooks/pairs.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        (folder,) = tmp_path.glob(f"*/{run_id}")
        records = {name: json.loads((folder / f"{name}.json").read_text()) for name in NODES}
        return {
            name: {check["id"]: check for check in record["checks"]}
            for name, record in records.items()
        }

    vm = machine("vm01")
    vm.check_output(f"tc qdisc add dev {FABRIC} root netem delay {DELAY_MS}ms")
    try:
        late = measure("late")
    finally:
        vm.check_output(f"tc qdisc del dev {FABRIC} root")
    found = late["vm01"]["pair.round_trip"]
    assert found["status"] == "fail"
    assert found["observed"] >= DELAY_MS
    assert (found["part"]["kind"], found["part"]["name"]) == ("nic", FABRIC)
    assert "answers late with every peer" in found["evidence"]
    for node in ("node01", "node02"):
        assert late[node]["pair.round_trip"]["status"] == "pass", late[node]
    # Without the delay it is well again.
    assert measure("well")["vm01"]["pair.round_trip"]["status"] == "pass"
