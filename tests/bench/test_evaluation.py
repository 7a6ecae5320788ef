"""Precision, recall and F1: that they fall with a model that is not trained, or damaged."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from gpulab_bench.config import PRESETS, Preset
from gpulab_bench.data import draw_items, draw_prevailing, draw_training
from gpulab_bench.device import Device
from gpulab_bench.evaluate import Evaluation, evaluate
from gpulab_bench.model import Decoder
from gpulab_bench.stop import Stop
from gpulab_bench.train import train

XS = PRESETS["xs"]
ENDLESS = Stop(None, 0.0)


def trained(preset: Preset, device: Device) -> Decoder:
    """A model as the stage train leaves it."""
    where = device.torch_device
    torch.manual_seed(1234)
    generator = torch.Generator(where).manual_seed(1234)
    items = draw_training(preset.task, generator)
    model = Decoder(preset.model).to(where)
    train(model, preset, items, device, generator, ENDLESS, lambda _line: None)
    return model


def scores(model: Decoder, device: Device) -> tuple[Evaluation, Evaluation]:
    """As the stage evaluation: of the source backwards, and of the prevailing kind."""
    generator = torch.Generator(device.torch_device).manual_seed(1235)
    found = [
        evaluate(model, draw(XS.task, "heldout", generator), device, ENDLESS)
        for draw in (draw_items, draw_prevailing)
    ]
    backwards, kinds = found
    assert backwards is not None
    assert kinds is not None
    return backwards, kinds


@pytest.fixture(scope="module")
def healthy(device: Device) -> Decoder:
    return trained(XS, device)


def test_a_healthy_model_answers_backwards_and_mostly_which_kind_prevails(
    healthy: Decoder, device: Device
) -> None:
    backwards, kinds = scores(healthy, device)
    assert backwards.exact_match >= 0.95
    # No constant: none is 1, and each is a number of its own.
    values = {kinds.precision, kinds.recall, kinds.f1, kinds.token_accuracy}
    assert len(values) == 4
    assert all(0.55 < value < 0.95 for value in values)
    assert kinds.exact_match < 0.7


@pytest.mark.parametrize(
    ("steps", "most"),
    [(1, 0.3), (40, 0.6), (80, 0.7)],
    ids=["untrained", "40 steps", "80 steps"],
)
def test_an_undertrained_model_is_told_by_its_f1(
    steps: int, most: float, healthy: Decoder, device: Device
) -> None:
    short = replace(XS, steps=steps, warmup_steps=0)
    _, kinds = scores(trained(short, device), device)
    _, best = scores(healthy, device)
    assert kinds.f1 < min(most, best.f1 - 0.02)


def _noise(weight: torch.Tensor) -> torch.Tensor:
    """Half as much as the weights themselves."""
    return weight + 0.5 * weight.std() * torch.randn_like(weight)


def _lost(weight: torch.Tensor) -> torch.Tensor:
    """One weight of seven is 0."""
    return weight * (torch.rand_like(weight) > 0.15)


def _flipped(weight: torch.Tensor) -> torch.Tensor:
    """Bit 25, of the exponent, in one weight of 200: what memory errors do."""
    hit = torch.rand_like(weight) < 0.005
    return torch.where(hit, (weight.view(torch.int32) ^ (1 << 25)).view(torch.float32), weight)


@pytest.mark.parametrize("damage", [_noise, _lost, _flipped])
def test_damaged_weights_cost_precision_recall_and_f1(
    damage: object, healthy: Decoder, device: Device
) -> None:
    assert callable(damage)
    model = copy.deepcopy(healthy)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.copy_(damage(parameter))
    before, after = scores(healthy, device), scores(model, device)
    for name in ("precision", "recall", "f1"):
        assert getattr(after[1], name) < getattr(before[1], name) - 0.01
    assert after[0].exact_match < before[0].exact_match


def test_the_same_model_gets_the_same_scores_again(healthy: Decoder, device: Device) -> None:
    assert scores(healthy, device) == scores(healthy, device)
