"""The proof that an environment works, against stand-ins for torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/pytorch/files/verify.py"
GOOD = "[[19.0, 22.0], [43.0, 50.0]]"

NO_DEVICE = (
    "torch sees no CUDA device: check the driver with nvidia-smi, and that it is new enough for "
    "CUDA 13.0"
)

TORCH = """
__version__ = "2.13.0+cpu"
class version: cuda = {cuda}
class cuda:
    @staticmethod
    def is_available(): return {available}
class Tensor:
    def __matmul__(self, other):
        {body}
    def cpu(self): return self
    def tolist(self): return {product}
def tensor(values, device): return Tensor()
"""


def verify(folder: Path, torch: str, **wish: Any) -> tuple[int, dict[str, Any]]:
    """Run the script with a stand-in for torch, version 2.13.0+cpu by its metadata."""
    (folder / "torch.py").write_text(torch)
    metadata = folder / "torch-2.13.0+cpu.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: torch\nVersion: 2.13.0+cpu\n")
    asked = {"build": "cpu", "device": "cpu", "pins": {"torch": "2.13.0+cpu"}} | wish
    done = subprocess.run(
        [sys.executable, "-", json.dumps(asked)],
        input=SCRIPT.read_text(),
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, result


def stand_in(
    *, cuda: str = "None", available: bool = False, product: str = GOOD, body: str = "return self"
) -> str:
    return TORCH.format(cuda=cuda, available=available, product=product, body=body)


def test_a_working_environment_passes(tmp_path: Path) -> None:
    assert verify(tmp_path, stand_in()) == (
        0,
        {"torch": "2.13.0+cpu", "build": "cpu", "device": "cpu", "problems": []},
    )


def test_a_working_gpu_passes(tmp_path: Path) -> None:
    code, _ = verify(tmp_path, stand_in(cuda="'13.0'", available=True), build="cuda", device="cuda")
    assert code == 0


@pytest.mark.parametrize(
    ("torch", "wish", "problem"),
    [
        (stand_in(), {"pins": {"torch": "2.14.0"}}, "torch is 2.13.0+cpu, the lock says 2.14.0"),
        (stand_in(), {"pins": {"nix-da": "1"}}, "nix-da is missing, the lock says 1"),
        (stand_in(), {"build": "cuda"}, "torch is a cpu build, decided was cuda"),
        (stand_in(cuda="'13.0'"), {}, "torch is a cuda build, decided was cpu"),
        (stand_in(product="[[0.0]]"), {}, "a matrix product on cpu is wrong: [[0.0]]"),
        (
            stand_in(body="raise RuntimeError('boom')"),
            {},
            "a matrix product on cpu fails: boom",
        ),
        (
            stand_in(cuda="'13.0'"),
            {"build": "cuda", "device": "cuda"},
            NO_DEVICE,
        ),
        (
            "raise OSError('libcudart.so.13: cannot open')",
            {},
            "torch cannot be imported: libcudart.so.13: cannot open",
        ),
    ],
)
def test_each_problem_is_found_and_fails(
    tmp_path: Path, torch: str, wish: dict[str, Any], problem: str
) -> None:
    code, result = verify(tmp_path, torch, **wish)
    assert code == 1
    assert result["problems"] == [problem]
