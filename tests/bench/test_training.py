"""The loop: it learns, it repeats, it counts what breaks, it stops when told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from gpulab_bench import train as train_module
from gpulab_bench.config import PRESETS
from gpulab_bench.data import draw_items
from gpulab_bench.device import Device, choose_precision, choose_threads
from gpulab_bench.evaluate import Evaluation
from gpulab_bench.model import Decoder
from gpulab_bench.train import TrainingRun, answer_loss

if TYPE_CHECKING:
    from conftest import Bench

XS = PRESETS["xs"]
SHORT = replace(XS, steps=12, warmup_steps=2)


def test_the_loss_falls(whole_run: tuple[TrainingRun, Evaluation | None, list[str]]) -> None:
    run, _, lines = whole_run
    assert len(run.losses) == len(run.step_s) == XS.steps
    assert run.nonfinite_steps == 0
    first, last = run.losses[0], run.losses[-1]
    assert first is not None
    assert last is not None
    # ln(33) = 3.50: at first every token is as likely as any other.
    assert first == pytest.approx(3.5, abs=0.1)
    assert last < 0.1
    assert lines[-1].startswith(f"step {XS.steps}/{XS.steps} loss 0.0")


def test_heldout_items_are_answered(
    whole_run: tuple[TrainingRun, Evaluation | None, list[str]],
) -> None:
    _, scores, _ = whole_run
    assert scores is not None
    assert scores.items == XS.task.heldout_items
    assert scores.exact_match >= 0.98


def test_an_untrained_model_answers_nothing(bench: Bench) -> None:
    _, scores = bench.run(replace(XS, steps=1))
    assert scores is not None
    assert scores.exact_match == 0
    assert scores.token_accuracy < 0.2


def test_a_seed_gives_the_same_losses_again(bench: Bench) -> None:
    first, again, other = (bench.run(SHORT, seed=seed)[0].losses for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_loss_that_is_not_finite_is_counted_and_not_learned_from(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def poisoned(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        loss = answer_loss(logits, items)
        return loss * float("nan") if calls == 4 else loss

    monkeypatch.setattr(train_module, "answer_loss", poisoned)
    run, _ = bench.run(SHORT)
    assert run.nonfinite_steps == 1
    assert [step for step, loss in enumerate(run.losses) if loss is None] == [3]


def test_a_gradient_that_is_not_finite_is_counted_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def poisoned(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        loss = answer_loss(logits, items)
        if calls == 4:
            logits.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    monkeypatch.setattr(train_module, "answer_loss", poisoned)
    run, _ = bench.run(SHORT)
    assert run.nonfinite_steps == 1
    assert None not in run.losses


def test_a_broken_weight_spoils_every_step(bench: Bench) -> None:
    """With a NaN in the model nothing recovers, and nothing is hidden."""

    def break_it(model: Decoder) -> None:
        with torch.no_grad():
            model.norm.weight[0] = float("nan")

    run, _ = bench.run(SHORT, touch=break_it)
    assert run.nonfinite_steps == SHORT.steps
    assert run.losses == [None] * SHORT.steps


def test_in_fp16_a_scale_that_is_too_high_is_no_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V100's precision: the scaler starts high, leaves out updates, and comes down."""
    calls = 0

    def steep(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        loss = answer_loss(logits, items)
        if calls <= 2:
            logits.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    monkeypatch.setattr(train_module, "answer_loss", steep)
    run, _ = bench.run(SHORT, precision="fp16")
    assert (run.scaler_skips, run.nonfinite_steps) == (2, 0)
    assert None not in run.losses


def test_an_epoch_asks_every_item_once(
    bench: Bench, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the warm-up: two epochs of four steps, timed whole, and a rest that is not."""
    task = replace(XS.task, train_items=4 * XS.batch_items)
    preset = replace(XS, task=task, steps=13, warmup_steps=3)
    seen: list[torch.Tensor] = []

    def keep(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        seen.append(items)
        return answer_loss(logits, items)

    monkeypatch.setattr(train_module, "answer_loss", keep)
    run, _ = bench.run(preset)
    assert len(run.epochs_s) == 2
    assert all(epoch > 0 for epoch in run.epochs_s)
    assert sum(run.epochs_s) >= 0.9 * sum(run.step_s[3:11])
    generator = torch.Generator(device.torch_device).manual_seed(1234)
    wanted = sorted(draw_items(task, "train", generator).tolist())
    for first in (3, 7):
        assert sorted(torch.cat(seen[first : first + 4]).tolist()) == wanted
    assert not torch.equal(torch.cat(seen[3:7]), torch.cat(seen[7:11]))


def test_training_stops_between_two_steps(bench: Bench) -> None:
    run, scores = bench.run(SHORT, asked=7)
    assert len(run.losses) == len(run.step_s) == 7
    assert scores is None


def test_evaluation_that_is_cut_short_gives_no_score(bench: Bench) -> None:
    run, scores = bench.run(SHORT, asked=SHORT.steps + 1)
    assert len(run.losses) == SHORT.steps
    assert scores is None


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        (None, "fp32"),
        ((6, 1), "fp32"),
        ((7, 0), "fp16"),
        ((7, 5), "fp16"),
        ((8, 0), "bf16"),
        ((9, 0), "bf16"),
        ((12, 0), "bf16"),
    ],
)
def test_precision_by_hardware(capability: tuple[int, int] | None, precision: str) -> None:
    assert choose_precision(capability) == precision


@pytest.mark.parametrize(
    ("given", "threads"), [("", 3), ("5", 5), ("0", 3), ("-1", 3), ("two", 3), ("4,2", 3)]
)
def test_threads_are_the_presets_unless_given(
    given: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert choose_threads(3) == threads
