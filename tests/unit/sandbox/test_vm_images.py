"""How the image of virtual machines is called and made."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import vm_images
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.images import Recipe
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.seed import File, pack

DEBIAN = Recipe("debian-12", "packages", "bookworm", "deb http://mirror bookworm main\n")
SCRIPTS = [
    *(file.data.decode() for file in vm_images.GUEST_FILES.values() if file.mode & 0o100),
    vm_images.GUEST_HOOK,
    vm_images.CHASSIS_HOOK,
]


@pytest.fixture(autouse=True)
def _on_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_the_name_tells_the_platform_and_differs_from_the_containers() -> None:
    name = vm_images.reference(DEBIAN)
    assert name.startswith("localhost/gpulab-sandbox-vm-debian-12:")
    assert name != DEBIAN.reference
    assert name == vm_images.reference(DEBIAN)


def test_a_change_of_the_recipe_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = vm_images.reference(DEBIAN)
    other_mirror = dataclasses.replace(DEBIAN, text="deb http://other bookworm main\n")
    assert vm_images.reference(other_mirror) != before
    monkeypatch.setitem(vm_images.GUEST_FILES, "etc/fstab", File(b"none"))
    assert vm_images.reference(DEBIAN) != before


@pytest.mark.parametrize(
    ("recipe", "kernel"),
    [
        (DEBIAN, "linux-image-cloud-amd64"),
        (dataclasses.replace(DEBIAN, name="ubuntu-24.04"), "linux-image-virtual"),
    ],
)
def test_the_kernel_without_drivers_for_hardware_is_taken(recipe: Recipe, kernel: str) -> None:
    assert vm_images.kernel_package(recipe) == kernel


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("centos-10", "registry", "", "FROM centos"),
        Recipe("ubuntu-24.04", "registry", "", "FROM ubuntu"),
        dataclasses.replace(DEBIAN, name="raspbian-12"),
    ],
)
def test_what_cannot_be_built_says_what_to_do(recipe: Recipe) -> None:
    with pytest.raises(SandboxError, match=r"sandbox_kind vm needs .* use sandbox_kind container"):
        vm_images.reference(recipe)


def test_other_processors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(SandboxError, match="this one is aarch64"):
        vm_images.reference(DEBIAN)


def test_the_chassis_takes_the_same_sources_and_settings() -> None:
    recipe = dataclasses.replace(DEBIAN, settings=('Acquire::http::Proxy "http://p:1"',))
    command = vm_images.chassis_command(recipe, Path("/s/sources.list"), "true", Path("/s/c.tar"))
    assert '--aptopt=Acquire::http::Proxy "http://p:1"' in command
    assert command[-3:] == ["bookworm", "/s/c.tar", "/s/sources.list"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_valid_and_stop_at_errors(script: str) -> None:
    checked = subprocess.run(["sh", "-n"], input=script, text=True, check=False)
    assert checked.returncode == 0
    assert "set -eu\n" in script


def test_packing_is_deterministic_and_roots() -> None:
    files = {"a": File(b"1"), "b": File(b"2", 0o755)}
    assert pack(files, {"c": 0o700}) == pack(files, {"c": 0o700})
