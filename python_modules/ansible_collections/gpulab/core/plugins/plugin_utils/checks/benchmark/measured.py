"""What the module ``benchmark`` measured on a node, as plain data that a record keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ....module_utils.process import Outcome
from .judge import judge
from .request import CheckLimits, Request


def judge_measured(
    measured: Mapping[str, Any],
    document: str | Mapping[str, Any],
    limits: CheckLimits,
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """Judge a measurement, fresh or out of a record, by the limits of today.

    Args:
        measured: ``measured`` as the module returned it.
        document: What the benchmark printed: the text, or what a record keeps of it.
        limits: Limits of the checks.
        spec: What the node is held against.

    Returns:
        As `judge`.
    """
    text = document if isinstance(document, str) else json.dumps(document)
    request = Request(
        python=measured["python"],
        device=measured["device"],
        budget_s=measured["budget_s"],
        bus_gpus=measured["bus_gpus"],
        limits=limits,
        spec=spec,
    )
    return judge(Outcome(**measured["outcome"], stdout=text), request)
