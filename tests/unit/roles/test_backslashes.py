"""A pattern means what it says: Ansible keeps a doubled backslash in an expression doubled.

In a double-quoted scalar YAML has made one of the two before. Anywhere else a pattern for what is
no blank asks for a backslash and an S, and matches nothing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
# What git keeps: scenarios that run beside this test write and remove inventories of their own.
FILES = [
    PROJECT / name
    for name in subprocess.run(
        ["git", "ls-files", "-z", "--", "roles/*.yml", "playbooks/*.yml", "molecule/*.yml"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    if name
]


def test_files_are_found() -> None:
    assert PROJECT / "roles" / "ssh" / "tasks" / "main.yml" in FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_no_doubled_backslash_outside_double_quotes(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert [line for line in lines if "\\\\" in line and '"' not in line] == []
