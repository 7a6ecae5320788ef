"""A machine that is kept as an image: named by what made it, and without what was its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import Engine
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.images import PREFIX
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.snapshots import reference, take

BASE = "localhost/gpulab-sandbox-debian-12:aa"


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """A file, and a folder with one."""
    (tmp_path / "play.yml").write_text("- hosts: all\n")
    (tmp_path / "files/deep").mkdir(parents=True)
    (tmp_path / "files/deep/data.yml").write_text("a: 1\n")
    return [tmp_path / "play.yml", tmp_path / "files"]


def test_the_same_has_the_same_name(inputs: list[Path], tmp_path: Path) -> None:
    name = reference("shape", BASE, inputs)
    assert name.startswith(f"{PREFIX}shape:")
    # What Python leaves beside a script says nothing.
    (tmp_path / "files/__pycache__").mkdir()
    (tmp_path / "files/__pycache__/a.pyc").write_bytes(b"1")
    assert reference("shape", BASE, inputs) == name


def test_whatever_makes_it_another_gives_it_another_name(
    inputs: list[Path], tmp_path: Path
) -> None:
    names = [reference("shape", BASE, inputs), reference("shape", f"{BASE}b", inputs)]
    (tmp_path / "files/deep/data.yml").write_text("a: 2\n")
    names.append(reference("shape", BASE, inputs))
    (tmp_path / "files/deep/data.yml").rename(tmp_path / "files/deep/other.yml")
    names.append(reference("shape", BASE, inputs))
    assert len(set(names)) == 4


def test_an_input_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reference("shape", BASE, [tmp_path / "gone.yml"])


def engine(folder: Path, body: str = "") -> Engine:
    """An engine that notes its calls, an argument a line."""
    script = f'for a; do printf "%s\\n" "$a" >> {folder}/calls; done; {body}'
    return Engine("podman", ("sh", "-c", script, "podman"), "")


def test_keys_go_before_it_is_kept(tmp_path: Path) -> None:
    take(engine(tmp_path), "gpulab-x", "node01", "localhost/kept:1")
    calls = (tmp_path / "calls").read_text()
    assert calls.startswith("exec\ngpulab-x-node01\nsh\n-c\n")
    before, _, after = calls.partition("\ncommit\n")
    assert "rm -rf /etc/ssh/ssh_host_*" in before
    assert ": > /etc/machine-id" in before
    assert after == "gpulab-x-node01\nlocalhost/kept:1\n"


def test_a_machine_that_does_not_run_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="not running"):
        take(engine(tmp_path, "echo not running >&2; exit 1"), "x", "node01", "localhost/kept:1")
    assert "commit" not in (tmp_path / "calls").read_text()
