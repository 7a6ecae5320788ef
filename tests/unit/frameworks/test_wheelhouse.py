"""Filling a wheelhouse, with a stand-in for pip."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.framework.wheelhouse import (
    Runner,
    Target,
    WheelhouseError,
    fill,
    is_complete,
    run_pip,
)

TARGET = Target("3.12", "x86_64")
VENDOR = "https://wheels.example.org/cpu"


class Pip:
    """Answers in turn; a success writes one wheel."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        """Keep the answers (exit status, output)."""
        self.answers = list(answers)
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], timeout_s: int) -> tuple[int, str]:
        assert timeout_s == 60
        self.commands.append(command)
        code, output = self.answers.pop(0)
        if code == 0:
            destination = Path(command[command.index("--dest") + 1])
            (destination / "torch-2.13.0-cp312-cp312-linux_x86_64.whl").write_bytes(b"wheel")
        return code, output


def filled(path: Path, pip: Runner, vendor: str = VENDOR) -> None:
    fill(
        path,
        "torch===2.13.0 --hash=sha256:aa\n",
        TARGET,
        python="/usr/bin/python3",
        extra_index_url=vendor,
        timeout_s=60,
        run=pip,
    )


def test_a_filled_folder_is_complete(tmp_path: Path) -> None:
    pip = Pip((0, ""))
    filled(tmp_path / "key", pip)
    assert is_complete(tmp_path / "key")
    manifest = json.loads((tmp_path / "key.json").read_text())
    assert [entry["bytes"] for entry in manifest["files"]] == [5]


def test_pip_checks_hashes_and_builds_nothing(tmp_path: Path) -> None:
    pip = Pip((0, ""))
    filled(tmp_path / "key", pip)
    (command,) = pip.commands
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(command)
    assert {"--python-version=3.12", "--platform=manylinux_2_28_x86_64"} <= set(command)
    # Enterprise Linux 9 has glibc 2.34: a wheel for a newer one would not load there.
    assert "--platform=manylinux_2_35_x86_64" not in command


def test_the_vendor_is_asked_only_when_the_own_sources_fail(tmp_path: Path) -> None:
    pip = Pip((0, ""))
    filled(tmp_path / "a", pip)
    assert VENDOR not in pip.commands[0]
    pip = Pip((1, "ERROR: none"), (0, ""))
    filled(tmp_path / "b", pip)
    assert pip.commands[1][-2:] == ["--extra-index-url", VENDOR]
    assert is_complete(tmp_path / "b")


def test_a_wrong_hash_is_not_covered_up_by_another_source(tmp_path: Path) -> None:
    pip = Pip((1, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ..."), (0, ""))
    with pytest.raises(WheelhouseError, match="differs from the lock"):
        filled(tmp_path / "key", pip)
    assert len(pip.commands) == 1
    assert not is_complete(tmp_path / "key")


def test_half_a_download_is_not_complete(tmp_path: Path) -> None:
    key = tmp_path / "key"
    with pytest.raises(WheelhouseError):
        filled(key, Pip((1, "ERROR: gone")), vendor="")
    assert key.is_dir()
    assert not is_complete(key)


@pytest.mark.parametrize("damage", ["truncate", "delete", "garble"])
def test_a_damaged_folder_is_filled_again(tmp_path: Path, damage: str) -> None:
    key = tmp_path / "key"
    filled(key, Pip((0, "")))
    wheel = next(key.glob("*.whl"))
    if damage == "truncate":
        wheel.write_bytes(b"w")
    elif damage == "delete":
        wheel.unlink()
    else:
        key.with_name("key.json").write_text("{")
    assert not is_complete(key)
    filled(key, Pip((0, "")))
    assert is_complete(key)


@pytest.mark.parametrize(
    ("output", "fix"),
    [
        ("/usr/bin/python3: No module named pip", "ensurepip"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ...", "make lock"),
        ("ERROR: No matching distribution found for torch", VENDOR),
    ],
)
def test_a_failure_says_what_to_do(tmp_path: Path, output: str, fix: str) -> None:
    with pytest.raises(WheelhouseError) as caught:
        filled(tmp_path / "key", Pip((1, output), (1, output)))
    assert output in str(caught.value)
    assert fix in str(caught.value)


def test_pip_is_ended_after_its_time() -> None:
    sleeper = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"]
    code, output = run_pip(sleeper, 1)
    assert code == 124
    assert "begun" in output
    assert "ended after 1 s" in output


def test_the_exit_status_and_output_of_pip_come_back() -> None:
    assert run_pip([sys.executable, "-c", "print('x'); raise SystemExit(3)"], 10) == (3, "x\n")
