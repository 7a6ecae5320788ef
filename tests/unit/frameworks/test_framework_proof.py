"""The proof of an environment: its versions, and how a script that goes wrong is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.framework.proof import (
    ProofError,
    compute,
    version_problems,
)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with one package, and this Python."""
    package = tmp_path / "lib/python3.11/site-packages/jupyter_client-8.10.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Name: jupyter_client\nVersion: 8.10.0\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    return tmp_path


def test_the_lock_and_the_environment_may_spell_a_name_differently(environment: Path) -> None:
    assert version_problems(environment, {"jupyter-client": "8.10.0"}) == []


@pytest.mark.parametrize(
    ("pins", "problem"),
    [
        ({"jupyter-client": "9"}, "jupyter-client is 8.10.0, the lock says 9"),
        ({"torch": "2.13.0"}, "torch is missing, the lock says 2.13.0"),
    ],
)
def test_another_version_and_a_missing_one_are_problems(
    environment: Path, pins: dict[str, str], problem: str
) -> None:
    assert version_problems(environment, pins) == [problem]


def test_the_script_gets_the_wish_and_its_answer_comes_back(environment: Path) -> None:
    script = (
        "import json, sys\nprint('a banner')\n"
        "print(json.dumps({'problems': [], 'requested': json.loads(sys.argv[1])}))"
    )
    said = compute(environment, script, "cpu", ["cpu"], 30)
    assert said["requested"] == {"build": "cpu", "devices": ["cpu"]}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise SystemExit('no such library')", "ended with exit status 1: no such library"),
        ("import sys; print('{}'); sys.exit(3)", "ended with exit status 3"),
        ("import os; os.abort()", "was ended by signal 6"),
        ("import time; time.sleep(60)", "did not multiply matrices within 1 s"),
    ],
)
def test_a_script_that_does_not_answer_is_no_proof(
    environment: Path, script: str, message: str
) -> None:
    with pytest.raises(ProofError, match=message):
        compute(environment, script, "cpu", ["cpu"], 1 if "sleep" in script else 30)


def test_an_environment_without_a_python_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match="does not start: No such file"):
        compute(tmp_path, "", "cpu", ["cpu"], 30)
