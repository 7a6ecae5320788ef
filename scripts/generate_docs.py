#!/usr/bin/env python3
"""Write the generated pages anew, or with ``--check`` say which are stale (exit status 1).

Each page is made from what it describes: role READMEs from ``meta/argument_specs.yml`` (by
aar-doc), docs/declaration.md from the JSON Schema, docs/gpu-software.md and docs/verification.md
from their catalogues.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATORS = (
    "generate_declaration_docs.py",
    "generate_gpu_software_docs.py",
    "generate_verification_docs.py",
)


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


def main() -> int:
    """Write or check every generated page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on stale pages")
    check = parser.parse_args().check
    stale = []
    for role in sorted(path.parent for path in ROOT.glob("roles/*/meta")):
        page, text = role / "README.md", role_readme(role)
        if page.is_file() and page.read_text() == text:
            continue
        stale.append(str(page.relative_to(ROOT)))
        if not check:
            page.write_text(text)
    for generator in GENERATORS:
        arguments = ["--check"] if check else []
        command = [sys.executable, str(ROOT / "scripts" / generator), *arguments]
        if subprocess.run(command, check=False).returncode:
            stale.append(generator)
    if check and stale:
        sys.stdout.write(f"stale, run `make docs`: {', '.join(stale)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
