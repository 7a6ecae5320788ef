"""What a stage gets: its order, where to work, and what earlier stages of its worker left."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.gpulab.core.plugins.module_utils.atomic_write import replacing
from gpulab_bench import nccl
from gpulab_bench.config import AUTO, PRESETS, Preset
from gpulab_bench.memory import (
    SHARDED,
    DoesNotFitError,
    check_fits,
    default_preset,
    fit_group,
)
from gpulab_bench.profiles import PROFILES, StagePlan
from gpulab_bench.stop import Stop

if TYPE_CHECKING:
    import torch

    from gpulab_bench.device import Device
    from gpulab_bench.model import Decoder

ORDER_FILE = "order.json"
# A rank that is gone is noticed by torchrun at once; this is for one that hangs.
GROUP_TIMEOUT = datetime.timedelta(seconds=30)
CHECKPOINT = "model.pt"


class Skip(Exception):  # noqa: N818  no error: the node simply has nothing for this stage
    """A stage that does not apply to this node; the text says why."""


class FrameworkError(RuntimeError):
    """PyTorch does not import."""


class DiskError(RuntimeError):
    """The folder that stands for the disk cannot be measured."""


@dataclass(frozen=True)
class Order:
    """What the supervisor asks of its workers, handed over in a file.

    Attributes:
        preset: name of the preset, or ``auto``.
        profile: name of the profile.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: of data and weights.
        disk_folder: where the stage disk makes its file.
        mode: of the stage speed: ``eager``, ``compile`` or ``both``.
        parallel: of the stage ddp: ``auto``, ``replicated`` or ``sharded``.
    """

    preset: str
    profile: str
    device: str
    seed: int
    disk_folder: str
    mode: str = "both"
    parallel: str = "auto"

    def write(self, folder: Path) -> None:
        """Leave the order for the workers."""
        (folder / ORDER_FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(folder: Path) -> Order:
        """Read what `write` left."""
        return Order(**json.loads((folder / ORDER_FILE).read_text(encoding="utf-8")))


@dataclass
class Context:
    """The surroundings of a stage.

    Attributes:
        order: what was asked.
        folder: of this run; stages leave results and checkpoints there.
        stop: asked between two pieces of work; with a reason, end and return what there is.
        progress: takes a line for a person to read.
        plan: the running stage's own.
        windows: spans in which devices worked, by the name of what they did: ``started`` and
            ``ended`` (`time.monotonic`) and ``scopes``, the devices. Telemetry is summed up over
            them.
        rank: this process's number in its group; 0 in a group of its own.
        world_size: processes in the group.
    """

    order: Order
    folder: Path
    stop: Stop
    progress: Callable[[str], None]
    plan: StagePlan
    windows: dict[str, dict[str, Any]] = field(default_factory=dict)
    rank: int = 0
    world_size: int = 1
    _device: Device | None = None
    _model: Decoder | None = None
    _chosen: str | None = None

    @property
    def preset(self) -> Preset:
        """The preset by its name; ``auto`` is what the first device holds, of whatever is free."""
        if self.order.preset != AUTO:
            return PRESETS[self.order.preset]
        if self._chosen is None:
            self._chosen = self._choose_preset()
        return PRESETS[self._chosen]

    def _choose_preset(self) -> str:
        if not self.on_gpu:
            return default_preset("fp32", None)
        import torch

        from gpulab_bench.device import choose_precision

        first = torch.cuda.get_device_properties(0)
        return default_preset(choose_precision((first.major, first.minor)), first.total_memory)

    def only_shared(self) -> str:
        """Say that no single device holds the preset, while all of them together do; else ''.

        Asked by stages of one device. What fits neither way is left to them to refuse.
        """
        from gpulab_bench.device import available_bytes

        device, ranks = self.device, len(self.devices())
        available = available_bytes(device)
        try:
            check_fits(self.preset, device.precision, available)
        except DoesNotFitError:
            pass
        else:
            return ""
        try:
            fit_group(self.preset, device.precision, available, ranks, SHARDED)
        except DoesNotFitError:
            return ""
        return f"no single GPU holds {self.preset.name}: the stage ddp trains it over all {ranks}"

    @property
    def device(self) -> Device:
        """The device that was asked for, opened on first use.

        Raises:
            DeviceUnavailableError: it is not there.
        """
        if self._device is None:
            from gpulab_bench.device import open_device

            self._device = open_device(self.order.device, self.preset.cpu_threads)
        return self._device

    @property
    def on_gpu(self) -> bool:
        """Whether the work is done on GPUs."""
        import torch

        return self.order.device != "cpu" and bool(torch.cuda.is_available())

    def devices(self) -> list[torch.device]:
        """All devices of the kind that was asked for: every GPU that is seen, or the CPU."""
        import torch

        if not self.on_gpu:
            return [torch.device("cpu")]
        return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]

    def scopes(self) -> list[str]:
        """What measurements of `devices` belong to: ``gpu:<uuid>`` each, or ``cpu``."""
        return [f"gpu:{gpu['uuid']}" for gpu in self._gpus()] or ["cpu"]

    def device_names(self) -> list[str]:
        """Models of `devices`."""
        return [gpu["name"] for gpu in self._gpus()] or [self.device.name]

    def _gpus(self) -> list[dict[str, Any]]:
        from gpulab_bench.device import describe_gpu

        return [describe_gpu(where.index) for where in self.devices() if where.type == "cuda"]

    def group_device(self) -> torch.device:
        """This rank's own device, with the group's exchange set up on first use.

        NCCL between GPUs, gloo between processes on a CPU.
        """
        import torch
        from torch import distributed

        on_gpu = self.on_gpu
        device = torch.device("cuda", local_rank()) if on_gpu else torch.device("cpu")
        if not distributed.is_initialized():
            if on_gpu:
                torch.cuda.set_device(device)
            os.environ.update(nccl.debug_environment(self.folder))
            distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=GROUP_TIMEOUT)
        return device

    def keep_model(self, model: Decoder) -> None:
        """Leave the trained model to later stages, also to those of a restarted worker."""
        import torch

        self._model = model
        with replacing(self.folder / CHECKPOINT) as draft:
            torch.save(model.state_dict(), draft)

    def model(self) -> Decoder:
        """Return the trained model.

        Raises:
            Skip: no training came to an end in this run.
        """
        if self._model is None:
            import torch

            from gpulab_bench.model import Decoder

            checkpoint = self.folder / CHECKPOINT
            if not checkpoint.exists():
                raise Skip("no training came to its end, so there is no model")
            where = self.device.torch_device
            self._model = Decoder(self.preset.model).to(where)
            self._model.load_state_dict(torch.load(checkpoint, map_location=where))
        return self._model

    @contextlib.contextmanager
    def window(self, name: str, *, alone: bool = False) -> Iterator[None]:
        """Mark the time in which devices work on ``name``.

        Args:
            name: ``train``, ``inference``, or the stage's own.
            alone: the first device works, the others do not.
        """
        scopes = self.scopes()
        started = time.monotonic()
        try:
            yield
        finally:
            self.windows[name] = {
                "started": started,
                "ended": time.monotonic(),
                "scopes": scopes[:1] if alone else scopes,
            }

    def going_on(self, started: float) -> bool:
        """Whether a stage that repeats its measurement has time for another one.

        Args:
            started: ``time.monotonic()`` at the first one.
        """
        return time.monotonic() - started < self.plan.seconds and self.stop.reason() is None


def plans_of(profile: str) -> dict[str, StagePlan]:
    """The stages of a profile by name."""
    return {plan.name: plan for plan in PROFILES[profile].stages}


def local_rank() -> int:
    """This process's number on its node, as torchrun says; 0 without it."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def ranks() -> tuple[int, int]:
    """This process's rank and its group's size, as torchrun says; 0 and 1 without it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
