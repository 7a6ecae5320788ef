"""Write a page that is generated from the project's own sources, or say that it is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(description: str | None, path: Path, generate: Callable[[], str]) -> int:
    """Write the page, or with ``--check`` only compare it; return the exit status.

    Args:
        description: what ``--help`` says.
        path: the page, below the project's folder.
        generate: returns the page's text.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when it is stale")
    check = parser.parse_args().check
    text = generate()
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    if check:
        sys.stdout.write(f"{path.relative_to(ROOT)} is stale, run `make docs`\n")
        return 1
    path.write_text(text, encoding="utf-8")
    return 0
