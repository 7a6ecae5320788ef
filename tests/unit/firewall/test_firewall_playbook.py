"""playbooks/firewall_show.yml and the actions of the compiler, run by the real Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from firewall_samples import LAB, flow, lab

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.compile import compile_rulesets

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = Path(sys.executable).parent


def show(*words: str) -> subprocess.CompletedProcess[str]:
    extra = [part for word in words for part in ("-e", word)]
    return subprocess.run(
        [
            str(ANSIBLE / "ansible-playbook"),
            "-i",
            "inventory/example",
            "playbooks/firewall_show.yml",
            *extra,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "200"},
        check=False,
    )


def compile_alone(options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(ANSIBLE / "ansible"),
            "localhost",
            *("-m", "gpulab.core.firewall_compile"),
            *("-a", json.dumps(options)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        check=False,
    )


def test_the_action_compiles() -> None:
    done = compile_alone({"policy": LAB, "machines": ["node01"]})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.partition("=>")[2])
    assert found["changed"] is False
    assert found["rulesets"] == compile_rulesets(lab(), ["node01"])


def test_the_action_fails_with_what_is_wrong() -> None:
    done = compile_alone({"policy": {**LAB, "flows": [flow("a", "all", "all", rate="fast")]}})
    assert done.returncode == 2
    assert "flow a: rate 'fast' is no count" in done.stdout + done.stderr


def test_without_a_question_the_matrix_of_the_example_is_printed() -> None:
    done = show()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "management: compute (gpu01-gpu04)" in done.stdout
    assert "tcp 8883 (publish-measurements)" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("from=pi01", "to=head01:8883"),
            "yes: pi01 may reach head01 on tcp 8883, by flow publish-measurements (lab_flows)",
        ),
        (
            ("from=gpu01", "to=head01:123", "protocol=udp"),
            "may reach head01 on udp 123, by flow time.serve (roles/time/meta/flows.yml)",
        ),
        (
            ("from=pi01", "to=gpu01:22"),
            "no: pi01 may not reach gpu01 on tcp 22: no flow allows it",
        ),
        (
            ("from=[2001:db8:0:5::99]", "to=[2001:db8:0:1::b]:8883"),
            "may not reach 2001:db8:0:1::b on tcp 8883",
        ),
        (("ruleset_of=gpu01",), "table inet gpulab {"),
    ],
)
def test_questions_are_answered(words: tuple[str, ...], told: str) -> None:
    done = show(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("from=gpu1", "to=head01:22"), "did you mean 'gpu01'?"),
        (("ruleset_of=hed01",), "did you mean 'head01'?"),
        (("from=gpu01",), "parameters are required together: from, to"),
        (("from=gpu01", "to=head01:22", "protocol=sctp"), "value of protocol must be one of"),
        (("from=gpu01", "to=head01"), "tcp needs a port"),
    ],
)
def test_wrong_questions_fail_and_say_what_is_right(words: tuple[str, ...], told: str) -> None:
    done = show(*words)
    assert done.returncode == 2
    assert told in done.stdout + done.stderr
