"""Generated pages: what is stale is told, and written anew; the project's own are fresh."""

from __future__ import annotations

from pathlib import Path

import pytest
from generate_docs import PAGES, ROOT, update


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_fresh(name: str) -> None:
    assert not update(ROOT / name, PAGES[name](), check=True)


def test_a_stale_page_is_told_and_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert update(page, "new\n", check=True)
    assert not page.exists()
    assert update(page, "new\n", check=False)
    assert page.read_text() == "new\n"
    assert not update(page, "new\n", check=True)
    page.write_text("old\n")
    assert update(page, "new\n", check=True)
    assert page.read_text() == "old\n"
