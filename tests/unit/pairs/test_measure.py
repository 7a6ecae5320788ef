"""One pair's test from its client's side, with the tools' output replayed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.pairs import measure
from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome

FIXTURES = Path(__file__).parent / "fixtures"
ORDER = measure.Order(
    address="10.0.0.2",
    source="10.0.0.1",
    port=5201,
    processes=1,
    streams=4,
    seconds=3,
    omit_s=1,
    pings=200,
)


class Tools:
    """Tools that answer from the fixtures."""

    def __init__(self, busy: int = 0, hangs: str = "", missing: str = "") -> None:
        """Say how often the server is busy, and which tool hangs or is missing."""
        self.calls: list[list[str]] = []
        self.limits: list[float] = []
        self._busy, self._hangs, self._missing = busy, hangs, missing

    def __call__(self, argv: list[str], timeout_s: float) -> Outcome:
        self.calls.append(argv)
        self.limits.append(timeout_s)
        if argv[0] == self._hangs:
            return Outcome(-15, timed_out=True)
        if argv[0] == self._missing:
            return Outcome(None, start_error=f"{argv[0]}: No such file or directory")
        if argv[0] == "ping":
            return Outcome(0, stdout=(FIXTURES / "ping-20221126.txt").read_text())
        if self._busy:
            self._busy -= 1
            return Outcome(0, stdout=(FIXTURES / "iperf3-3.12-busy.json").read_text())
        way = "reverse" if "--reverse" in argv else "forward"
        return Outcome(0, stdout=(FIXTURES / f"iperf3-3.12-{way}.json").read_text())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_BUSY_WAIT_S", 0)


def test_round_trips_come_before_the_load() -> None:
    tools = Tools()
    found = measure.measure(ORDER, tools)
    assert [argv[0] for argv in tools.calls] == ["ping", "iperf3", "iperf3"]
    assert found["round_trip"]["received"] == 5
    assert found["forward"]["gbps"] == pytest.approx(23.1, abs=0.1)
    assert found["reverse"]["gbps"] == pytest.approx(18.4, abs=0.1)


def test_every_call_has_a_limit() -> None:
    tools = Tools()
    measure.measure(ORDER, tools)
    assert all(limit < 30 for limit in tools.limits)


def test_processes_use_the_ports_that_follow() -> None:
    tools = Tools()
    found = measure.measure(replace(ORDER, processes=3), tools)
    forward = [argv for argv in tools.calls if argv[0] == "iperf3" and "--reverse" not in argv]
    assert {argv[argv.index("--port") + 1] for argv in forward} == {"5201", "5202", "5203"}
    assert found["forward"]["gbps"] == pytest.approx(3 * 23.1, abs=0.3)


def test_busy_server_is_asked_again() -> None:
    assert measure.measure(ORDER, Tools(busy=2))["forward"]["error"] == ""


def test_server_that_stays_busy_is_told() -> None:
    assert "busy" in measure.measure(ORDER, Tools(busy=1000))["reverse"]["error"]


@pytest.mark.parametrize(("tool", "part"), [("ping", "round_trip"), ("iperf3", "forward")])
def test_tool_that_hangs(tool: str, part: str) -> None:
    assert "did not end within" in measure.measure(ORDER, Tools(hangs=tool))[part]["error"]


@pytest.mark.parametrize(("tool", "part"), [("ping", "round_trip"), ("iperf3", "reverse")])
def test_tool_that_is_missing(tool: str, part: str) -> None:
    assert "No such file" in measure.measure(ORDER, Tools(missing=tool))[part]["error"]
