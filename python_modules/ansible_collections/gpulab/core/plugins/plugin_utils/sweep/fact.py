"""The fact for pyinfra: a machine's hardware, as ``gpulab.core.hardware_info`` returns it.

In a deploy of your own: ``host.get_fact(Hardware)``. On the command line, with ``python_modules``
on PYTHONPATH:
``pyinfra HOST fact ansible_collections.gpulab.core.plugins.plugin_utils.sweep.fact.Hardware``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from ...module_utils.facts.gather import gather
from ...module_utils.hardware.runner import run_in_turn
from . import script, stream
from .captured import CapturedTree, captured_tools
from .plan import Plan

PLAN = Plan()
# Of one tool or one group of files on the node. Files answer in milliseconds, package managers and,
# with persistence mode on, nvidia-smi within a second or two.
LIMIT_S = 3.0


class Hardware(FactBase[dict[str, Any]]):
    """The facts, after one command on the machine. It needs no Python there and changes nothing.

    Attributes:
        as_root: Whether root read them; None before the answer.
    """

    def __init__(self) -> None:
        """Draw the word that separates the parts of the answer."""
        self._mark = f"gpulab{secrets.token_hex(16)}"
        self._limit_s = LIMIT_S
        self.as_root: bool | None = None

    def command(self, become: bool = True, limit_s: float = LIMIT_S) -> str:
        """Return the command.

        Args:
            become: Read as root, by ``sudo -n``, where that is allowed.
            limit_s: Seconds for one tool or group of files.
        """
        self._limit_s = limit_s
        return script.command(script.build(PLAN, self._mark, limit_s), self._mark, become=become)

    def process(self, output: Iterable[str]) -> dict[str, Any]:
        """Return the facts in what the command printed.

        Raises:
            FactProcessError: It is no whole answer.
        """
        try:
            capture = stream.parse(stream.unpack(output), self._mark, PLAN)
        except stream.StreamError as error:
            raise FactProcessError(str(error)) from error
        self.as_root = capture.uid == 0
        tree = CapturedTree(capture, PLAN, self._limit_s)
        tools = captured_tools(capture, self._limit_s)
        return gather(tree, tools, capture.machine, run_all=run_in_turn)
