"""Debian's real CUDA 11.8: it compiles, links, is held, and is everybody's default."""

from __future__ import annotations

import pytest
from testinfra.host import Host

SAXPY = r"""
__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
int main() { saxpy<<<1, 32>>>(32, 2.0f, nullptr, nullptr); return cudaGetLastError(); }
"""


def login(host: Host, command: str) -> str:
    """Run a command as a login shell has it."""
    return str(host.check_output("env -i bash -l -c %s", command))


def test_nvcc_is_the_declared_version(host: Host) -> None:
    assert "release 11.8," in login(host, "nvcc --version")


def test_the_default_is_where_builds_look_for_it(host: Host) -> None:
    assert login(host, "echo $CUDA_HOME") == "/usr/local/cuda"
    assert "release 11.8," in host.check_output("/usr/local/cuda/bin/nvcc --version")
    assert host.file("/usr/local/cuda/include/cuda_runtime.h").exists
    assert host.file("/usr/local/cuda/lib64/libcudart.so").exists
    assert "Value: /usr/local/cuda-11.8" in host.check_output("update-alternatives --query cuda")


def test_frameworks_keep_their_own_libraries(host: Host) -> None:
    assert login(host, "echo [$LD_LIBRARY_PATH]") == "[]"


@pytest.mark.parametrize("code", ["sm_70", "sm_80", "sm_90"])
def test_it_compiles_and_links_for_gpus(host: Host, code: str) -> None:
    script = f"cd $(mktemp -d) && cat > a.cu && nvcc -arch={code} -o a a.cu && cuobjdump a"
    done = host.run("printf %%s %s | env -i bash -l -c %s", SAXPY, script)
    assert done.rc == 0, done.stderr
    assert f"arch = {code}" in done.stdout


def test_a_program_says_that_there_is_no_device(host: Host) -> None:
    script = "cd $(mktemp -d) && cat > a.cu && nvcc -o a a.cu && ./a; echo $?"
    # cudaErrorNoDevice (100), or an insufficient driver (35), of the CUDA runtime's error numbers.
    output = host.check_output("printf %%s %s | env -i bash -l -c %s", SAXPY, script)
    assert output.splitlines()[-1] in ("100", "35")


def test_an_upgrade_leaves_it_alone(host: Host) -> None:
    assert "nvidia-cuda-toolkit" in host.check_output("apt-mark showhold").splitlines()
