"""The kernels in the packages that the role's look lists, by Ansible's own evaluation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).parents[3]
ROLE = PROJECT / "roles/nvidia_driver"
LOOKS = {
    "RedHat": [
        "free kernel-core-5.14.0-503.11.1.el9_5.x86_64",
        "free kernel-64k-core-5.14.0-503.11.1.el9_5.aarch64",
        "free kernel-modules-core-5.14.0-503.11.1.el9_5.x86_64",
        "free kernel-64k-modules-core-5.14.0-503.11.1.el9_5.aarch64",
        "free kernel-devel-5.14.0-503.11.1.el9_5.x86_64",
        "free kernel-64k-devel-5.14.0-503.11.1.el9_5.aarch64",
    ],
    "Debian": [
        "free linux-image-6.12.74+deb13+1-amd64",
        "free linux-image-unsigned-6.17.0-22-generic",
        "free linux-image-generic-hwe-24.04",
        "held linux-image-cloud-amd64",
    ],
}
KERNELS = {
    "RedHat": ["5.14.0-503.11.1.el9_5.aarch64+64k", "5.14.0-503.11.1.el9_5.x86_64"],
    "Debian": ["6.12.74+deb13+1-amd64", "6.17.0-22-generic"],
}


@pytest.mark.parametrize("family", LOOKS)
def test_the_kernels_are_read_from_the_packages(tmp_path: Path, family: str) -> None:
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": [str(ROLE / "vars/main.yml"), str(ROLE / f"vars/{family}.yml")],
            "vars": {"__nvidia_driver_look": {"stdout_lines": LOOKS[family]}},
            "tasks": [{"ansible.builtin.debug": {"msg": "KERNELS {{ __nvidia_driver_kernels }}"}}],
        }
    ]
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps(play))
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory=localhost,",
            "--connection=local",
            str(playbook),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        },
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"KERNELS {KERNELS[family]}" in run.stdout.replace('\\"', "'")
