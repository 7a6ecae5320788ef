"""Cutting a universal lock down to one kind of machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.frameworks.lock_file import (
    LockError,
    Pin,
    pins_for,
    render,
)

ROLES = Path(__file__).parents[3] / "roles"
LOCKS = ROLES / "pytorch/files"
TENSORFLOW_LOCKS = ROLES / "tensorflow/files"

LOCK = """\
# a comment
numpy==2.2.6 ; python_full_version < '3.11' \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via -r in
numpy==2.4.6 ; python_full_version >= '3.11' \\
    --hash=sha256:ba
torch==2.13.0+cpu ; python_full_version == '3.11.*' and platform_machine == 'x86_64' \\
    --hash=sha256:ca
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:da
"""


@pytest.mark.parametrize(
    ("python", "machine", "expected"),
    [
        ("3.10", "x86_64", {"numpy": "2.2.6"}),
        ("3.11", "x86_64", {"numpy": "2.4.6", "torch": "2.13.0+cpu"}),
        ("3.11", "aarch64", {"numpy": "2.4.6"}),
        ("3.14", "x86_64", {"numpy": "2.4.6"}),
    ],
)
def test_markers_are_evaluated_for_the_node(
    python: str, machine: str, expected: dict[str, str]
) -> None:
    assert {pin.name: pin.version for pin in pins_for(LOCK, python, machine)} == expected


def test_all_hashes_are_kept_in_order() -> None:
    (numpy,) = pins_for(LOCK, "3.10", "x86_64")
    assert numpy.hashes == ("sha256:aa", "sha256:ab")


@pytest.mark.parametrize(
    ("lock", "complaint"),
    [
        ("numpy>=2 --hash=sha256:aa", "not pinned to one version"),
        ("numpy --hash=sha256:aa", "not pinned to one version"),
        ("numpy==2.4.6", "has no hash"),
        ("--index-url https://x", "not a requirement"),
        ("numpy==1 --hash=sha256:aa\nnumpy==2 --hash=sha256:ab", "pinned twice"),
    ],
)
def test_a_lock_that_pins_nothing_is_refused(lock: str, complaint: str) -> None:
    with pytest.raises(LockError, match=complaint):
        pins_for(lock, "3.11", "x86_64")


def test_a_local_build_never_stands_in_for_the_release() -> None:
    pins = [Pin("torch", "2.13.0", ("sha256:aa", "sha256:ab")), Pin("x", "1+cpu", ("sha256:b",))]
    assert render(pins) == (
        "torch===2.13.0 --hash=sha256:aa --hash=sha256:ab\nx==1+cpu --hash=sha256:b\n"
    )


def test_what_is_rendered_reads_back() -> None:
    pins = pins_for(LOCK, "3.11", "x86_64")
    assert pins_for(render(pins), "3.12", "aarch64") == pins


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_shipped_cuda_lock_covers_every_platform(python: str) -> None:
    lock = (LOCKS / "requirements-cuda.txt").read_text()
    pins = {pin.name: pin for pin in pins_for(lock, python, "x86_64")}
    assert pins["torch"].version == "2.13.0"
    assert {"numpy", "triton", "nvidia-cudnn-cu13", "nvidia-nccl-cu13"} <= set(pins)


def test_the_shipped_cpu_lock_covers_python_3_11_without_cuda() -> None:
    lock = (LOCKS / "requirements-cpu.txt").read_text()
    pins = {pin.name: pin for pin in pins_for(lock, "3.11", "x86_64")}
    assert pins["torch"].version == "2.13.0+cpu"
    assert pins["torch"].hashes == (
        "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    )
    assert not [name for name in pins if name.startswith("nvidia-")]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_shipped_locks_of_tensorflow_cover_what_it_has_wheels_for(python: str) -> None:
    lock = (TENSORFLOW_LOCKS / "requirements-cpu.txt").read_text()
    pins = {pin.name: pin.version for pin in pins_for(lock, python, "x86_64")}
    assert pins["tensorflow-cpu"] == "2.21.0"
    assert not [name for name in pins if name.startswith("nvidia-")]
    lock = (TENSORFLOW_LOCKS / "requirements-cuda.txt").read_text()
    for machine in ("x86_64", "aarch64"):
        pins = {pin.name: pin.version for pin in pins_for(lock, python, machine)}
        assert pins["tensorflow"] == "2.21.0"
        assert {"nvidia-cudnn-cu12", "nvidia-nccl-cu12"} <= set(pins)


def test_tensorflow_has_nothing_for_python_3_14_yet() -> None:
    for build in ("cpu", "cuda"):
        lock = (TENSORFLOW_LOCKS / f"requirements-{build}.txt").read_text()
        names = {pin.name for pin in pins_for(lock, "3.14", "x86_64")}
        assert not {"tensorflow", "tensorflow-cpu"} & names


@pytest.mark.parametrize("name", ["pytorch", "tensorflow"])
@pytest.mark.parametrize("build", ["cpu", "cuda"])
def test_every_environment_has_a_kernel_for_jupyter(name: str, build: str) -> None:
    lock = (ROLES / name / f"files/requirements-{build}.txt").read_text()
    assert "ipykernel" in {pin.name for pin in pins_for(lock, "3.11", "x86_64")}
