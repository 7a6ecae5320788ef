"""Documents of healthy runs, put together by the benchmark's own code."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request
from gpulab_bench import reliability
from gpulab_bench.config import PRESETS
from gpulab_bench.memory import estimate
from gpulab_bench.profiles import PROFILES
from gpulab_bench.result import Report, to_json, training_section

CPU = {
    "type": "cpu",
    "name": "Intel(R) Xeon(R) Processor",
    "uuid": None,
    "bdf": None,
    "capability": None,
    "memory_bytes": None,
    "precision": "fp32",
    "threads": 1,
}
GPU = {
    "type": "cuda",
    "name": "NVIDIA H100 80GB HBM3",
    "uuid": "GPU-6f1c2b8e-0000-4a5b-9c3d-2f1e0d9c8b7a",
    "bdf": "0000:3b:00.0",
    "capability": "9.0",
    "memory_bytes": 85_520_809_984,
    "precision": "bf16",
    "threads": 1,
}


DIGESTS = dict.fromkeys(("logits", "gradients", "losses", "weights"), "5e" * 32)


def benchmarked(document: dict[str, Any]) -> dict[str, Any]:
    """What the benchmark's action makes of this document on standard output."""
    request = Request("/opt/python", "auto", 135, [])
    judged = judge(Outcome(returncode=0, stdout=to_json(document)), request)
    return {**judged, "profile": document["profile"]}


def done(data: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a worker leaves of a stage that came to its end."""
    return {
        "status": "done",
        "data": data,
        "error": None,
        "reason": "",
        "seconds": seconds,
        "started": 100.0,
        "ended": 100.0 + seconds,
        "windows": {},
    }


def healthy(device: dict[str, Any] = CPU) -> dict[str, Any]:
    """A complete document of a healthy run, put together by the benchmark's own code."""
    preset = PRESETS["xs"]
    on_gpu = device["type"] == "cuda"
    scope = f"gpu:{device['uuid']}" if on_gpu else "cpu"
    report = Report(preset, PROFILES["smoke"], seed=1234, requested_device="auto")
    losses = [3.48 * 0.96**step for step in range(preset.steps)]
    gpu_keys = ("name", "uuid", "bdf", "capability", "memory_bytes")
    probe = {
        "import_s": 1.9,
        "environment": {
            "python": "3.11.7",
            "torch": "2.13.0+cu130" if on_gpu else "2.13.0+cpu",
            "cuda_build": "13.0" if on_gpu else None,
            "visible_gpus": int(on_gpu),
        },
        "device": dict(device),
        "devices": [{key: device[key] for key in gpu_keys}] if on_gpu else [],
    }
    memory = {"host_peak_bytes": 355_430_400, "gpu_peak_bytes": 12_582_912 if on_gpu else None}
    need = estimate(preset.model, preset.batch_items, preset.task.tokens, str(device["precision"]))
    memory["estimate_bytes"] = need.describe()
    training = training_section(preset, losses, [0.008, 0.009] * 75, 0, 0, [1.3])
    # No two numbers are equal: one that is read from beside its own place is seen.
    responses = {
        1: {"mean": 8.3, "p50": 8.0, "p95": 9.5, "p99": 12.0},
        8: {"mean": 8.4, "p50": 8.1, "p95": 9.6, "p99": 12.1},
    }
    loads = [
        {
            "concurrency": concurrency,
            "requests": 120 * concurrency,
            "failed": 0,
            "seconds": 1.0,
            "requests_per_s": 120.0 * concurrency,
            "response_ms": responses[concurrency],
        }
        for concurrency in (1, 8)
    ]
    scores = {
        "exact_match": 0.95,
        "token_accuracy": 0.99,
        "precision": 0.98,
        "recall": 0.96,
        "f1": 0.97,
        "class_accuracy": 0.94,
    }
    run = {
        "scope": scope,
        "name": device["name"],
        "software": "torch 2.13.0",
        "loss_first": 3.5,
        "loss_last": 2.9,
        "runs": [DIGESTS] * 2,
    }
    rates = {"scope": scope, "device_gbs": 2600.0 if on_gpu else 21.0, "peer_gbs": None}
    links = {"h2d_gbs": 55.0, "d2h_gbs": 54.0} if on_gpu else {"h2d_gbs": None, "d2h_gbs": None}
    tflops = 720.0 if on_gpu else 0.06
    speed = {"tflops": tflops, "tflops_first": tflops, "tflops_last": tflops}
    report.results = {
        "probe": done(probe, 3.8),
        "gemm": done(
            {
                "precision": device["precision"],
                "size": 8192,
                "warmup": 50,
                "timed": 100,
                "devices": [{"scope": scope, "rounds": 5, **speed}],
            },
            10.2,
        ),
        "memory_bandwidth": done({"bytes": 1024**3, "devices": [{**rates, **links}]}, 5.1),
        "sdc": done({"steps": 20, "devices": [run]}, 2.0),
        "train": done({"training": training, "memory": memory}, 1.4),
        "inference": done({"answer_tokens": 8, "loads": loads}, 2.1),
        "evaluation": done({"items": 512, **scores}, 0.3),
        "allreduce": done(
            {
                "backend": "nccl" if on_gpu else "gloo",
                "processes": 2,
                "bytes": 1024**3,
                "repeats": 20,
                "seconds": 0.003,
                "bus_gbs": 357.0,
                "transports": ["P2P"] if on_gpu else [],
            },
            6.0,
        ),
        "disk": done(
            {
                "folder": "/var/tmp",  # noqa: S108  a name, no file
                "method": "direct",
                "bytes": 1024**3,
                "write_mbs": 1500.0,
                "read_mbs": 3000.0,
                "note": "",
            },
            4.0,
        ),
    }
    launches = [
        reliability.launch(kind, ["probe"], "done", stage=None, returncode=0, seconds=20.0, tail="")
        for kind in ("single", "group", "plain")
    ]
    report.reliability = reliability.summarise(launches, 0, *reliability.operations(report.results))
    return report.document(wall_s=45.5)
