"""Training by several processes: it learns, all stay equal, and who stops is named."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, Callable

import jsonschema
import pytest
from torch import distributed

from gpulab_bench import heartbeat
from gpulab_bench.heartbeat import Heartbeat, PeerError

Start = Callable[..., "subprocess.Popen[str]"]


def test_two_processes_learn_and_stay_equal(start: Start, schema: dict[str, Any]) -> None:
    process = start("--profile", "quick", "--stages", "ddp", "--budget-s", "220")
    stdout, stderr = process.communicate(timeout=260)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    found = document["ddp"]
    assert found is not None, stderr
    assert (found["backend"], found["processes"]) == ("gloo", 2)
    assert found["weights_equal"] is True
    assert found["loss_spread"] == 0
    assert found["loss_last"] < 0.5 * found["loss_first"]
    assert found["tokens_per_s"] == pytest.approx(
        2 * found["efficiency"] * found["tokens_per_s_alone"]
    )


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Heartbeat]]:
    """Two ranks' heartbeats on one store, the second one beating."""
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.05)
    monkeypatch.setattr(heartbeat, "LISTEN_S", 1.0)
    monkeypatch.setattr(heartbeat, "LINGER_S", 0.0)
    ranks = [Heartbeat(rank, 2, name) for rank, name in enumerate(("node01", "node02"))]
    store.set("gpulab_bench/node/0", "node01")
    ranks[1].__enter__()
    yield ranks
    for rank in ranks:
        rank.__exit__(None, None, None)


def test_a_rank_that_stops_beating_is_named(group: list[Heartbeat]) -> None:
    def collective() -> None:
        group[1].__exit__(None, None, None)
        raise RuntimeError("Connection closed by peer")

    with pytest.raises(PeerError, match=r"^rank 1 on node02 stopped in the middle"), group[0]:
        collective()


def test_an_error_of_its_own_is_laid_to_nobody_else(group: list[Heartbeat]) -> None:
    with pytest.raises(RuntimeError, match=r"^CUDA error") as caught, group[0]:
        raise RuntimeError("CUDA error")
    assert not isinstance(caught.value, PeerError)


def test_everybody_knows_all_nodes(group: list[Heartbeat]) -> None:
    with group[0] as mine:
        assert mine.nodes() == ["node01", "node02"] == group[1].nodes()


def test_a_store_that_is_gone_is_rank_0s_node(group: list[Heartbeat]) -> None:
    with group[0]:
        pass

    def gone() -> None:
        raise RuntimeError("Connection refused")

    group[1]._connect = gone
    assert group[1].missing().startswith("rank 0 on node01, which holds the rendezvous")
