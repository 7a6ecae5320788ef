"""The strategy gpulab.core.mitogen refuses what it can't run, before the first task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]


def test_an_interpreter_in_a_path_with_a_space_is_refused(tmp_path: Path) -> None:
    environment = tmp_path / "two words"
    environment.symlink_to(sys.prefix)
    play = tmp_path / "play.yml"
    play.write_text("- hosts: localhost\n  gather_facts: false\n  tasks: [{ping: }]\n")
    done = subprocess.run(
        [environment / "bin/python", "-m", "ansible", "playbook", "-i", "localhost,", play],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "python_modules"),
            "ANSIBLE_STRATEGY": "gpulab.core.mitogen",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the path has a space. Run without GPULAB_MITOGEN" in done.stderr + done.stdout
    assert "TASK" not in done.stdout
