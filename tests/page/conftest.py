"""The pages that the tests look at, and the browser that shows them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sample_pages
from chromium import Chromium

OUTPUT = Path(__file__).resolve().parents[2] / ".cache" / "tests" / "screenshots"


@pytest.fixture(scope="session")
def output() -> Path:
    """Return the folder of pictures; it has those of the last run alone."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    return OUTPUT


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages of the sample labs by name; the project's own state/ stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPULAB_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        return sample_pages.write(tmp_path_factory.mktemp("labs"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium") / "profile") as started:
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the pictures are."""
    if OUTPUT.is_dir():
        where = OUTPUT.relative_to(Path.cwd()) if OUTPUT.is_relative_to(Path.cwd()) else OUTPUT
        size = sum(file.stat().st_size for file in os.scandir(OUTPUT) if file.is_file())
        terminalreporter.write_line(f"screenshots: {where} ({size / 1e6:.1f} MB)")
