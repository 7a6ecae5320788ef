"""Data-parallel training by all processes of a group, on one node or on several."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

from gpulab_bench.context import Context


def run(context: Context) -> dict[str, Any]:
    """Train the preset together, and alone for comparison.

    Returns:
        The document's section ``ddp``.

    Raises:
        PeerError: another process stopped in the middle; the text names its rank and node.
    """
    from gpulab_bench.ddp import train_together
    from gpulab_bench.heartbeat import Heartbeat

    node = os.environ.get("GPULAB_BENCH_NODE") or socket.gethostname()
    # Before the exchange is set up: whoever stops from then on has told its name.
    with Heartbeat(context.rank, context.world_size, node) as beat:
        where = context.group_device()
        device = replace(context.device, torch_device=where)
        return train_together(
            context.preset,
            context.order.seed,
            device,
            context.rank,
            beat.nodes(),
            context.progress,
            context.order.parallel,
            lambda: context.window("ddp"),
        )
