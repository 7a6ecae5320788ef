"""Prove CUDA toolkits: python3 - '{"versions": …}'; prints {"lines": […], "problems": […]}.

Arguments, one JSON object:
    versions: toolkits that must be there.
    default: the one that /usr/local/cuda must be.
    codes: machine code of the node's GPUs, as in sm_80, without "sm_"; empty for nvcc's default.
    gpus: NVIDIA GPUs on the PCI bus.
    loaded: version of the loaded driver module, "" where none is.
Ends with 1 when there are problems.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

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


def call(*argv: str) -> tuple[int, str]:
    """Run a command; gives its exit status and all that it said."""
    try:
        done = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout.strip()


def find_nvcc(version: str) -> str:
    """Give the path of a version's nvcc; the distribution's own is the one on PATH."""
    own = Path(f"/usr/local/cuda-{version}/bin/nvcc")
    return str(own) if own.exists() else "/usr/bin/nvcc"


def run_line(program: str, gpus: int, loaded: str) -> tuple[str, str]:
    """Run the program where it can run: what to say of it, and what is wrong with it."""
    if not gpus:
        return "not run: no NVIDIA device on the PCI bus", ""
    if not loaded:
        return "not run: the NVIDIA driver is not loaded", ""
    status, said = call(program)
    if status:
        return "", f"does not run: {said}"
    if said != str(gpus):
        return "", f"runs on {said} GPUs, and {gpus} are on the PCI bus"
    return f"runs on {said} GPU(s)", ""


def prove(version: str, wish: dict, folder: Path) -> tuple[str, str]:
    """Prove one toolkit: what to say of it, and what is wrong with it."""
    nvcc = find_nvcc(version)
    status, said = call(nvcc, "--version")
    found = re.search(r"release (\d+\.\d+)", said)
    if status or not found:
        return "", f"CUDA {version}: {nvcc} --version: {said}"
    if found[1] != version:
        return "", f"CUDA {version}: {nvcc} is of CUDA {found[1]}"
    codes = [
        f"--generate-code=arch=compute_{code},code=[sm_{code},compute_{code}]"
        for code in wish["codes"]
    ]
    source, program = folder / "proof.cu", folder / f"proof-{version}"
    source.write_text(PROGRAM)
    status, said = call(nvcc, *codes, "--output-file", str(program), str(source))
    if status:
        return "", f"CUDA {version}: nvcc does not compile and link: {said[-800:]}"
    target = ", ".join(f"sm_{code}" for code in wish["codes"]) or "its default architecture"
    ran, problem = run_line(str(program), wish["gpus"], wish["loaded"])
    if problem:
        return "", f"CUDA {version}: the program {problem}"
    return f"CUDA {version}: nvcc compiles and links for {target}; {ran}", ""


def main() -> int:
    """Prove all of them, and the default."""
    wish = json.loads(sys.argv[1])
    lines, problems = [], []
    # CUDA_HOME of whoever started this must not decide.
    os.environ.pop("CUDA_HOME", None)
    with tempfile.TemporaryDirectory() as folder:
        for version in wish["versions"]:
            line, problem = prove(version, wish, Path(folder))
            lines += [line] if line else []
            problems += [problem] if problem else []
    default = Path("/usr/local/cuda").resolve()
    if default != Path(f"/usr/local/cuda-{wish['default']}"):
        problems.append(f"/usr/local/cuda is {default}, not CUDA {wish['default']}")
    print(json.dumps({"lines": lines, "problems": problems}))  # noqa: T201 (the answer)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
