"""Prove that CUDA toolkits compile, link and, where there is a GPU, run a program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..process import call

# Each GPU adds up 0 … 1023 in a kernel; the sum is checked on the host.
PROGRAM = r"""
#include <cstdio>
__global__ void add(int *sum) { atomicAdd(sum, threadIdx.x); }
int main() {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  for (int device = 0; error == cudaSuccess && device < count; device++) {
    int *sum = nullptr, host = 0;
    cudaSetDevice(device);
    cudaMalloc(&sum, sizeof host);
    cudaMemset(sum, 0, sizeof host);
    add<<<1, 1024>>>(sum);
    error = cudaMemcpy(&host, sum, sizeof host, cudaMemcpyDeviceToHost);
    if (error == cudaSuccess && host != 1023 * 1024 / 2) {
      printf("GPU %d adds up to %d\n", device, host);
      return 2;
    }
    cudaFree(sum);
  }
  if (error != cudaSuccess) {
    printf("%s\n", cudaGetErrorString(error));
    return 1;
  }
  printf("%d\n", count);
}
"""
LIMIT_S = 120


@dataclass(frozen=True)
class Node:
    """What the program is compiled for and run on.

    Attributes:
        codes: machine code of the node's GPUs, as in sm_80, without "sm_"; empty for nvcc's own.
        gpus: NVIDIA GPUs on the PCI bus.
        loaded: version of the loaded driver module, "" where none is.
    """

    codes: Sequence[str]
    gpus: int
    loaded: str


@dataclass
class Proof:
    """What was proved, a sentence each, and what is wrong."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def prove(versions: Sequence[str], default: str, node: Node, folder: Path) -> Proof:
    """Prove each toolkit in a scratch folder, and that the default is the one that is declared."""
    proof = Proof()
    for version in versions:
        line, problem = _prove_one(version, node, folder)
        proof.lines += [line] if line else []
        proof.problems += [problem] if problem else []
    found = Path("/usr/local/cuda").resolve()
    if found != Path(f"/usr/local/cuda-{default}"):
        proof.problems.append(f"/usr/local/cuda is {found}, not CUDA {default}")
    return proof


def _find_nvcc(version: str) -> str:
    """Give the path of a version's nvcc; the distribution's own is the one on PATH."""
    own = Path(f"/usr/local/cuda-{version}/bin/nvcc")
    return str(own) if own.exists() else "/usr/bin/nvcc"


def _prove_one(version: str, node: Node, folder: Path) -> tuple[str, str]:
    """Prove one toolkit: what to say of it, and what is wrong with it."""
    nvcc = _find_nvcc(version)
    status, said = call(nvcc, "--version", timeout_s=LIMIT_S)
    found = re.search(r"release (\d+\.\d+)", said)
    if status or not found:
        return "", f"CUDA {version}: {nvcc} --version: {said}"
    if found[1] != version:
        return "", f"CUDA {version}: {nvcc} is of CUDA {found[1]}"
    codes = [
        f"--generate-code=arch=compute_{code},code=[sm_{code},compute_{code}]"
        for code in node.codes
    ]
    source, program = folder / "proof.cu", folder / f"proof-{version}"
    source.write_text(PROGRAM)
    compiled = call(nvcc, *codes, "--output-file", str(program), str(source), timeout_s=LIMIT_S)
    if compiled[0]:
        return "", f"CUDA {version}: nvcc does not compile and link: {compiled[1][-800:]}"
    target = ", ".join(f"sm_{code}" for code in node.codes) or "its default architecture"
    ran, problem = _run(str(program), node)
    if problem:
        return "", f"CUDA {version}: the program {problem}"
    return f"CUDA {version}: nvcc compiles and links for {target}; {ran}", ""


def _run(program: str, node: Node) -> tuple[str, str]:
    """Run the program where it can run: what to say of it, and what is wrong with it."""
    if not node.gpus:
        return "not run: no NVIDIA device on the PCI bus", ""
    if not node.loaded:
        return "not run: the NVIDIA driver is not loaded", ""
    status, said = call(program, timeout_s=LIMIT_S)
    if status:
        return "", f"does not run: {said}"
    if said != str(node.gpus):
        return "", f"runs on {said} GPUs, and {node.gpus} are on the PCI bus"
    return f"runs on {said} GPU(s)", ""
