"""A pattern means what it says: Ansible keeps a doubled backslash in an expression doubled.

In a double-quoted scalar YAML has made one of the two before. Anywhere else a pattern for what is
no blank asks for a backslash and an S, and matches nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
FILES = [
    file
    for folder in ("roles", "playbooks", "molecule")
    for file in sorted((PROJECT / folder).rglob("*.yml"))
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_no_doubled_backslash_outside_double_quotes(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert [line for line in lines if "\\\\" in line and '"' not in line] == []
