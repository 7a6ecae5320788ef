"""The options that decide what is trained on a node; how it is judged, the action's decide."""

from __future__ import annotations

from typing import Any

#: Profile → seconds that it may take.
TIMEOUTS_S = {"smoke": 270, "quick": 120, "soak": 1400}

OPTIONS: dict[str, dict[str, Any]] = {
    "python": {"type": "path", "default": "/opt/gpulab/pytorch/bin/python"},
    "bench": {"type": "path", "default": "/opt/gpulab/bench/gpulab_bench.pyz"},
    "preset": {"type": "str", "default": "auto"},
    "profile": {"type": "str", "choices": ["smoke", "quick", "soak"], "default": "smoke"},
    "stages": {"type": "list", "elements": "str"},
    # A disk, where /tmp may be memory. The file has no name in it that somebody could take first.
    "disk_folder": {"type": "path", "default": "/var/tmp"},  # noqa: S108
    "ratings": {"type": "path"},
    "device": {"type": "str", "choices": ["auto", "cpu", "cuda"], "default": "auto"},
    "seed": {"type": "int", "default": 1234},
    "threads": {"type": "int"},
    "timeout_s": {"type": "int"},
    "passed": {"type": "dict"},
    "may_train": {"type": "bool", "default": True},
}

#: Of several nodes that train together.
DDP_OPTIONS: dict[str, dict[str, Any]] = {
    "python": OPTIONS["python"],
    "bench": OPTIONS["bench"],
    "plan": {
        "type": "dict",
        "required": True,
        "options": {
            "nodes": {"type": "list", "elements": "str", "required": True},
            "address": {"type": "str", "required": True},
            "interfaces": {"type": "dict", "required": True},
        },
    },
    "node": {"type": "str", "required": True},
    "port": {"type": "int", "default": 29500},
    # All nodes must train the same, so none of them may choose.
    "preset": {"type": "str", "default": "xs"},
    "parallel": {
        "type": "str",
        "choices": ["auto", "replicated", "sharded"],
        "default": "auto",
    },
    "device": OPTIONS["device"],
    "processes": {"type": "int"},
    "seed": OPTIONS["seed"],
    "rendezvous_s": {"type": "int", "default": 60},
    "timeout_s": {"type": "int", "default": 300},
}
