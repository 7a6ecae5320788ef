"""Fully sharded data-parallel training: the ranks share one model, each holds a part of it.

For a model that no single GPU holds. A block's weights are gathered for as long as it computes, and
its gradients are summed and split at once (PyTorch's ``fully_shard``, from 2.6 on). Optimiser and
clipping work on this rank's part alone, as plain tensors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from gpulab_bench.config import ModelConfig
from gpulab_bench.device import Device
from gpulab_bench.model import Decoder
from gpulab_bench.train import CLIP_NORM, make_optimiser


def shard(config: ModelConfig, seed: int, device: Device, rank: int, ranks: int) -> Decoder:
    """Make a model that is split over all ranks; no rank ever holds all of it.

    Args:
        config: shape of the model.
        seed: of the weights; each rank draws its own part, so they depend on the number of ranks.
        device: this rank's own.
        rank: of this process.
        ranks: processes in the group.
    """
    where = device.torch_device
    mesh = init_device_mesh(where.type, (ranks,))
    # What is gathered is in 16 bits, as autocast would have it; sums of gradients stay in fp32.
    policy = MixedPrecisionPolicy()
    if device.precision == "bf16":
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    with torch.device("meta"):
        model = Decoder(config)
    for block in model.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    model.to_empty(device=where)
    generator = torch.Generator(where).manual_seed(seed * ranks + rank)
    with torch.no_grad():
        for parameter in model.parameters():
            own_part(parameter).fill_(1.0)  # gains; matrices follow
        model.initialise(lambda weight, std: _draw(own_part(weight), std, generator))
    return model


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """This rank's part of a split tensor, without a copy."""
    # Of a DTensor, whose type mypy does not know here.
    part: torch.Tensor = tensor.to_local().detach()
    return part


def _draw(part: torch.Tensor, std: float, generator: torch.Generator) -> None:
    part.normal_(0.0, std, generator=generator)


class ShardedUpdater:
    """As `train.Updater`, for a model that is split over the ranks.

    Attributes:
        scaled: False: fp16 is not trained this way.
    """

    scaled = False

    def __init__(self, model: nn.Module) -> None:
        """Make the optimiser of this rank's parts."""
        self._weights = [each for each in model.parameters() if own_part(each).numel()]
        self._parts = [nn.Parameter(own_part(each)) for each in self._weights]
        self._all = list(model.parameters())
        self._optimiser = make_optimiser(self._parts)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient of a loss."""
        loss.backward()

    def update(self, loss: torch.Tensor, learning_rate: float) -> torch.Tensor:
        """Clip by the norm of all ranks' gradients, and update the weights if all is finite.

        All ranks come to the same decision, since they share the norm and each other's losses.

        Args:
            loss: of the whole step, detached.
            learning_rate: of this step.

        Returns:
            The gradients' norm before clipping; a scalar on the device.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        squares = torch.zeros((), device=loss.device)
        for weight, part in zip(self._weights, self._parts):
            part.grad = None if weight.grad is None else own_part(weight.grad)
            if part.grad is not None:
                squares = squares + part.grad.float().square().sum()
        told = torch.stack([squares, loss * 0.0])
        distributed.all_reduce(told)
        norm = told[0].sqrt()
        scale = (CLIP_NORM / (norm + 1e-6)).clamp(max=1.0)
        for part in self._parts:
            if part.grad is not None:
                part.grad.mul_(scale)
        self._optimiser.grad_scale = None
        self._optimiser.found_inf = (~torch.isfinite(told.sum())).float()
        self._optimiser.step()
        for weight in self._all:
            weight.grad = None
        return norm


def checksums(model: Decoder) -> list[int]:
    """Whole-number sums of the bits of all weights, as this rank gathers them.

    Exact, whatever the order in which they are added; so equal on all ranks, or the exchange is
    wrong.
    """
    found = []
    groups: list[Any] = [*model.blocks, model]
    for module in groups:
        if not isinstance(module, FSDPModule):
            continue
        module.unshard()
        own = module.parameters() if module is not model else _outside_blocks(model)
        found += [_bits(parameter.detach()) for parameter in own]
        module.reshard()
    return found


def _outside_blocks(model: Decoder) -> list[nn.Parameter]:
    return [each for name, each in model.named_parameters() if not name.startswith("blocks.")]


def _bits(tensor: torch.Tensor) -> int:
    kind = torch.int16 if tensor.element_size() == 2 else torch.int32
    return int(tensor.contiguous().view(kind).sum(dtype=torch.int64))
