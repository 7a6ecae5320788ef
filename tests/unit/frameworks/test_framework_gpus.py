"""Whether a framework's CUDA build runs on a node's GPUs and driver, by the locks' own text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.frameworks.gpus import (
    gpu_problem,
    needs_of,
    pinned,
)

ROLES = Path(__file__).parents[3] / "roles"
PYTORCH = (ROLES / "pytorch/files/requirements-cuda.txt").read_text()
TENSORFLOW = (ROLES / "tensorflow/files/requirements-cuda.txt").read_text()
#: As the build for old GPUs is locked.
CU126 = """\
torch==2.13.0+cu126 ; sys_platform == 'linux' \\
    --hash=sha256:t
nvidia-cuda-runtime-cu12==12.6.77 ; platform_machine == 'x86_64' \\
    --hash=sha256:r
nvidia-cudnn-cu12==9.10.2.21 \\
    --hash=sha256:c
"""
CU128 = CU126.replace("12.6.77", "12.8.90").replace("cu126", "cu128")
OLD_CUDNN = CU126.replace("torch==2.13.0+cu126", "tensorflow==2.21.0")
TITLES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
V100, P100, M40, T4, A100, L40S = "0x1db4", "0x15f8", "0x17fd", "0x1eb8", "0x20b2", "0x26b9"
H100, B200, B300, RTX_5090, GB10 = "0x2330", "0x2901", "0x3182", "0x2b85", "0x2e12"


def said(framework: str, lock: str, devices: tuple[str, ...], driver: str = "580") -> str:
    needs = needs_of(framework, pinned(lock))
    return gpu_problem(framework, TITLES[framework], needs, devices, driver)


@pytest.mark.parametrize(
    ("framework", "lock", "cuda", "branch"),
    [
        ("pytorch", PYTORCH, "13.0", 580),
        ("tensorflow", TENSORFLOW, "12.9", 525),
        ("pytorch", CU126, "12.6", 525),
        ("pytorch", "numpy==2.4.6 --hash=sha256:n\n", "", 0),
        ("pytorch", "", "", 0),
    ],
)
def test_a_lock_tells_its_cuda(framework: str, lock: str, cuda: str, branch: int) -> None:
    needs = needs_of(framework, pinned(lock))
    assert (needs.cuda, needs.branch_min) == (cuda, branch)


@pytest.mark.parametrize(
    ("framework", "lock", "devices", "words"),
    [
        (
            "pytorch",
            PYTORCH,
            (V100,),
            ("CUDA 13.0", "Tesla V100", "CUDA 12.6", "pytorch_build: cpu"),
        ),
        ("pytorch", PYTORCH, (P100,), ("GP100", "pytorch_lock_cuda")),
        ("pytorch", PYTORCH, (A100, V100), ("GV100",)),
        ("pytorch", CU128, (V100,), ("CUDA 12.8", "GV100")),
        ("pytorch", CU126, (B200,), ("CUDA 12.6", "B200")),
        ("tensorflow", TENSORFLOW, (RTX_5090,), ("TensorFlow", "container")),
        ("tensorflow", TENSORFLOW, (B300,), ("B300", "tensorflow_build: cpu")),
        ("tensorflow", TENSORFLOW, (GB10,), ("TensorFlow",)),
        # Its lock has a cuDNN that has dropped them.
        ("tensorflow", TENSORFLOW, (V100,), ("GV100", "tensorflow_lock_cuda")),
    ],
)
def test_a_build_without_code_for_a_gpu_is_refused_with_what_works(
    framework: str, lock: str, devices: tuple[str, ...], words: tuple[str, ...]
) -> None:
    problem = said(framework, lock, devices)
    assert [word for word in words if word not in problem] == []


@pytest.mark.parametrize(
    ("framework", "lock", "devices"),
    [
        ("pytorch", PYTORCH, (T4, A100, L40S, H100, B200, B300, RTX_5090, GB10)),
        ("pytorch", CU126, (M40, P100, V100, T4, A100, H100)),
        ("tensorflow", TENSORFLOW, (T4, A100, L40S, H100)),
        ("tensorflow", OLD_CUDNN, (P100, V100)),
        ("pytorch", PYTORCH, ()),
        # Nobody knows it: it restricts nothing.
        ("pytorch", PYTORCH, ("0x4a01",)),
        # Nobody knows what the lock brings.
        ("pytorch", "torch==2.13.0 --hash=sha256:t\n", (V100,)),
    ],
)
def test_a_build_that_has_code_for_the_gpus_is_taken(
    framework: str, lock: str, devices: tuple[str, ...]
) -> None:
    assert said(framework, lock, devices) == ""


@pytest.mark.parametrize(
    ("lock", "driver", "refused"),
    [
        (PYTORCH, "550", True),
        (PYTORCH, "570.211.01", True),
        (PYTORCH, "580", False),
        (PYTORCH, "620.10", False),
        (CU126, "550.54.14", False),
        (CU126, "470.256.02", True),
        (PYTORCH, "", False),
    ],
)
def test_a_driver_below_the_builds_least_is_refused(lock: str, driver: str, refused: bool) -> None:
    problem = said("pytorch", lock, (A100,), driver)
    assert bool(problem) is refused
    if refused:
        assert f"gets {driver}: declare lab_software.nvidia_driver.branch" in problem
