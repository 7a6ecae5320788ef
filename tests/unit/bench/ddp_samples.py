"""What the benchmark prints of a healthy training over processes."""

from __future__ import annotations

import json

DDP = {
    "processes": 2,
    "steps_done": 150,
    "nonfinite_steps": 0,
    "loss_first": 3.5,
    "loss_last": 0.02,
    "weights_equal": True,
    "loss_spread": 0.0,
    "step_s": {"n": 140},
    "tokens_per_s": 7000.0,
    "efficiency": 0.7,
}


def document(ddp: object = None, error: object = None, transports: object = None) -> str:
    return json.dumps(
        {
            "schema": 1,
            "node": "node01",
            "ddp": ddp,
            "error": error,
            "transports": transports,
            "wall_s": 9.0,
        }
    )
