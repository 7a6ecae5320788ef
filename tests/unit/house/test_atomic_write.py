"""A file is replaced whole or not at all, and what fails leaves nothing beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils import atomic_write
from ansible_collections.gpulab.core.plugins.module_utils.atomic_write import (
    replace_link,
    replacing,
    write_text,
)


@pytest.fixture(params=["none", "file", "link", "dangling"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path at which there is nothing, a file, or a link to somebody else's file."""
    path = tmp_path / "here" / "file"
    path.parent.mkdir()
    other = tmp_path / "other"
    if request.param == "file":
        path.write_text("former")
    elif request.param != "none":
        path.symlink_to(other)
        if request.param == "link":
            other.write_text("former")
    return path


@pytest.mark.parametrize("suffix", ["", ".fresh"])
@pytest.mark.parametrize("durable", [False, True])
def test_what_was_there_is_replaced(path: Path, durable: bool, suffix: str) -> None:
    write_text(path, "new é\n", durable=durable, suffix=suffix)
    assert path.read_bytes() == "new é\n".encode()
    assert not path.is_symlink()
    assert list(path.parent.iterdir()) == [path]
    other = path.parent.parent / "other"
    assert not other.exists() or other.read_text() == "former"


@pytest.mark.parametrize("suffix", ["", ".fresh"])
def test_what_fails_changes_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "file"
    path.write_text("former")

    def half_written() -> None:
        with replacing(path, suffix=suffix) as fresh:
            fresh.write_text("half")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        half_written()
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("former")
    with replacing(path) as fresh, path.open() as reader:
        fresh.write_text("new")
        assert path.read_text() == "former"
    with path.open() as now:
        assert now.read() == "new"
    assert reader.closed


def test_what_a_power_cut_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "file.fresh").symlink_to("/dev/null")
    write_text(tmp_path / "file", "new", suffix=".fresh")
    assert (tmp_path / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


@pytest.mark.parametrize("mode", [0o600, 0o700])
def test_the_mode_is_the_files_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    seen = []
    opened = os.open

    def watch(name: Path, flags: int, *more: int) -> int:
        descriptor = opened(name, flags, *more)
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(atomic_write.os, "open", watch)
    write_text(tmp_path / "file", "secret", mode)
    assert seen == [mode]
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_link_takes_the_place(path: Path) -> None:
    replace_link(path, "elsewhere")
    assert path.readlink() == Path("elsewhere")
    assert list(path.parent.iterdir()) == [path]


def test_durable_waits_for_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the file's content, then its name."""
    flushed: list[str] = []
    monkeypatch.setattr(atomic_write, "flush", lambda path: flushed.append(path.name))
    write_text(tmp_path / "file", "new", durable=True, suffix=".fresh")
    with replacing(tmp_path / "link", durable=True) as fresh:
        fresh.symlink_to("file")
    assert flushed == ["file.fresh", tmp_path.name, tmp_path.name]
