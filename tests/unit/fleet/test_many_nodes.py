"""What is worked out for a run of many nodes is not worked out for each of them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lab_samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers import peer_comparison
from ansible_collections.gpulab.core.plugins.plugin_utils.history import (
    baselines,
    history,
    history_queries,
)


def counted(
    monkeypatch: pytest.MonkeyPatch, calls: Counter[str], module: object, name: str
) -> None:
    real: Callable[..., Any] = getattr(module, name)

    def call(*args: Any, **more: Any) -> object:
        calls[name] += 1
        return real(*args, **more)

    monkeypatch.setattr(module, name, call)


@pytest.mark.parametrize("with_history", [True, False])
def test_a_cohort_is_summed_up_once_however_many_nodes_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_history: bool
) -> None:
    calls: Counter[str] = Counter()
    counted(monkeypatch, calls, baselines, "like")
    counted(monkeypatch, calls, history, "moment_of")
    counted(monkeypatch, calls, history_queries, "samples")
    made = []
    for nodes in (4, 16):
        calls.clear()
        found = lab_samples.lab(nodes, gpus=1)
        folder = tmp_path / str(nodes)
        folder.mkdir()
        if with_history:
            with history.connect(folder / "history.sqlite3") as connection:
                peer_comparison.compare(folder, found, connection)
        else:
            peer_comparison.compare(folder, found, None)
        made.append({name: calls[name] for name in ("like", "moment_of", "samples")})
    few, many = made
    assert few == many
    assert many["moment_of"] == (2 if with_history else 0)
