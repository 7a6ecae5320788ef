"""The roles' files agree with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
OF_THE_USER = ("cache_dir", "wheelhouse_")


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLES / path).read_text())
    return found


def tasks(name: str) -> dict[str, Any]:
    """The one task of a calling role."""
    (task,) = yaml.safe_load((ROLES / name / "tasks/main.yml").read_text())
    found: dict[str, Any] = task
    return found


def test_every_platform_has_all_names() -> None:
    """A platform's Python may come from its family or from its release."""
    files = {file.stem: yaml.safe_load(file.read_text()) for file in ROLES.glob("framework/vars/*")}
    for family, releases in {
        "RedHat": [],
        "Debian": ["Debian-12", "Debian-13", "Ubuntu-22", "Ubuntu-24", "Ubuntu-26"],
    }.items():
        for release in releases or [family]:
            assert {
                "__framework_platform_python",
                "__framework_python_packages",
                "__framework_web_server_packages",
                "__framework_modulefiles",
            } <= set(files[family]) | set(files[release])


@pytest.mark.parametrize("name", ["pytorch", "tensorflow"])
class TestCaller:
    def test_every_option_of_a_framework_is_passed_on(self, name: str) -> None:
        task = tasks(name)
        passed = {key.removeprefix("framework_") for key in task["vars"]}
        options = {key.removeprefix(f"{name}_") for key in read(f"{name}/defaults/main.yml")}
        own = {option for option in options if not option.startswith(OF_THE_USER)}
        assert own <= passed
        known = read("framework/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        assert set(task["vars"]) <= set(known)

    def test_the_default_version_is_what_the_locks_pin(self, name: str) -> None:
        task = tasks(name)
        default = read(f"{name}/defaults/main.yml")[f"{name}_version"]
        for build, package in task["vars"]["framework_packages"].items():
            lock = (ROLES / name / f"files/requirements-{build}.txt").read_text()
            (pin,) = [line for line in lock.splitlines() if line.startswith(f"{package}==")]
            version = pin.split("==")[1].split()[0].split("+")[0]
            assert f"default('{version}')" in default

    def test_its_locks_and_its_proof_are_there(self, name: str) -> None:
        there = {file.name for file in (ROLES / name / "files").iterdir()}
        assert {"requirements-cpu.txt", "requirements-cuda.txt", "verify.py"} <= there


def test_the_wheelhouse_of_pytorchs_options_is_the_frameworks() -> None:
    ours = {
        key for key in read("pytorch/defaults/main.yml") if "wheelhouse" in key or "cache" in key
    }
    defaults = read("framework/defaults/main.yml")
    for key in ours:
        assert key in defaults[key.replace("pytorch_", "framework_")]
