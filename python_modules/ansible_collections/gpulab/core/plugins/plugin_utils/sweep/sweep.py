"""What a sweep found: a record of each node that was connected to, and why there is none of others.

A sweep is a run like any other, with the stage ``verify`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..records import failures, paths, records, runs
from . import judge
from .answer import Answer

PLAYBOOK = "playbooks/sweep.yml"
STAGES = (records.VERIFY,)

Target = Mapping[str, Any]
# Asks the nodes and gives each one's number and answer.
Ask = Callable[[Sequence[Target]], Iterable[tuple[int, Answer]]]


class Swept(NamedTuple):
    """What a sweep found, and how many nodes ``answered``."""

    run: runs.Run
    answered: int


def sweep(run_id: str, targets: Sequence[Target], ask: Ask, inventories: Sequence[str]) -> Swept:
    """Ask the nodes and judge what they answer.

    Args:
        run_id: The run's id.
        targets: As `inventory.read` returns them.
        ask: How to ask those that can be asked.
        inventories: Those of the command line, for the command that sweeps a node again.
    """
    found: dict[str, records.Record] = {}
    lost = [
        _failure(target, target["problem"], inventories, unreachable=False)
        for target in targets
        if target["problem"]
    ]
    askable = [target for target in targets if not target["problem"]]
    for number, answer in ask(askable):
        target = askable[number]
        if answer.unreachable:
            lost.append(_failure(target, answer.reason, inventories, unreachable=True))
        else:
            found[target["host"]["name"]] = judge.record(run_id, target, answer)
    answered = sum(record["hardware"] is not None for record in found.values())
    return Swept(runs.Run(run_id, found, {}, lost, []), answered)


def new_folder(lab: str, run_id: str) -> Path:
    """Return the folder of a lab's run that begins.

    Raises:
        FolderError: The id can't be a folder's, or the run has begun before.
    """
    folder = paths.run_folder(lab, run_id)
    if folder.exists():
        raise paths.FolderError(f"{folder} exists: a sweep is a run of its own")
    return folder


def keep(run: runs.Run, folder: Path) -> None:
    """Write a run into its folder.

    Raises:
        RecordError: A record can't be written.
    """
    folder.mkdir(parents=True)
    for record in run.records.values():
        records.save(record, folder)
    if run.failures:
        content = {"schema": 1, "run_id": run.run_id, "failures": run.failures}
        paths.write_json(folder / runs.FAILURES, content)


def _failure(
    target: Target, reason: str, inventories: Sequence[str], *, unreachable: bool
) -> dict[str, Any]:
    name = target["host"]["name"]
    return failures.failure(
        host=name,
        stage=records.VERIFY,
        playbook=PLAYBOOK,
        play="",
        task="sweep",
        message=reason,
        unreachable=unreachable,
        every_host=False,
        rerun=failures.rerun_command(PLAYBOOK, name, inventories, ()),
        time=records.now(),
    )
