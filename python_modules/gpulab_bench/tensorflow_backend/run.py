"""One run with TensorFlow, from the command line: progress on stderr, one JSON document."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable

from gpulab_bench.config import PRESETS, count_parameters
from gpulab_bench.stop import Stop

SCHEMA = 1
EXIT_ERROR, EXIT_NO_FRAMEWORK, EXIT_NO_DEVICE, EXIT_STOPPED = 1, 3, 4, 5


def make_parser() -> argparse.ArgumentParser:
    """The command line; a wrong one exits with 2."""
    parser = argparse.ArgumentParser(prog="gpulab_bench tensorflow", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="xs")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--budget-s", type=float, default=150)
    parser.add_argument("--json", default="-", metavar="PATH")
    return parser


def main(argv: list[str], progress: Callable[[str], None]) -> int:
    """Train, evaluate, print the document.

    Returns:
        0; 1 failed, 3 TensorFlow does not import, 4 no such device, 5 told to stop.
    """
    arguments = make_parser().parse_args(argv)
    started = time.perf_counter()
    stop = Stop(arguments.budget_s, started)
    stop.listen()
    preset = PRESETS[arguments.preset]
    counts = count_parameters(preset.model)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "backend": "tensorflow",
        "preset": preset.name,
        "seed": arguments.seed,
        "model": {
            **asdict(preset.model),
            "parameters": {**asdict(counts), "total": counts.total},
        },
        "environment": None,
        "device": None,
        "training": None,
        "evaluation": None,
        "error": None,
        "stopped_by": None,
    }
    status = _fill(document, arguments, stop, progress)
    if status == 0 and stop.reason() is not None and document["evaluation"] is None:
        document["stopped_by"], status = stop.reason(), EXIT_STOPPED
    document["wall_s"] = time.perf_counter() - started
    text = json.dumps(document, allow_nan=False) + "\n"
    if arguments.json == "-":
        sys.stdout.write(text)
    else:
        Path(arguments.json).write_text(text, encoding="utf-8")
    if document["error"] is not None:
        progress(f"{document['error']['kind']}: {document['error']['message']}")
    return status


def _fill(
    document: dict[str, Any],
    arguments: argparse.Namespace,
    stop: Stop,
    progress: Callable[[str], None],
) -> int:
    """Fill in the sections as far as it gets; the exit status."""
    # Its notes on what this build could do better; errors are still shown.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
        import tensorflow as tf

        from gpulab_bench.tensorflow_backend import data, model, train
    except Exception as error:  # a broken build raises OSError and RuntimeError too
        document["error"] = {"kind": "framework", "message": f"{type(error).__name__}: {error}"}
        return EXIT_NO_FRAMEWORK
    gpus = tf.config.list_physical_devices("GPU")
    document["environment"] = {"tensorflow": tf.__version__, "keras": keras.__version__}
    if arguments.device == "cuda" and not gpus:
        document["error"] = {"kind": "device", "message": "cuda was asked for; no GPU is seen"}
        return EXIT_NO_DEVICE
    on_gpu = bool(gpus) and arguments.device != "cpu"
    if not on_gpu:
        tf.config.set_visible_devices([], "GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if on_gpu else {}
    # fp16 needs a gradient scaler, which is not built here: before Ampere it is fp32.
    in_bf16 = tuple(details.get("compute_capability") or (0, 0)) >= (8, 0)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if in_bf16 else "float32")
    document["device"] = {
        "type": "cuda" if on_gpu else "cpu",
        "name": details.get("device_name"),
        "precision": "bf16" if in_bf16 else "fp32",
    }
    preset = PRESETS[arguments.preset]
    try:
        keras.utils.set_random_seed(arguments.seed)
        generator = tf.random.Generator.from_seed(arguments.seed)
        items = data.draw_items(preset.task, "train", generator)
        heldout = data.draw_items(preset.task, "heldout", generator)
        decoder = model.Decoder(preset.model)
        progress(f"TensorFlow {tf.__version__}: preset {preset.name}")
        document["training"] = train.train(decoder, preset, items, generator, stop, progress)
        document["evaluation"] = train.evaluate(decoder, heldout, stop)
    except tf.errors.ResourceExhaustedError as error:
        document["error"] = {"kind": "out_of_memory", "message": str(error)[:500]}
        return EXIT_ERROR
    except Exception as error:  # whatever breaks must still leave a document
        document["error"] = {"kind": "runtime", "message": f"{type(error).__name__}: {error}"}
        return EXIT_ERROR
    return 0
