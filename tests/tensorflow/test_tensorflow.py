"""The TensorFlow backend: it computes what PyTorch computes, and learns.

Runs under TensorFlow's Python; GPULAB_TORCH_PYTHON names the one that has PyTorch.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from gpulab_bench.config import PRESETS, ModelConfig, count_parameters
from gpulab_bench.stop import Stop
from gpulab_bench.tensorflow_backend import run as run_module
from gpulab_bench.tensorflow_backend.data import draw_items, is_heldout
from gpulab_bench.tensorflow_backend.model import Decoder, weights_by_name
from gpulab_bench.tensorflow_backend.train import answer_loss, train

PROJECT = Path(__file__).parents[2]
XS = PRESETS["xs"]
SHAPES = {
    "xs": XS.model,
    "plain": replace(XS.model, gated_ffn=False, kv_heads=4),
    "untied": replace(XS.model, tied_embeddings=False, kv_heads=1, head_dim=24),
}


def exported(config: ModelConfig) -> dict[str, Any]:
    """What PyTorch makes of this shape."""
    done = subprocess.run(
        [
            os.environ["GPULAB_TORCH_PYTHON"],
            str(PROJECT / "tests/tensorflow/export_torch.py"),
            json.dumps(asdict(config)),
        ],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "python_modules")},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_weights_give_the_same_logits(shape: str) -> None:
    theirs = exported(SHAPES[shape])
    model = Decoder(SHAPES[shape])
    mine = weights_by_name(model)
    assert set(mine) == set(theirs["weights"])
    for name, (variable, transposed) in mine.items():
        value = tf.constant(theirs["weights"][name])
        variable.assign(tf.transpose(value) if transposed else value)
    items = tf.constant(theirs["items"])
    logits = model(items[:, :-1])
    difference = tf.reduce_max(tf.abs(logits - tf.constant(theirs["logits"])))
    scale = tf.reduce_max(tf.abs(logits))
    assert float(difference / scale) < 1e-5
    assert float(answer_loss(logits, items)) == pytest.approx(theirs["loss"], rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_has_as_many_parameters(shape: str) -> None:
    assert Decoder(SHAPES[shape]).count_params() == count_parameters(SHAPES[shape]).total


def test_no_position_sees_the_future() -> None:
    model = Decoder(XS.model)
    tokens = tf.random.uniform((2, 16), maxval=32, dtype=tf.int32)
    changed = tf.concat([tokens[:, :10], tf.fill((2, 6), 32)], axis=1)
    before, after = model(tokens), model(changed)
    assert float(tf.reduce_max(tf.abs(before[:, :10] - after[:, :10]))) < 1e-5
    assert float(tf.reduce_max(tf.abs(before[:, 10:] - after[:, 10:]))) > 1e-3


def test_the_splits_are_disjoint_and_repeatable() -> None:
    def drawn(split: str) -> tf.Tensor:
        return draw_items(XS.task, split, tf.random.Generator.from_seed(1))

    train_items, heldout = drawn("train"), drawn("heldout")
    k = XS.task.source_tokens
    assert not bool(tf.reduce_any(is_heldout(train_items[:, :k])))
    assert bool(tf.reduce_all(is_heldout(heldout[:, :k])))
    assert bool(tf.reduce_all(heldout[:, k + 1 :] == heldout[:, :k][:, ::-1]))
    assert bool(tf.reduce_all(train_items == drawn("train")))


def test_a_whole_run_learns(tmp_path: Path) -> None:
    target = tmp_path / "document.json"
    status = run_module.main(["--device", "cpu", "--json", str(target)], lambda _line: None)
    document = json.loads(target.read_text())
    assert status == 0, document["error"]
    training = document["training"]
    assert training["loss_first"] == pytest.approx(3.5, abs=0.1)
    assert training["loss_last"] < 0.5 * training["loss_first"]
    assert document["evaluation"]["exact_match"] >= 0.9
    assert training["tokens_per_s"] > 0


def test_a_step_that_is_not_finite_is_counted_and_left_out() -> None:
    keras.utils.set_random_seed(1)
    model = Decoder(XS.model)
    model.norm.gain.assign(model.norm.gain * float("nan"))
    before = [tf.identity(weight) for weight in model.blocks[0].weights]
    generator = tf.random.Generator.from_seed(1)
    items = draw_items(XS.task, "train", generator)
    short = replace(XS, steps=3, warmup_steps=0)
    section = train(model, short, items, generator, Stop(None, 0.0), lambda _line: None)
    assert section["nonfinite_steps"] == 3
    assert section["losses"] == [None] * 3
    for old, new in zip(before, model.blocks[0].weights):
        assert bool(tf.reduce_all(old == new))


def test_a_gpu_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    status = run_module.main(["--device", "cuda"], lambda _line: None)
    assert status == 4
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "device"
