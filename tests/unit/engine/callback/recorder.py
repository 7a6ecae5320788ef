"""Writes each result of a run as a line of JSON: task, host, how it ended, and what it holds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult


class CallbackModule(CallbackBase):
    """The one that ``RECORDED_IN`` names the file of."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, how: str, result: CallbackTaskResult) -> None:
        line = [result.task_name, result.host.get_name(), how, result.result]
        with Path(os.environ["RECORDED_IN"]).open("a") as file:
            file.write(json.dumps(line, default=str, sort_keys=True) + "\n")

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        self._write("skipped", result)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._write("unreachable", result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        self._write("item ok", result)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        self._write("item failed", result)

    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        self._write("item skipped", result)

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        self._write("retry", result)
