#!/usr/bin/env python3
"""Take README's picture of the report's page (``make readme-picture``; needs Chromium).

It shows the top of the page of a sample lab with faults, the one that tests/page looks at, so that
the picture needs no GPU and shows what a page can show.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import sample_pages
from chromium import Chromium, ChromiumError, View

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "report.png"
VIEW = View(1200, 1320)


def take(browser: Chromium, page: Path, picture: Path) -> None:
    """Save what a window of `VIEW` shows of a page.

    Raises:
        ChromiumError: the browser refused, or has gone.
    """
    tab = browser.open(page.as_uri(), VIEW)
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        tab.screenshot(picture, whole=False)
    finally:
        tab.close()


def main() -> int:
    """Take the picture; return the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="gpulab-picture-") as scratch:
            # The sample's history is not the lab's.
            os.environ[paths.STATE_VARIABLE] = str(Path(scratch) / "state")
            page = sample_pages.write(Path(scratch) / "labs")[sample_pages.SMALL]
            with Chromium(Path(scratch) / "profile") as browser:
                take(browser, page, PICTURE)
    except ChromiumError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
