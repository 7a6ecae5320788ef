"""A port is open while a role wants it, and no longer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from firewall_packets.matrix import Machines, ask
from playbook_run import PROJECT, Converge

FLOWS = """\
---
- name: visit
  from: node02
  to: node01@storage
  protocol: tcp
  ports: ["{{ visitors_port | default(7777) }}"]
"""


def test_a_role_that_goes_takes_its_port_along(
    machines: Machines, converge: Converge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = machines.address("node01", "storage")

    def verdict() -> str:
        return ask(machines, "node02", "node01", target, "tcp", 7777).verdict

    assert verdict() == "silent"
    role = tmp_path / "visitors"
    (role / "meta").mkdir(parents=True)
    (role / "meta" / "flows.yml").write_text(FLOWS)
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", f"{PROJECT / 'roles'}:{tmp_path}")
    try:
        run = converge()
        assert run.returncode == 0, run.stdout
        assert verdict() == "open"
    finally:
        shutil.rmtree(role)
        run = converge()
    assert run.returncode == 0, run.stdout
    assert verdict() == "silent"
