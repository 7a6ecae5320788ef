"""Answers that follow from what was asked or from the time: made anew for who asks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Answer = dict[str, Any]


def _preflight(answer: Answer, _options: Mapping[str, Any], now: float) -> Answer:
    return {**answer, "facts": {**answer["facts"], "time": now}}


def _pair_test(answer: Answer, options: Mapping[str, Any], _now: float) -> Answer:
    pair = {name: options[name] for name in ("client", "server")}
    again = bool(options.get("again", False))
    return {**answer, "measurement": {**answer["measurement"], **pair, "again": again}}


def _path_mtu(answer: Answer, options: Mapping[str, Any], _now: float) -> Answer:
    passed = [
        f"{target['zone']}: {target['interface']} to {target['peer']} ({target['address']}) "
        f"with {target['mtu']} bytes"
        for target in options["targets"]
    ]
    return {**answer, "passed": passed}


_ADAPTED: Mapping[str, Callable[[Answer, Mapping[str, Any], float], Answer]] = {
    # How far off a node's clock is.
    "gpulab.core.preflight_node": _preflight,
    # Who measured with whom. The numbers are those of the recorded pair.
    "gpulab.core.pair_test": _pair_test,
    "gpulab.core.path_mtu": _path_mtu,
}


def is_adapted(module: str) -> bool:
    """Say whether a module's answers are."""
    return module in _ADAPTED


def adapt(module: str, answer: Answer, options: Mapping[str, Any], now: float) -> Answer:
    """Return a recorded answer as one to this question.

    Args:
        module: Who answered.
        answer: What it returned.
        options: With which it is asked now.
        now: Seconds since 1970.
    """
    return _ADAPTED[module](answer, options, now) if module in _ADAPTED else answer
