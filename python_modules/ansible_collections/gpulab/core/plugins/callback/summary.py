# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The callback ``gpulab.core.summary``: names the run, and says at its end what to do next."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: summary
type: aggregate
short_description: Name the run, keep its failures, and say at the end what to do next
description:
  - Sets the environment variable E(GPULAB_RUN_ID) when a playbook starts (UTC time, unless it is
    set already), so that tasks find their run with C(lookup('ansible.builtin.env',
    'GPULAB_RUN_ID')). A playbook named C(report.yml), run on its own, gets the id of
    the lab's newest run.
  - Keeps each failure of a stage in C(reports/<lab>/<run>/failures.json) as it happens. A stage is
    a play whose file's name is one of its tags. Failures that are rescued or ignored are none.
  - At the end prints, for each failed node, stage, task, message and next action; the lab's verdict
    and where its report is; and the time that each stage took.
  - Writes the report where the run broke off before the report's own stage, but not where
    preflight refused the whole run, as for a wrong declaration.
  - Writes nothing in check mode.
version_added: "0.1.0"
author:
  - The gpulab maintainers
requirements:
  - to be enabled in C(callbacks_enabled) of ansible.cfg
"""

import contextlib
import datetime
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible.vars.hostvars import HostVars

from ..plugin_utils import formatting
from ..plugin_utils.inventory import sources
from ..plugin_utils.labs import folders, lab
from ..plugin_utils.records import failures, paths, runs
from ..plugin_utils.report import report, terminal

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook import Playbook
    from ansible.playbook.play import Play

_REPORT = "report"
_PREFLIGHT = "preflight"
# They judge the lab and leave its report.
_JUDGING = ("gpulab.core.report", "gpulab.core.sweep")
_COLOURS = {
    "pass": constants.COLOR_OK,
    "warn": constants.COLOR_WARN,
    "fail": constants.COLOR_ERROR,
    "unknown": constants.COLOR_UNREACHABLE,
}


class CallbackModule(CallbackBase):
    """Lives in the main process, so what it sets in the environment reaches every worker."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpulab.core.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Start with a run in which nothing has happened."""
        super().__init__()
        self._check_mode = bool(context.CLIARGS.get("check"))
        self._playbook = ""
        self._hostvars: HostVars = None
        self._lab = ""
        self._play: Play = None
        self._stage = ""
        self._seconds: dict[str, float] = {}
        self._since = 0.0
        self._failures: list[dict[str, Any]] = []
        # Failures that the run had before this playbook; they are kept, and not told again.
        self._before = 0
        self._summary: dict[str, Any] = {}
        # The play that judged the lab: it fails the nodes by the verdict.
        self._judged: Play = None

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Name the run, and take up the failures that it already has."""
        name = getattr(playbook, "_file_name", "") or "site.yml"
        self._playbook = str(paths.from_here(Path(name)))
        first = playbook.get_plays()[0]
        variables = first.get_variable_manager()
        self._hostvars = HostVars(variables._inventory, variables, first.get_loader())
        self._lab = lab.of(self._hostvars).folder
        if not os.environ.get(paths.RUN_ID_VARIABLE):
            os.environ[paths.RUN_ID_VARIABLE] = self._new_run_id()
        folder = self._folder()
        if folder.is_dir():
            self._failures = runs.read(folder).failures
            self._before = len(self._failures)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Note the stage, and start its clock."""
        self._stop_clock()
        self._play = play
        self._stage = stage_of(play.get_path(), play.tags)
        self._since = time.monotonic()

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Notice that the report has been written."""
        if result.task.action in _JUDGING and "verdict" in result.result:
            self._judged = self._play
            if not self._check_mode:
                self._summary = report.read_summary(self._folder())

    def v2_runner_on_failed(
        self,
        result: CallbackTaskResult,
        ignore_errors: bool = False,
    ) -> None:
        """Keep a failure that stands."""
        if not ignore_errors:
            self._keep(result, unreachable=False)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Keep a node that could not be reached."""
        self._keep(result, unreachable=True)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print what the reader does next."""
        self._stop_clock()
        if self._check_mode:
            self._tell_failures()
            if self._seconds:
                self._display.display("Check mode: nothing was changed, recorded or judged.")
            return
        self._report_if_missing(sorted(str(name) for name in stats.processed))
        self._tell_failures()
        self._tell_verdict()
        if self._seconds:
            told = ", ".join(f"{s} {formatting.seconds(t)}" for s, t in self._seconds.items())
            self._display.display(f"Time: {told}")

    def _new_run_id(self) -> str:
        alone = Path(self._playbook).stem == _REPORT
        if alone and not self._check_mode:
            # What keeps it from its folders is told by the report's own task.
            with contextlib.suppress(paths.FolderError):
                folders.of(self._hostvars)
        latest = paths.latest_run(paths.reports_dir(self._lab)) if alone else ""
        return latest or f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}"

    def _folder(self) -> Path:
        return paths.run_folder(self._lab, os.environ[paths.RUN_ID_VARIABLE])

    def _stop_clock(self) -> None:
        if self._stage:
            spent = time.monotonic() - self._since
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + spent
        self._stage = ""

    def _keep(self, result: CallbackTaskResult, *, unreachable: bool) -> None:
        host = str(result.host.get_name())
        # Ansible has taken a failed node out of the play by now, and left a rescued one in.
        if host not in self._play._removed_hosts:
            return
        # It fails the nodes by the verdict that it has just printed: nothing new.
        if self._judged is self._play:
            return
        entry = failures.failure(
            host=host,
            stage=self._stage or str(self._play.get_name()),
            playbook=self._playbook,
            play=str(self._play.get_name()),
            task=str(result.task_name),
            message=failures.message_of(result.result),
            unreachable=unreachable,
            every_host=bool(result.task.run_once),
            rerun=failures.rerun_command(
                self._playbook,
                # What stopped all of them is not over when one goes on.
                _limit() if result.task.run_once else host,
                sources.named(),
                _tags(),
            ),
            time=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        )
        self._failures.append(entry)
        if self._stage and self._stage != _REPORT and not self._check_mode and not self._refused():
            run_id = os.environ[paths.RUN_ID_VARIABLE]
            content = {"schema": 1, "run_id": run_id, "failures": self._failures}
            paths.write_json(self._folder() / runs.FAILURES, content)

    def _report_if_missing(self, processed: Sequence[str]) -> None:
        """Write the report of a run that left something but did not reach its report."""
        folder = self._folder()
        if self._summary or not self._seconds or not folder.is_dir() or self._refused():
            return
        names = [name for name in processed if name != "localhost"]
        hosts = [{"name": name} for name in names]
        try:
            folders.of(self._hostvars)
        except paths.FolderError:
            # The task that needed them has failed by it, and says so.
            return
        # One that is no folder has been refused by the report's own task, or will be.
        textfiles = Path(str(self._fact("report_textfile_dir") or "/dev/null"))
        self._summary = report.write(
            folder,
            hosts,
            str(self._fact("lab_name") or ""),
            require_speed=(self._fact("lab_admission") or {}).get("require_speed"),
            textfile_dir=textfiles if textfiles.is_dir() else None,
        ).summary
        paths.point_latest(folder)

    def _fact(self, name: str) -> Any:  # noqa: ANN401  what an inventory can hold
        """Return a variable of the whole lab, or None."""
        first = next(iter(self._hostvars), None)
        return self._hostvars[first].get(name) if first else None

    def _refused(self) -> bool:
        """Return whether preflight has refused the whole run: then nothing was looked at."""
        own = self._failures[self._before :]
        return any(entry["every_host"] and entry["stage"] == _PREFLIGHT for entry in own)

    def _tell_failures(self) -> None:
        for entry in self._failures[self._before :]:
            where = "every host" if entry["every_host"] else entry["host"]
            colour = _COLOURS["unknown" if entry["unreachable"] else "fail"]
            self._display.display(f"{where}  {entry['stage']}: {entry['task']}", color=colour)
            self._display.display(f"    {formatting.one_line(entry['message'])}")
            self._display.display(f"    → {entry['action']}")

    def _tell_verdict(self) -> None:
        if self._summary:
            line = terminal.verdict_line(self._summary)
            self._display.display(line.text, color=_COLOURS[line.status])
            self._display.display(terminal.service_line(self._summary).text)
            page = paths.from_here(self._folder() / report.PAGE)
            self._display.display(f"Report: {page}")
        elif self._refused():
            self._display.display("Preflight refused the run: nothing was changed or judged.")
        elif self._seconds and not self._failures:
            self._display.display(
                "Nothing failed and nothing was verified. Next: "
                "ansible-playbook site.yml --tags verify"
            )


def stage_of(path: str, tags: Sequence[str]) -> str:
    """Return the stage that a play is, or "" if it is none.

    A stage's file has the name of its tag. So starting a sandbox, or a test's own playbook, leaves
    no run behind.

    Args:
        path: ``FILE:LINE`` of the play.
        tags: The play's tags.
    """
    stem = Path(path.rpartition(":")[0]).stem
    return stem if stem in tags else ""


def _limit() -> str:
    return str(context.CLIARGS.get("subset") or "")


def _tags() -> list[str]:
    tags = [str(tag) for tag in context.CLIARGS.get("tags") or ()]
    return [] if tags == ["all"] else tags
