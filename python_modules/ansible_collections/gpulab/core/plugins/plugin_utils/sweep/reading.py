"""Read a node's hardware over SSH: the command, what it gets on standard input, and its answer.

The reader is that of ``gpulab.core.hardware_info``, sent along: so the facts are the same, and
nothing has to lie on the node beforehand but Python 3.9.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import packed
from .bootstrap import MARK


class ReadingError(ValueError):
    """What came from a node are no facts; the text says why, for a person."""


class Reading(NamedTuple):
    """The facts that a node gave, and whether root read them."""

    hardware: dict[str, Any]
    as_root: bool


def command(python: str, *, become: bool) -> str:
    """Return the command that reads the hardware.

    Args:
        python: The node's Python, as `ansible_python_interpreter` names it.
        become: Read as root, by ``sudo -n``, where that is allowed.
    """
    size = len(packed.bootstrap().encode())
    # -I: neither the login's folder nor its environment may bring modules of their own, since root
    # runs them. -B: no bytecode is left behind.
    program = f"exec(__import__('sys').stdin.buffer.read({size}))"
    read = shlex.join([*shlex.split(python), "-IB", "-c", program])
    if become:
        # A refused sudo has read nothing of the input. What it complains of is no news: the answer
        # says who read.
        read = f'if [ "$(id -u)" = 0 ]; then {read}; else sudo -n {read} 2>/dev/null || {read}; fi'
    # A command that can't be run takes its input all the same: sending would fail before what it
    # says is read.
    return f"{{ {read}; }} || {{ status=$?; cat >/dev/null; exit $status; }}"


def standard_input(limit_s: float) -> str:
    """Return what the command gets on standard input; the same for all nodes.

    Args:
        limit_s: Seconds after which a part of the hardware is given up as unknown.
    """
    return f"{packed.bootstrap()}{packed.pack(limit_s)}\n"


def parse(lines: Iterable[str]) -> Reading:
    """Return the facts in what the command printed.

    Whether they are facts is for `judge` to say.

    Raises:
        ReadingError: It is no whole answer.
    """
    said = [line for line in lines if line.strip()]
    answers = [line.removeprefix(MARK) for line in said if line.startswith(MARK)]
    if not said:
        raise ReadingError("the node printed nothing")
    if not answers:
        raise ReadingError(f"the node printed something else: {said[-1][:80]!r}")
    try:
        answer = json.loads(answers[-1])
        failure, hardware = answer.get("error"), answer.get("hardware")
    except (ValueError, AttributeError) as error:
        raise ReadingError("what the node printed broke off") from error
    if failure:
        raise ReadingError(f"the reader failed on the node: {failure}")
    if not isinstance(hardware, dict):
        raise ReadingError("the node printed no facts")
    return Reading(hardware, answer.get("root") is True)
