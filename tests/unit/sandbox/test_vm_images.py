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
    vm_images.KERNEL_HOOK,
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
    ("name", "archive", "released", "chosen"),
    [
        pytest.param(
            "debian-12",
            "6.1.0-50-cloud-amd64 6.1.0-55-cloud-amd64 6.1.0-56-cloud-amd64 cloud-amd64",
            "6.1.0-56-cloud-amd64 6.1.0-50-cloud-amd64",
            "6.1.0-50-cloud-amd64",
            id="the release's own",
        ),
        pytest.param(
            "debian-12",
            "6.1.0-9-cloud-amd64 6.1.0-56-cloud-amd64 6.12.115+deb12-cloud-amd64"
            " 6.1.0-55-cloud-amd64 6.1.0-55-amd64 6.1.0-56-cloud-amd64-unsigned cloud-amd64",
            "6.1.0-56-cloud-amd64",
            "6.1.0-55-cloud-amd64",
            id="the one before the newest of its series",
        ),
        pytest.param(
            "debian-13",
            "6.12.43+deb13-cloud-amd64 6.12.48+deb13-cloud-amd64 cloud-amd64",
            "6.12.48+deb13-cloud-amd64",
            "6.12.43+deb13-cloud-amd64",
            id="without an ABI number",
        ),
        pytest.param(
            "ubuntu-24.04",
            "6.8.0-45-generic 6.8.0-45-lowlatency virtual",
            "6.8.0-45-generic",
            "6.8.0-45-generic",
            id="the only one",
        ),
    ],
)
def test_the_guest_gets_a_kernel_that_can_be_upgraded(
    tmp_path: Path, name: str, archive: str, released: str, chosen: str
) -> None:
    package, flavour = vm_images.kernels(dataclasses.replace(DEBIAN, name=name))
    packages = " ".join(f"linux-image-{kernel}" for kernel in archive.split())
    shown = " ".join(f"'Depends: linux-image-{kernel} (= 1)'" for kernel in released.split())
    # Nothing of it may run outside the new root.
    chroot = tmp_path / "chroot"
    chroot.write_text(
        f"""#!/bin/sh
        case "$*" in
          '/root apt-cache show {package}') printf '%s\\n' {shown} ;;
          '/root apt-cache pkgnames linux-image-') printf '%s\\n' {packages} ;;
          '/root env DEBIAN_FRONTEND=noninteractive apt-get '*) echo "$@" ;;
          *) exit 1 ;;
        esac
        """
    )
    chroot.chmod(0o755)
    done = subprocess.run(
        ["sh", "-s", "/root"],
        input=f"NEWEST={package}\nFLAVOUR={flavour}\n{vm_images.KERNEL_HOOK}",
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-3:] == [f"linux-image-{chosen}", f"linux-headers-{chosen}", "dkms"]


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
