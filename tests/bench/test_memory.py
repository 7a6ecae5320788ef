"""The estimate against what PyTorch really allocates and keeps, on a CPU."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gpulab_bench.config import PRESETS, ModelConfig, count_parameters
from gpulab_bench.device import Device, autocast
from gpulab_bench.memory import estimate
from gpulab_bench.model import Decoder
from gpulab_bench.train import Updater

XS = PRESETS["xs"].model
# GPT-2's layers, fewer of them, with a vocabulary whose logits do not hide the rest.
GPT2 = replace(PRESETS["gpt2-124m"].model, layers=2, vocab_size=512, context=128)
GROUPED = replace(PRESETS["japanese-small"].model, layers=2, vocab_size=512, context=128)


def saved_bytes(config: ModelConfig, batch: int, device: Device) -> int:
    """Bytes of the distinct buffers that the forward pass keeps, weights and tokens left out."""
    model = Decoder(config)
    tokens = torch.randint(config.vocab_size, (batch, config.context))
    known = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    held = []  # so that no address is used twice
    matrices = {tuple(p.shape) for p in model.parameters()}
    matrices |= {tuple(p.t().shape) for p in model.parameters() if p.dim() == 2}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        held.append(tensor)
        # Autocast's copies of the weights are counted as weights.
        copy = tensor.dtype == torch.bfloat16 and tuple(tensor.shape) in matrices
        if storage.data_ptr() not in known and not copy and tensor.dtype != torch.int64:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast(device):
        model.hidden(tokens)
    return sum(kept.values())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("config", [XS, GPT2, GROUPED], ids=["xs", "gpt2", "grouped"])
def test_activations_are_what_autograd_keeps(
    config: ModelConfig, precision: str, device: Device
) -> None:
    on = Device(**{**vars(device), "precision": precision})
    real = saved_bytes(config, 3, on)
    need = estimate(config, 3, config.context, precision).activations
    # A bound from above that is no more than a quarter too high.
    assert real <= need <= 1.25 * real


def test_states_are_to_the_byte(device: Device) -> None:
    model = Decoder(XS)
    updater = Updater(model.parameters(), device)
    loss = model(torch.zeros((1, XS.context), dtype=torch.int64)).sum()
    updater.backward(loss)
    need = estimate(XS, 1, XS.context, "fp32")
    assert sum(p.grad.nbytes for p in model.parameters()) == need.gradients
    updater.update(loss.detach(), 1e-3)
    assert sum(p.nbytes for p in model.parameters()) == need.weights
    states = updater._optimiser.state.values()
    moments = sum(state[key].nbytes for state in states for key in ("exp_avg", "exp_avg_sq"))
    assert moments == need.optimiser == 8 * count_parameters(XS).total
