"""What is found of a run itself: that nothing judged a node, and not what anything judged."""

from __future__ import annotations

from ..checks.finding import Check

_SWEEP = "playbooks/sweep.yml"
_NOT_SEEN = "what was not looked at is no pass"
_VERIFY = "verify it again: ansible-playbook site.yml --limit NODE --tags verify"

SPEC_DECLARED = Check(
    id="spec.declared",
    title="A hardware spec",
    source="inventory: node_hardware_spec",
    threshold="a node without one warns",
    threshold_source="without a spec only the clock and whether the hardware can be read are "
    "checked",
    severity="warn",
    action="set node_hardware_spec in the inventory",
)
SWEEP_ANSWER = Check(
    id="sweep.answer",
    title="The sweep's answer",
    source=_SWEEP,
    threshold="a node that took the connection and gave no whole answer in its time is unknown",
    threshold_source=_NOT_SEEN,
    severity="fail",
    action="a disk, a GPU or a driver may hang: playbooks/verify.yml reads part by part",
)
SWEEP_SPEC = Check(
    id="sweep.spec",
    title="The sweep's spec of the node",
    source=_SWEEP,
    threshold="a node whose spec cannot be used is unknown",
    threshold_source=_NOT_SEEN,
    severity="fail",
    action="correct the inventory",
)
SWEEP_ROOT = Check(
    id="sweep.root",
    title="The sweep's rights",
    source=_SWEEP,
    threshold="a node on which `sudo -n` was refused is unknown where become is wished",
    threshold_source="what only root may read, such as serial numbers, was not read",
    severity="warn",
    action="allow sudo without a password, or verify with --ask-become-pass",
)
UNREACHABLE = Check(
    id="run.unreachable",
    title="Reached by Ansible",
    source="failures.json",
    threshold="a node that a task could not reach fails",
    threshold_source="a node that nobody reaches serves nobody",
    severity="fail",
    action=_VERIFY,
)
FAILED = Check(
    id="run.failed",
    title="Tasks of the run",
    source="failures.json",
    threshold="a node on which a task failed fails",
    threshold_source="a node that is not built as declared",
    severity="fail",
    action=_VERIFY,
)
RECORD = Check(
    id="run.record",
    title="The node's record",
    source="the node's file in reports/",
    threshold="a record that cannot be read or believed is unknown",
    threshold_source=_NOT_SEEN,
    severity="fail",
    action=f"remove that file and {_VERIFY}",
)
MISSING = Check(
    id="run.missing",
    title="Stages that are due",
    source="the node's file in reports/",
    threshold="a node that a due stage (verify; of compute nodes also benchmark) did not reach is "
    "unknown",
    threshold_source=_NOT_SEEN,
    severity="fail",
    action=_VERIFY,
)
RUN_CHECKS = (
    *(SPEC_DECLARED, SWEEP_ANSWER, SWEEP_SPEC, SWEEP_ROOT),
    *(UNREACHABLE, FAILED, RECORD, MISSING),
)
