"""The callback ``bench_stages``: how much time each stage of a run took, and of the processors."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: bench_stages
type: aggregate
short_description: Write each stage's wall and CPU seconds to a file
description:
  - For C(scripts/bench_growth.py) alone. Writes stage → C(wall_s), C(cpu_s) to the file that
    E(GPULAB_BENCH_STAGES) names. The CPU time is Ansible's and that of the processes it waited for.
author:
  - The gpulab maintainers
"""

import json
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible.plugins.callback import CallbackBase

from ansible_collections.gpulab.core.plugins.callback.summary import stage_of

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.playbook.play import Play


class CallbackModule(CallbackBase):
    """Reads the clocks where a play begins."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_stages"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Start outside of any stage."""
        super().__init__()
        self._stage = ""
        self._since = (0.0, 0.0)
        self._spent: dict[str, tuple[float, float]] = {}

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Note the stage."""
        self._stop()
        self._stage = stage_of(play.get_path(), play.tags)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:  # noqa: ARG002
        """Write what was counted."""
        self._stop()
        told = {stage: {"wall_s": wall, "cpu_s": cpu} for stage, (wall, cpu) in self._spent.items()}
        Path(os.environ["GPULAB_BENCH_STAGES"]).write_text(json.dumps(told))

    def _stop(self) -> None:
        now = (time.monotonic(), _cpu_s())
        if self._stage:
            before = self._spent.get(self._stage, (0.0, 0.0))
            spent = (now[0] - self._since[0], now[1] - self._since[1])
            self._spent[self._stage] = (before[0] + spent[0], before[1] + spent[1])
        self._stage, self._since = "", now


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
