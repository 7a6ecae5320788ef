"""What is read of container engines, and what counts as proof that they get the GPUs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.container_proof import (
    Request,
    count_listed,
    prove,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.containers import (
    engine_version,
    parse_docker_configuration,
)

CTK = """\
#!/bin/sh
case $1 in
--version) echo "NVIDIA Container Toolkit CLI version {version}" ;;
cdi) printf '%s\\n' {listed} ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tools before all others on the path, and a CDI specification."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "nvidia.yaml").write_text("cdiVersion: 0.5.0\n")
    return tmp_path


def install(folder: Path, name: str, text: str) -> None:
    """Put a simulated tool into the folder."""
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def requested(folder: Path, **other: Any) -> Request:
    """A node with two GPUs, but for what is given."""
    spec = str(folder / "nvidia.yaml")
    two = Request("1.20.1", spec, engines=["podman"], image="", gpus=2, loaded="570.86.15")
    return replace(two, **other)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("podman version 4.3.1", "4.3.1"),
        ("Docker version 28.1.1, build 4eba377", "28.1.1"),
        ("", "0"),
    ],
)
def test_the_version_of_an_engine(said: str, version: str) -> None:
    assert engine_version(said) == version


@pytest.mark.parametrize(
    ("text", "configuration", "problem"),
    [
        ("", {}, ""),
        ('{"log-driver": "journald"}', {"log-driver": "journald"}, ""),
        ("{", {}, "/etc/docker/daemon.json is not JSON"),
        ("[]", {}, "/etc/docker/daemon.json holds no object"),
    ],
)
def test_dockers_configuration(text: str, configuration: object, problem: str) -> None:
    found = parse_docker_configuration(text)
    assert found[0] == configuration
    assert found[1].startswith(problem)
    assert bool(found[1]) == bool(problem)


def test_a_gpu_that_is_cut_counts_once() -> None:
    cut = "nvidia.com/gpu=0:0\nnvidia.com/gpu=0:1\nnvidia.com/gpu=1\nnvidia.com/gpu=all\n"
    assert count_listed(cut) == 2


def test_a_specification_that_agrees_with_the_bus_holds(tools: Path) -> None:
    listed = "nvidia.com/gpu=0 nvidia.com/gpu=1 nvidia.com/gpu=all"
    install(tools, "nvidia-ctk", CTK.format(version="1.20.1", listed=listed))
    lines, problems = prove(requested(tools))
    assert problems == []
    assert lines == [
        f"{tools}/nvidia.yaml lists 2 GPU(s)",
        "containers not tried: nvidia_container_test_image is empty",
    ]


def test_a_gpu_too_few_and_another_version_are_problems(tools: Path) -> None:
    listed = "nvidia.com/gpu=0 nvidia.com/gpu=all"
    install(tools, "nvidia-ctk", CTK.format(version="1.18.0", listed=listed))
    _, problems = prove(requested(tools))
    assert "nvidia-ctk is not 1.20.1" in problems[0]
    assert "lists 1 GPUs, and 2 are on the PCI bus" in problems[1]


SMI = """\
#!/bin/sh
case $1 in
-L) printf 'GPU 0: NVIDIA A100 (UUID: GPU-1)\\n  MIG 3g.40gb Device  0: (UUID: MIG-1)\\n'
    echo 'GPU 1: NVIDIA A100 (UUID: GPU-2)' ;;
*) echo 'GPU-1, Enabled'; echo 'GPU-2, {mode}' ;;
esac
"""


@pytest.mark.parametrize(
    ("listed", "mode", "problem"),
    [
        ("0:0 1 MIG-1 GPU-2", "Disabled", ""),
        # In MIG mode and not cut: no container can get it, and nothing is wrong with that.
        ("0:0 MIG-1", "Enabled", ""),
        ("0:0 1 MIG-0 GPU-2", "Disabled", "lacks MIG-1 and has MIG-0"),
        ("0 1 GPU-1 GPU-2", "Disabled", "lacks MIG-1 and has GPU-1"),
    ],
)
def test_a_specification_is_compared_with_what_the_driver_shows(
    tools: Path, listed: str, mode: str, problem: str
) -> None:
    names = " ".join(f"nvidia.com/gpu={name}" for name in [*listed.split(), "all"])
    install(tools, "nvidia-ctk", CTK.format(version="1.20.1", listed=names))
    install(tools, "nvidia-smi", SMI.format(mode=mode))
    _, problems = prove(requested(tools))
    assert [text for text in problems if problem not in text] == []
    assert bool(problems) is bool(problem)
    assert all("systemctl restart nvidia-cdi-refresh.service" in text for text in problems)


def test_a_gpu_that_the_driver_lost_is_a_problem(tools: Path) -> None:
    names = "nvidia.com/gpu=0:0 nvidia.com/gpu=1 nvidia.com/gpu=all"
    install(tools, "nvidia-ctk", CTK.format(version="1.20.1", listed=names))
    install(tools, "nvidia-smi", SMI.format(mode="Disabled"))
    _, problems = prove(requested(tools, gpus=3))
    assert problems == ["nvidia-smi -L shows 2 of 3 GPUs on the PCI bus"]


def test_a_specification_that_is_missing_is_a_problem(tools: Path) -> None:
    install(tools, "nvidia-ctk", CTK.format(version="1.20.1", listed="nvidia.com/gpu=all"))
    _, problems = prove(requested(tools, spec=str(tools / "none.yaml")))
    assert "none.yaml is missing" in problems[0]


@pytest.mark.parametrize(
    ("seen", "problem"), [("2", ""), ("1", "podman: a container sees 1 of 2 GPUs")]
)
def test_the_gpus_in_a_container_are_counted(tools: Path, seen: str, problem: str) -> None:
    listed = "nvidia.com/gpu=0 nvidia.com/gpu=1 nvidia.com/gpu=all"
    install(tools, "nvidia-ctk", CTK.format(version="1.20.1", listed=listed))
    install(tools, "systemctl", "#!/bin/sh\n")
    removed = tools / "removed"
    podman = f"""\
#!/bin/sh
case $1 in
run) echo 4f2c ;;
exec) for gpu in $(seq {seen}); do echo "GPU $gpu: simulated"; done ;;
rm) echo "$3" > {removed} ;;
esac
"""
    install(tools, "podman", podman)
    _, problems = prove(requested(tools, image="a-test"))
    assert [text.split(":")[0] + ":" + text.split(":")[1] for text in problems] == (
        [problem] if problem else []
    )
    assert removed.read_text() == "4f2c\n"
