"""README's picture: the command takes it; the one that is there has its size, and is small."""

from __future__ import annotations

import struct
from pathlib import Path

import readme_picture
import sample_pages
from chromium import Chromium


def size_of(picture: Path) -> tuple[int, int]:
    """Return width and height of a PNG."""
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:])
    return width, height


def test_the_command_takes_it(browser: Chromium, pages: dict[str, Path], tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    readme_picture.take(browser, pages[sample_pages.SMALL], picture)
    window = (readme_picture.VIEW.width, readme_picture.VIEW.height)
    assert size_of(picture) == size_of(readme_picture.PICTURE) == window


def test_it_is_small_and_readme_shows_it() -> None:
    assert readme_picture.PICTURE.stat().st_size < 300_000
    root = Path(__file__).resolve().parents[2]
    shown = f"]({readme_picture.PICTURE.relative_to(root)})"
    assert shown in (root / "README.md").read_text(encoding="utf-8")
