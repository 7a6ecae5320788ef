"""Say why an upgrade of a driver stopped at a node, what became of the others, and how to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def upgrade_failure(
    result: Mapping[str, Any],
    *,
    node: str,
    before: str,
    jobs: Mapping[str, Any],
    drain_timeout_s: int,
    drained: bool,
    done: Sequence[str],
    left: Sequence[str],
    give_back: Sequence[str],
) -> str:
    """Return what ``playbooks/gpu_upgrade.yml`` says when it stops.

    Args:
        result: ``ansible_failed_result``.
        node: where it stopped.
        before: the version of the driver that the node had, "" for none.
        jobs: the result of the task that waits for the node's jobs, whose ``busy`` says node →
            jobs; empty where it was not reached.
        drain_timeout_s: how long that waits.
        drained: whether the node is out of the scheduler's hands by this playbook.
        done: the nodes that are upgraded.
        left: the nodes that would have followed.
        give_back: the command that gives the node back to the scheduler; empty where there is none.
    """
    stays = "It stays drained. " if drained else ""
    instead = f" (or give it back as it is: `{' '.join(give_back)}`)" if give_back else ""
    reason = _reason(result, _running(jobs, node), drain_timeout_s)
    return (
        f"{node} had {before or 'no driver'}: {reason}. {stays}"
        f"Upgraded: {', '.join(done) or 'none'}; left as they were: {', '.join(left) or 'none'}. "
        "When it is mended, go on with `ansible-playbook playbooks/gpu_upgrade.yml --limit "
        f"{','.join([node, *left])}`{instead}."
    )


def _running(jobs: Mapping[str, Any], node: str) -> str:
    """Return the jobs whose end was waited for in vain."""
    return str((jobs.get("busy") or {}).get(node, "")) if jobs.get("failed") else ""


def _reason(result: Mapping[str, Any], running: str, drain_timeout_s: int) -> str:
    if running:
        return (
            f"after {drain_timeout_s} s jobs still run on it ({running}): wait for them, or end "
            "them by scancel"
        )
    said = (str(result.get(key) or "").strip() for key in ("msg", "stderr"))
    return " ".join(part for part in said if part).removesuffix(".")
