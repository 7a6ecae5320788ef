"""What is said when an upgrade of a driver stops at a node."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.upgrade_failure import (
    upgrade_failure,
)

JOBS = {"failed": True, "busy": {"node02": "77 of ada, 78 of bob"}}


def stop(result: dict[str, Any], **changed: Any) -> str:
    options: dict[str, Any] = {
        "node": "node02",
        "before": "580.95.05",
        "jobs": {},
        "drain_timeout_s": 60,
        "drained": False,
        "done": ["node01"],
        "left": ["node03", "node04"],
        "give_back": [],
    }
    return upgrade_failure(result, **{**options, **changed})


def test_who_had_what_and_how_to_go_on() -> None:
    assert stop({"msg": "Nothing was changed: no branch."}) == (
        "node02 had 580.95.05: Nothing was changed: no branch. Upgraded: node01; left as they "
        "were: node03, node04. When it is mended, go on with `ansible-playbook "
        "playbooks/gpu_upgrade.yml --limit node02,node03,node04`."
    )


@pytest.mark.parametrize(
    ("result", "jobs", "reason"),
    [
        ({"msg": "non-zero return code", "stderr": "bad\n"}, {}, "non-zero return code bad."),
        (
            {"msg": ""},
            JOBS,
            "after 60 s jobs still run on it (77 of ada, 78 of bob): wait for them, or end",
        ),
        # They have ended; what failed came later.
        ({"msg": "no"}, {"failed": False, "busy": {}}, "no."),
        # The question failed, and not the waiting.
        ({"msg": "squeue: error"}, {"failed": True, "msg": "squeue: error"}, "squeue: error."),
    ],
)
def test_the_reason(result: dict[str, Any], jobs: dict[str, Any], reason: str) -> None:
    assert stop(result, jobs=jobs).startswith(f"node02 had 580.95.05: {reason}")


def test_a_drained_node_can_be_given_back() -> None:
    command = ["scontrol", "update", "nodename=node02", "state=resume"]
    said = stop({"msg": "no"}, drained=True, give_back=command, before="", done=[], left=[])
    assert said == (
        "node02 had no driver: no. It stays drained. Upgraded: none; left as they were: none. When "
        "it is mended, go on with `ansible-playbook playbooks/gpu_upgrade.yml --limit node02` (or "
        "give it back as it is: `scontrol update nodename=node02 state=resume`)."
    )
