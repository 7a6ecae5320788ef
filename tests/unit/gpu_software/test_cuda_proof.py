"""The proof of a CUDA toolkit, with a simulated nvcc; Debian's own is proved in gpu_tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software import cuda_proof
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.cuda_proof import Node, prove

NO_GPU = Node(codes=["80"], gpus=0, loaded="")


@pytest.fixture
def nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated nvcc of CUDA 12.8, whose programs print the text in the file `answer`."""
    tool = tmp_path / "nvcc"
    tool.write_text(
        f"""\
#!/bin/sh
[ "$1" = --version ] && {{ echo "Cuda compilation tools, release 12.8, V12.8.61"; exit; }}
[ -e {tmp_path}/broken ] && {{ echo "no host compiler"; exit 1; }}
echo "$@" > {tmp_path}/options
for last; do [ "$before" = --output-file ] && out=$last; before=$last; done
printf '#!/bin/sh\\ncat {tmp_path}/answer\\n' > "$out" && chmod +x "$out"
"""
    )
    tool.chmod(0o755)
    monkeypatch.setattr(cuda_proof, "_find_nvcc", lambda _version: str(tool))
    return tmp_path


def problems(folder: Path, version: str = "12.8", node: Node = NO_GPU) -> list[str]:
    """Prove one toolkit; the default is left out, which is another machine's matter."""
    found = prove([version], version, node, folder).problems
    return [text for text in found if not text.startswith("/usr/local/cuda is")]


def test_without_a_gpu_the_program_is_compiled_and_not_run(nvcc: Path) -> None:
    proof = prove(["12.8"], "12.8", NO_GPU, nvcc)
    assert proof.lines == [
        "CUDA 12.8: nvcc compiles and links for sm_80; not run: no NVIDIA device on the PCI bus"
    ]
    assert "code=[sm_80,compute_80]" in (nvcc / "options").read_text()


def test_the_default_is_compared(nvcc: Path) -> None:
    assert prove([], "99.9", NO_GPU, nvcc).problems == [
        f"/usr/local/cuda is {Path('/usr/local/cuda').resolve()}, not CUDA 99.9"
    ]


def test_another_release_and_a_broken_compiler_are_problems(nvcc: Path) -> None:
    assert "is of CUDA 12.8" in problems(nvcc, "12.9")[0]
    (nvcc / "broken").touch()
    assert "does not compile and link: no host compiler" in problems(nvcc)[0]


def test_a_driver_that_is_not_loaded_is_said(nvcc: Path) -> None:
    proof = prove(["12.8"], "12.8", Node(codes=[], gpus=1, loaded=""), nvcc)
    assert "its default architecture; not run: the NVIDIA driver is not loaded" in proof.lines[0]


@pytest.mark.parametrize(("answer", "problem"), [("2", ""), ("1", "runs on 1 GPUs, and 2 are")])
def test_the_program_must_run_on_every_gpu(nvcc: Path, answer: str, problem: str) -> None:
    (nvcc / "answer").write_text(answer)
    found = problems(nvcc, node=Node(codes=["90"], gpus=2, loaded="570.86.15"))
    assert len(found) == bool(problem)
    assert problem in "".join(found)
