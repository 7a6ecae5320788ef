"""The supervisor: starts workers, watches them, gathers what they leave. It imports no PyTorch.

A worker that dies is started again at the stage in which it died, `RESTARTS` times at most per
stage; then that stage is given up and the next ones go on. A stage that raised an error would raise
it again, so it is not tried twice, but the stages after it get a fresh process: a GPU's context
does not survive most errors.
"""

from __future__ import annotations

import time
from itertools import groupby
from pathlib import Path
from typing import Any, Callable

from gpulab_bench import launch, reliability, worker
from gpulab_bench.children import Child
from gpulab_bench.profiles import CORE, GROUP, NEEDS, WORKERS, Profile
from gpulab_bench.stop import Stop

# How often a stage is tried again after its worker died.
RESTARTS = 1

# What a worker gets between SIGTERM and SIGKILL. The caller gives this program five seconds.
GRACE_S = 3.0

_POLL_S = 0.05

ONE_GPU = "the node has one GPU: nothing to exchange"


class Supervisor:
    """One run's launches.

    Attributes:
        results: what each stage left, by name; also of stages that no worker came to.
        launches: how each launch went.
        restarts: how many started a worker again after a failure.
    """

    def __init__(
        self,
        profile: Profile,
        folder: Path,
        stop: Stop,
        progress: Callable[[str], None],
        command: list[str] | None = None,
    ) -> None:
        """Plan the run.

        Args:
            profile: what runs.
            folder: of the run; the order lies there already.
            stop: with a reason, every child is ended and the rest is left out.
            progress: takes a line for a person to read.
            command: starts a worker; by default this program.
        """
        self.results: dict[str, dict[str, Any]] = {}
        self.launches: list[reliability.Launch] = []
        self.restarts = 0
        self._plans = {plan.name: plan for plan in profile.stages}
        self._folder = folder
        self._stop = stop
        self._progress = progress
        self._command = command or launch.self_command()

    def run(self) -> None:
        """Run all stages, or as many as there is time for."""
        for kind, names in groupby(self._plans, key=lambda name: WORKERS[name]):
            self._run_all(kind, list(names))

    def core_error(self) -> dict[str, str] | None:
        """Why the run has no training, or None: the error of the first core stage that has one."""
        errors = (self.results.get(name, {}).get("error") for name in CORE)
        return next((error for error in errors if error), None)

    def unfinished(self) -> bool:
        """Whether a stage was cut short or not come to, because the run was told to end."""
        return any(
            self.results.get(name, {}).get("status") in (None, worker.STOPPED)
            for name in self._plans
        )

    def _run_all(self, kind: str, names: list[str]) -> None:
        """Run the stages of one kind of worker, in as many launches as it takes."""
        tries = dict.fromkeys(names, 0)
        restarting = False
        while self._stop.reason() is None:
            waiting = [name for name in names if name not in self.results]
            for name in waiting:
                self._leave_out(kind, name)
            waiting = [name for name in names if name not in self.results]
            if not waiting:
                return
            self.restarts += restarting
            stage = self._launch(kind, waiting)
            restarting = True
            if stage is None:
                continue
            tries[stage] += 1
            if self.launches[-1]["ended"] == reliability.HUNG or tries[stage] > RESTARTS:
                self.results[stage] = given_up(self.launches[-1])

    def _leave_out(self, kind: str, name: str) -> None:
        """Give a stage that cannot run its result, which says why."""
        lost = [
            need
            for need in (NEEDS.get(name), "probe")
            if need in self._plans
            and need != name
            and self.results.get(need, {}).get("status") not in (worker.DONE, None)
        ]
        if lost and WORKERS[name] != "plain":
            self.results[name] = skipped(f"stage {lost[0]} did not come to its end")
        elif kind == GROUP and self._group_size() < 2:
            self.results[name] = skipped(ONE_GPU)

    def _group_size(self) -> int:
        probe = self.results.get("probe", {}).get("data") or {}
        return launch.group_size(probe)

    def _launch(self, kind: str, names: list[str]) -> str | None:
        """Start a worker and watch it to its end.

        Returns:
            The stage in which it died or hung; None where every stage that it began has a result.
        """
        argv = launch.worker_command(
            self._command, kind, names, self._folder, self._processes(kind)
        )
        try:
            child = Child(argv, launch.worker_environment(kind), self._progress)
        except OSError as error:  # no memory for another process, for one
            self.launches.append(
                reliability.launch(
                    kind,
                    names,
                    reliability.CRASHED,
                    stage=names[0],
                    returncode=None,
                    seconds=0.0,
                    tail=f"{argv[0]} did not start: {error}",
                )
            )
            return names[0]
        self._progress(f"worker {kind} {child.pid} started: {', '.join(names)}")
        hung = self._watch(child, names)
        told = self._stop.reason() is not None
        returncode = child.end(GRACE_S if told else 0)
        self._collect(names)
        waiting = [name for name in names if name not in self.results]
        failed = any(
            self.results[name]["status"] == worker.ERROR for name in names if name in self.results
        )
        stage = waiting[0] if waiting else None
        if told:
            ended = reliability.STOPPED
        elif hung:
            ended = reliability.HUNG
        elif failed:
            ended, stage = reliability.FAILED, None
        else:
            ended = reliability.CRASHED if stage or returncode != 0 else reliability.DONE
        self.launches.append(
            reliability.launch(
                kind,
                names,
                ended,
                stage=stage if ended != reliability.STOPPED else None,
                returncode=returncode,
                seconds=time.monotonic() - child.started,
                tail=child.tail(),
            )
        )
        if ended in (reliability.CRASHED, reliability.HUNG):
            self._progress(f"worker {kind} {ended} in stage {stage or 'none'}, status {returncode}")
        return stage if ended in (reliability.CRASHED, reliability.HUNG) else None

    def _processes(self, kind: str) -> int:
        return self._group_size() if kind == GROUP else 1

    def _watch(self, child: Child, names: list[str]) -> bool:
        """Wait until a worker ends, the run is told to, or a stage takes too long.

        Returns:
            Whether a stage took too long.
        """
        began = child.started
        current = None
        while child.poll() is None and self._stop.reason() is None:
            self._collect(names)
            waiting = [name for name in names if name not in self.results]
            if waiting and waiting[0] != current:
                current, began = waiting[0], time.monotonic()
            if current in waiting and time.monotonic() - began > self._plans[current].limit_s:
                return True
            time.sleep(_POLL_S)
        return False

    def _collect(self, names: list[str]) -> None:
        for name in names:
            if name not in self.results:
                found = worker.read_result(self._folder, name)
                if found is not None:
                    self.results[name] = found


def skipped(reason: str) -> dict[str, Any]:
    """The result of a stage that does not apply."""
    return _without_data(worker.SKIPPED, None, reason)


def given_up(last: reliability.Launch) -> dict[str, Any]:
    """The result of a stage whose worker died, or hung.

    Args:
        last: its last launch.
    """
    if last["ended"] == reliability.HUNG:
        kind, how = (
            "hung",
            f"took longer than its limit and was ended after {last['seconds']:.0f} s",
        )
    else:
        kind, status = "crash", last["exit_status"]
        how = "no exit status" if status is None else f"exit status {status}"
        if last["signal"]:
            how = f"killed by {last['signal']}"
    lines = [line.strip() for line in last["tail"].splitlines() if line.strip()]
    message = f"{how}: {lines[-1][:300] if lines else 'it said nothing'}"
    return _without_data(worker.ERROR, {"kind": kind, "message": message}, "")


def _without_data(status: str, error: dict[str, str] | None, reason: str) -> dict[str, Any]:
    return {
        "status": status,
        "data": None,
        "error": error,
        "reason": reason,
        "seconds": 0.0,
        "started": None,
        "ended": None,
        "windows": {},
    }
