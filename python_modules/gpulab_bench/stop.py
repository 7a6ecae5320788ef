"""When to stop early: a signal, or the time budget. Either leaves a valid partial document."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Stop:
    """Remembers why the run must end; whoever does the work asks between two pieces of it."""

    def __init__(self, budget_s: float | None, started: float) -> None:
        """Set the budget.

        Args:
            budget_s: seconds that the whole run may take, or None for no limit.
            started: ``time.perf_counter()`` at the start of the run.
        """
        self._deadline = None if budget_s is None else started + budget_s
        self._signal: str | None = None

    def listen(self) -> None:
        """Turn the first SIGTERM or SIGINT into a polite stop; a second one ends the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._caught)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        self._signal = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)

    def reason(self) -> str | None:
        """``SIGTERM``, ``SIGINT``, ``budget``, or None to go on."""
        if self._signal is not None:
            return self._signal
        if self._deadline is not None and time.perf_counter() >= self._deadline:
            return "budget"
        return None
