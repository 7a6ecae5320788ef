"""NVIDIA's toolkits side by side, from a simulated, really signed repository.

The simulation's nvcc says a version and compiles nothing: what is tested is what is installed,
chosen, held and removed. Debian's real nvcc stands beside it, and is proved by test_cuda.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playbook_run import Converge, Run
from testinfra.host import Host

Software = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def converge(converge: Converge) -> Converge:
    """Run this role alone; the others have nothing to do with it."""
    return partial(converge, gpu_tools_only=["cuda"])


def test_a_toolkit_that_the_driver_can_not_run_is_left_out_and_said(
    host: Host, converge: Converge, software: Software
) -> None:
    run = converge(lab_software=software(cuda={"versions": ["11.8", "13.0"]}))
    assert run.returncode == 0, run.stdout
    assert "13.0" in run.said
    assert "Would" not in run.said
    assert not host.file("/usr/local/cuda-13.0").exists


@pytest.fixture(scope="module")
def several(converge: Converge) -> Run:
    """Three toolkits, cuDNN and NCCL, with a default that is not the highest."""
    return converge(
        cuda_versions=["11.8", "12.8", "12.9"], cuda_default="12.8", cuda_cudnn="9", cuda_nccl="2"
    )


def test_several_stand_side_by_side(host: Host, several: Run) -> None:
    assert several.returncode == 0, several.stdout
    for version in ("11.8", "12.8", "12.9"):
        output = host.check_output(f"/usr/local/cuda-{version}/bin/nvcc --version")
        assert f"release {version}," in output
        assert f"CUDA {version}: nvcc compiles and links" in several.said
    assert "not run: no NVIDIA device on the PCI bus" in several.said


@pytest.mark.usefixtures("several")
def test_the_default_is_the_declared_one(host: Host) -> None:
    assert host.check_output("readlink -f /usr/local/cuda") == "/usr/local/cuda-12.8"


@pytest.mark.usefixtures("several")
def test_cudnn_and_nccl_are_for_the_defaults_cuda(host: Host) -> None:
    """The repository has a newer NCCL for CUDA 13."""
    assert host.package("cudnn9-cuda-12").version == "9.13.0.50-1"
    assert host.package("libnccl2").version == "2.27.7-1+cuda12.9"
    assert host.package("libnccl-dev").version == "2.27.7-1+cuda12.9"


@pytest.mark.usefixtures("several")
def test_the_parts_are_held_as_well(host: Host) -> None:
    held = set(host.check_output("apt-mark showhold").splitlines())
    assert {"cuda-toolkit-12-8", "cuda-nvcc-12-8", "cuda-toolkit-12-9", "cuda-nvcc-12-9"} <= held
    assert {"cudnn9-cuda-12", "libcudnn9-cuda-12", "libnccl2", "libnccl-dev"} <= held


@pytest.mark.usefixtures("several")
def test_what_is_not_declared_any_more_goes_when_asked(host: Host, converge: Converge) -> None:
    kept = converge()
    assert kept.returncode == 0, kept.stdout
    assert host.package("cuda-toolkit-12-9").is_installed
    assert host.check_output("readlink -f /usr/local/cuda") == "/usr/local/cuda-11.8"
    removed = converge(cuda_remove_undeclared=True)
    assert removed.returncode == 0, removed.stdout
    for name in ("cuda-toolkit-12-8", "cuda-nvcc-12-8", "cuda-toolkit-12-9", "cuda-nvcc-12-9"):
        assert not host.package(name).is_installed
    assert host.package("nvidia-cuda-toolkit").is_installed


def test_cudnn_needs_nvidias_toolkit(converge: Converge) -> None:
    run = converge(cuda_cudnn="9")
    assert run.returncode != 0
    assert "lab_software.cuda.cudnn and nccl need a toolkit from NVIDIA" in run.said
