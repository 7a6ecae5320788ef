#!/usr/bin/env python3
"""Write the generated pages again, or with ``--check`` say which are stale (exit status 1).

Each page is made from what it describes: role READMEs from ``meta/argument_specs.yml`` (by
aar-doc), docs/declaration.md from the JSON Schema, docs/checks.md, docs/gpu-software.md,
docs/history.md and docs/verification.md from their catalogues.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import checks_page
import declaration_page
import gpu_software_page
import history_page
import verification_page

ROOT = Path(__file__).resolve().parent.parent
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/checks.md": checks_page.page,
    "docs/declaration.md": declaration_page.page,
    "docs/gpu-software.md": gpu_software_page.page,
    "docs/history.md": history_page.page,
    "docs/verification.md": verification_page.page,
}


def escape_pipes(markdown: str) -> str:
    """Escape the pipes inside code spans of table rows, which would end a cell."""

    def in_row(line: str) -> str:
        if not line.startswith("|"):
            return line
        return re.sub(r"`[^`]*`", lambda code: code[0].replace("|", r"\|"), line)

    return "\n".join(in_row(line) for line in markdown.split("\n"))


def role_readme(role: Path) -> str:
    """Render a role's README in a scratch copy, so that nothing is left half written."""
    with tempfile.TemporaryDirectory(prefix="gpulab-docs-") as scratch:
        copy = Path(scratch) / role.name
        shutil.copytree(role / "meta", copy / "meta")
        template = (
            "<!-- Generated from meta/argument_specs.yml by `make docs`. -->\n{{ content }}\n"
        )
        subprocess.run(
            [
                *("aar-doc", "--output-mode", "replace", "--output-template", template),
                *(str(copy), "markdown"),
            ],
            check=True,
            capture_output=True,
            cwd=scratch,
        )
        text = escape_pipes((copy / "README.md").read_text())
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def update(page: Path, text: str, *, check: bool) -> bool:
    """Write a page unless it is what it should be, or only look; return whether it was stale."""
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return False
    if not check:
        page.write_text(text, encoding="utf-8")
    return True


def main() -> int:
    """Write or check every generated page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on stale pages")
    check = parser.parse_args().check
    texts = {name: generate() for name, generate in PAGES.items()}
    for role in sorted(path.parent for path in ROOT.glob("roles/*/meta")):
        texts[f"roles/{role.name}/README.md"] = role_readme(role)
    stale = [name for name, text in texts.items() if update(ROOT / name, text, check=check)]
    if check and stale:
        sys.stdout.write(f"stale, run `make docs`: {', '.join(stale)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
