"""What a run says when mitogen is asked for and is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ansible

PROJECT = Path(__file__).resolve().parents[3]
PLAY = "- {hosts: localhost, gather_facts: false, tasks: [{debug: {msg: it ran}}]}\n"


def test_it_is_one_sentence_with_the_command_that_helps(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    # Found before the one that the tests have.
    (tmp_path / "ansible_mitogen").mkdir()
    absent = "raise ModuleNotFoundError(\"No module named 'ansible_mitogen'\")\n"
    (tmp_path / "ansible_mitogen" / "__init__.py").write_text(absent)

    done = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "playbook"),
            *("-i", "localhost,", str(tmp_path / "play.yml")),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_STRATEGY": "gpulab.core.mitogen",
            "PYTHONPATH": str(tmp_path),
        },
        timeout=120,
    )

    assert done.returncode != 0
    assert "it ran" not in done.stdout
    assert "`GPULAB_MITOGEN=1 make setup`" in done.stderr
    assert "No module named 'ansible_mitogen'" in done.stderr
    assert "Unexpected Exception" not in done.stderr
    assert "Traceback" not in done.stderr
