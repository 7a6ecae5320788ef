"""The run for speed: split or not, chunked or not, compiled or not, it computes the same."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from gpulab_bench.config import PRESETS, SpeedConfig
from gpulab_bench.device import Device, full_speed
from gpulab_bench.losses import next_token_loss
from gpulab_bench.memory import fit_speed
from gpulab_bench.model import Decoder
from gpulab_bench.speed import Enough, LanguageModelLoss, measure_speed
from gpulab_bench.stop import Stop
from gpulab_bench.train import Steps, TrainingRun, Updater, run_steps

XS = replace(PRESETS["xs"], speed=SpeedConfig(batch_items=4, steps=13, warmup_steps=2))
GO_ON = Stop(None, 0.0)


def measured(device: Device, mode: str, lines: list[str] | None = None) -> TrainingRun:
    torch.manual_seed(3)
    model = Decoder(XS.model).to(device.torch_device)
    generator = torch.Generator(device.torch_device).manual_seed(3)
    fit = fit_speed(XS, device.precision, None)
    says = [].append if lines is None else lines.append
    return measure_speed(model, XS, fit, mode, device, generator, GO_ON, says)


def test_every_step_is_timed_and_its_loss_read(device: Device) -> None:
    lines: list[str] = []
    run = measured(device, "eager", lines)
    assert len(run.losses) == len(run.step_s) == 13
    assert all(seconds > 0 for seconds in run.step_s)
    # Random tokens: as good as guessing, from first to last.
    assert all(loss == pytest.approx(math.log(33), abs=0.2) for loss in run.losses)
    assert lines[-1].startswith("step 13/13 loss 3.")


def test_compiled_it_computes_the_same(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is captured and differentiated, without the last step: on a CPU that would need a C++
    # compiler, and a path without blanks.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    eager, compiled = measured(device, "eager"), measured(device, "compile")
    assert compiled.losses == pytest.approx(eager.losses, rel=1e-4)


def test_another_mode_is_refused(device: Device) -> None:
    with pytest.raises(ValueError, match="mode must be one of eager, compile, not 'fast'"):
        measured(device, "fast")


@pytest.mark.parametrize("logits_max", [33, 33 * 5, 33 * 63])
def test_a_chunked_loss_and_its_gradients_are_those_of_the_whole(logits_max: int) -> None:
    torch.manual_seed(1)
    hidden = torch.randn(4, 16, 8, requires_grad=True)
    head = torch.randn(33, 8, requires_grad=True)
    targets = torch.randint(33, (4, 16))
    whole = next_token_loss(hidden, head, targets)
    wanted = torch.autograd.grad(3 * whole, (hidden, head))
    chunked = next_token_loss(hidden, head, targets, logits_max)
    found = torch.autograd.grad(3 * chunked, (hidden, head))
    torch.testing.assert_close(chunked, whole)
    for mine, theirs in zip(found, wanted):
        torch.testing.assert_close(mine, theirs)


def test_micro_batches_train_as_one_batch_does(device: Device) -> None:
    losses = []
    for micro in (1, 4):
        torch.manual_seed(2)
        model = Decoder(XS.model)
        tokens = torch.randint(33, (8, 17))
        loss = LanguageModelLoss(model)
        parts = tokens.chunk(micro)
        steps = Steps(lambda parts=parts: parts, loss, lambda _step: 1e-3, 6)
        run = run_steps(steps, Updater(model.parameters(), device), device, GO_ON, str)
        losses.append(run.losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0][-1] < losses[0][0]


def test_a_step_that_is_not_finite_leaves_the_weights_alone(device: Device) -> None:
    model = Decoder(XS.model)
    before = [parameter.clone() for parameter in model.parameters()]
    poisoned = LanguageModelLoss(model)
    tokens = torch.randint(33, (2, 17))
    steps = Steps(lambda: (tokens,), lambda x: poisoned(x) * math.nan, lambda _: 1e-3, 12)
    run = run_steps(steps, Updater(model.parameters(), device), device, GO_ON, str)
    assert run.nonfinite_steps == 12
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters()))


def test_results_repeat_again_after_a_measurement() -> None:
    torch.use_deterministic_algorithms(True)
    with full_speed():
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_slow_device_does_as_many_steps_as_tell_its_speed() -> None:
    """Its time is over at once: the steps that are due are done, and no more."""
    enough = Enough(Stop(None, 0.0), 12, -1.0)
    assert [enough.reason() for _ in range(13)] == [None] * 12 + ["time"]
    endless = Enough(Stop(None, 0.0), 0, 3600.0)
    assert endless.reason() is None
    told = Enough(Stop(-1.0, 0.0), 12, 3600.0)
    assert told.reason() == "budget"
