"""A model that two processes share trains as one that a single process holds. CPU, gloo."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import jsonschema
import pytest
import torch
from torch import distributed, multiprocessing

from gpulab_bench import sharded
from gpulab_bench.config import PRESETS, count_parameters
from gpulab_bench.data import draw_items
from gpulab_bench.ddp import TaskLoss, train_together
from gpulab_bench.device import Device, open_device
from gpulab_bench.model import Decoder
from gpulab_bench.train import Updater

RANKS = 2
STEPS = 4
# internlm-large, a thousand times smaller: its own gated network, untied embeddings, as many
# key and value heads as query heads, and sizes that two ranks do not share evenly.
LARGE = PRESETS["internlm-large"]
REDUCED = replace(
    LARGE,
    model=replace(
        LARGE.model,
        vocab_size=41,
        context=16,
        d_model=63,
        layers=3,
        heads=4,
        kv_heads=4,
        head_dim=16,
        ffn_width=129,
    ),
    task=replace(LARGE.task, train_items=512, heldout_items=64),
    batch_items=32,
    steps=60,
    learning_rate=4e-3,
)


def _gathered(model: Decoder) -> dict[str, torch.Tensor]:
    return {
        name: weight.full_tensor().detach().clone()  # a DTensor's
        for name, weight in model.state_dict().items()
    }


def _compare(rank: int, folder: str, device: Device) -> None:
    """Take steps by two ranks that share a model, and by one alone with both ranks' batches."""
    where = device.torch_device
    items = draw_items(REDUCED.task, "train", torch.Generator().manual_seed(1))
    model = sharded.shard(REDUCED.model, 5, device, rank, RANKS)
    own = sum(sharded.own_part(weight).numel() for weight in model.parameters())
    whole = Decoder(REDUCED.model).to(where)
    whole.load_state_dict(_gathered(model))
    updaters = sharded.ShardedUpdater(model), Updater(whole.parameters(), device)
    losses, norms = [], []
    for step in range(STEPS):
        batch = items[64 * step : 64 * (step + 1)]
        mine = TaskLoss(model)(batch[32 * rank : 32 * (rank + 1)])
        both = TaskLoss(whole)(batch)
        pairs = list(zip(updaters, (mine, both)))
        for updater, loss in pairs:
            updater.backward(loss)
        norm = [
            updater.update(loss.detach(), 1e-2) for updater, loss in zip(updaters, (mine, both))
        ]
        mean = mine.detach().clone()
        distributed.all_reduce(mean)
        losses.append((float(mean) / RANKS, float(both)))
        norms.append(tuple(float(one) for one in norm))
    before = sharded.checksums(model)
    # A loss that is not finite leaves every weight of every rank as it is.
    loss = TaskLoss(model)(items[:32]) * (float("nan") if rank == 1 else 1.0)
    updaters[0].backward(loss)
    updaters[0].update(loss.detach(), 1e-2)
    after = _gathered(model)
    spread = max(
        float((after[name] - weight).abs().max()) for name, weight in whole.state_dict().items()
    )
    told = {
        "own": own,
        "losses": losses,
        "norms": norms,
        "spread": spread,
        "kept": sharded.checksums(model) == before,
    }
    Path(folder, f"{rank}.json").write_text(json.dumps(told))


def _train(rank: int, folder: str, device: Device) -> None:
    found = train_together(REDUCED, 7, device, rank, ["n1", "n2"], lambda _line: None, "sharded")
    Path(folder, f"{rank}.json").write_text(json.dumps(found))


def _rank(rank: int, work: Callable[[int, str, Device], None], folder: str) -> None:
    device = open_device("cpu", 1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=RANKS
    )
    work(rank, folder, device)
    distributed.destroy_process_group()


def _by_two(work: Callable[[int, str, Device], None], folder: Path) -> list[dict[str, Any]]:
    multiprocessing.spawn(_rank, (work, str(folder)), nprocs=RANKS)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(RANKS)]


def test_shared_steps_are_those_of_one_process(tmp_path: Path) -> None:
    found = _by_two(_compare, tmp_path)
    # Each holds about half, together all.
    total = count_parameters(REDUCED.model).total
    assert sum(one["own"] for one in found) == total
    assert max(one["own"] for one in found) < 0.55 * total
    for one in found:
        for shared, alone in [*one["losses"], *one["norms"]]:
            assert shared == pytest.approx(alone, rel=1e-3)
        assert one["losses"][-1][0] < one["losses"][0][0]
        assert one["spread"] < 1e-3
        assert one["kept"] is True


def test_a_reduced_internlm_large_is_trained_in_shares(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    first, second = _by_two(_train, tmp_path)
    jsonschema.validate(first, schema["properties"]["ddp"])
    assert (first["way"], first["processes"], first["precision"]) == ("sharded", 2, "fp32")
    assert first["loss_last"] < 0.5 * first["loss_first"]
    assert first["weights_equal"] is True
    assert first["loss_spread"] == 0
    assert (first["efficiency"], first["tokens_per_s_alone"]) == (None, None)
    assert first["tokens_per_s"] > 0
    assert second["losses"] == first["losses"]


def test_the_command_trains_in_shares(
    start: Callable[..., subprocess.Popen[str]], schema: dict[str, Any]
) -> None:
    arguments = ("--profile", "quick", "--stages", "ddp", "--parallel", "sharded")
    stdout, stderr = start(*arguments, "--budget-s", "220").communicate(timeout=260)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert document["ddp"] is not None, stderr
    assert document["ddp"]["way"] == "sharded"
    assert document["ddp"]["weights_equal"] is True
