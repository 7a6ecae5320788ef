"""Sweep the fleet: ask every machine of the inventory at once, judge it, and report.

``python -m ansible_collections.gpulab.core.plugins.plugin_utils.sweep [-i INVENTORY] [--limit
PATTERN]`` leaves a run folder like any other run, with the stage ``verify`` alone.

Exit status: 0 the lab passed or only warned; 1 it failed or its state is unknown; 2 wrong usage;
130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..records import failures, paths, records, runs
from ..report import report
from . import judge, nodes

# A connection, and again an answer. A machine that is well answers in less than a second.
TIMEOUT_S = 5.0
# Enough that dead machines do not keep the others waiting, and few enough that two cores which do
# the cryptography do not make a machine look slow.
PARALLEL = 16
# Ansible's own inventory plugins may ask the network.
_INVENTORY_S = 120
# As a shell tells it: 128 and the signal's number.
_INTERRUPTED = 130


class InventoryError(ValueError):
    """The inventory can't be read; the text is Ansible's own."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        folder = paths.run_folder(
            os.environ.get(paths.RUN_ID_VARIABLE)
            or f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}"
        )
        if folder.exists():
            raise paths.FolderError(f"{folder} exists: a sweep is a run of its own")
        targets = read_inventory(options)
        counts = sweep(targets, folder, options)
        expected = [target["host"] for target in targets]
        lab = next((target["lab"] for target in targets if target.get("lab")), "")
        made = report.write(folder, expected, lab, stages=(records.VERIFY,))
        paths.point_latest(folder)
    except (InventoryError, paths.FolderError, records.RecordError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED, "interrupted: there is no report\n")
    report.show(made.lines)
    seconds = time.monotonic() - started
    print(  # noqa: T201  this is the command's output
        f"Sweep: {counts['answered']} of {len(targets)} machines answered, {seconds:.1f} s. "
        "Hardware only: no benchmark was run."
    )
    return 0 if made.summary["verdict"] in report.GOOD else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ansible_collections.gpulab.core.plugins.plugin_utils.sweep",
        description="Read and judge the hardware of a whole fleet at once. Changes nothing, and "
        "needs no Python on the machines.",
        epilog="exit status: 0 pass or warn, 1 fail or unknown, 2 usage",
    )
    parser.add_argument(
        "-i",
        "--inventory",
        action="append",
        default=[],
        help="as ansible-playbook's; by default the one in ansible.cfg",
    )
    parser.add_argument("-l", "--limit", default="", help="as ansible-playbook's")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_S,
        help="seconds for a connection, and again for the answer (%(default)g)",
    )
    parser.add_argument(
        "--parallel", type=_count, default=PARALLEL, help="machines asked at once (%(default)d)"
    )
    vault = parser.add_argument_group("vaults, as ansible-playbook's")
    vault.add_argument("--vault-id", action="append", default=[])
    vault.add_argument("--vault-password-file", action="append", default=[])
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError(f"must be between 0 and 600 seconds, not {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"must be between 1 and 1000, not {text}")
    return value


def read_inventory(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the machines, as `targets.describe` has them.

    Raises:
        InventoryError: Ansible can't read it, or the limit leaves no machine.
    """
    words = [
        sys.executable,
        "-m",
        "ansible_collections.gpulab.core.plugins.plugin_utils.sweep.inventory",
    ]
    for inventory in options.inventory:
        words += ["-i", inventory]
    for vault in options.vault_id:
        words += ["--vault-id", vault]
    for file in options.vault_password_file:
        words += ["--vault-password-file", file]
    if options.limit:
        words += ["--limit", options.limit]
    ours = str(Path(__file__).resolve().parents[6])
    path = os.pathsep.join([ours, *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        # Its warnings go where ours go.
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            timeout=_INVENTORY_S,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired as error:
        msg = f"the inventory was not read within {_INVENTORY_S} s"
        raise InventoryError(msg) from error
    if done.returncode:
        raise InventoryError("the inventory can't be read: Ansible says above why")
    machines: list[dict[str, Any]] = json.loads(done.stdout)
    return machines


def sweep(
    targets: Sequence[dict[str, Any]], folder: Path, options: argparse.Namespace
) -> dict[str, int]:
    """Ask the machines and put what they answer into the run's folder; returns how many did.

    Raises:
        RecordError: A record can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    askable = [target for target in targets if not target["problem"]]
    lost = [
        _failure(target, target["problem"], options, unreachable=False)
        for target in targets
        if target["problem"]
    ]
    answered = 0
    for number, answer in nodes.ask(askable, options.timeout, options.parallel):
        target = askable[number]
        if answer.unreachable:
            lost.append(_failure(target, answer.reason, options, unreachable=True))
            continue
        answered += answer.hardware is not None
        records.save(judge.record(folder.name, target, answer), folder)
    if lost:
        content = {"schema": 1, "run_id": folder.name, "failures": lost}
        paths.write_json(folder / runs.FAILURES, content)
    return {"answered": answered}


def _failure(
    target: dict[str, Any], reason: str, options: argparse.Namespace, *, unreachable: bool
) -> dict[str, Any]:
    name = target["host"]["name"]
    return failures.failure(
        host=name,
        stage=records.VERIFY,
        playbook="",
        play="",
        task="sweep",
        message=reason,
        unreachable=unreachable,
        every_host=False,
        rerun=judge.rerun(name, options.inventory),
        time=records.now(),
    )
