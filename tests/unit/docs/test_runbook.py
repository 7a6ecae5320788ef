"""docs/runbook.md: what it says that a reader sees is what gpulab prints."""

from __future__ import annotations

import re
from functools import cache

import pytest
from references import ROOT

from ansible_collections.gpulab.core.plugins.module_utils.hardware.xid import XID_CLASSES

PAGE = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
SOURCES = (
    "python_modules/**/*.py",
    "roles/*/tasks/*.yml",
    "roles/*/vars/*.yml",
    "playbooks/**/*.yml",
)
# Shorter pieces between two "…" say too little to be looked for.
_LEAST = 4


def shown() -> list[str]:
    """Return each line that the page shows as printed."""
    blocks = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]


def pieces(line: str) -> list[str]:
    """Return what of a line is fixed: what stands between names, numbers and joints."""
    # A preflight line joins check, finding and action by ": " and " -> ".
    parts = re.split(r"…|: | -> |; ", line)
    return [piece.strip(" ,.;()") for piece in parts if len(piece.strip(" ,.;()")) >= _LEAST]


@cache
def sources() -> str:
    """Return all texts of the code, without the joints between a sentence's strings."""
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for pattern in SOURCES
        for path in sorted(ROOT.glob(pattern))
    )
    # "one " f"sentence", as Python joins strings; and YAML's folded lines.
    return re.sub(r"\s+", " ", re.sub(r"[\"']\s*\n\s*(?:else\s+)?f?[\"']", "", text))


@pytest.mark.parametrize("line", shown())
def test_what_is_shown_is_printed(line: str) -> None:
    found = pieces(line)
    assert found, line
    assert [piece for piece in found if piece not in sources()] == []


def test_another_text_would_be_seen() -> None:
    assert len(shown()) > 40
    assert pieces("… s; the former state is back") == ["the former state is back"]
    assert "the former state is somewhere else" not in sources()
    assert "nobody confirmed it within" in sources()


def test_the_table_of_xids_is_the_codes() -> None:
    """Each code with a class of its own stands beside the verdict that the class gets."""
    rows = re.findall(r"^\| ([^|]*) \| (fail|warn|pass) \|", PAGE, re.MULTILINE)
    told = {int(code): status for codes, status in rows for code in re.findall(r"\d+", codes)}
    statuses = {"application": "warn", "information": "pass"}
    assert told == {code: statuses.get(kind, "fail") for code, kind in XID_CLASSES.items()}


def test_every_symptom_says_what_to_do() -> None:
    symptoms = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    for symptom in symptoms:
        title = symptom.partition("\n")[0]
        assert "**Do" in symptom, title
        assert "**Meaning" in symptom, title
    listed = set(re.findall(r"\(#([a-z0-9-]+)\)", PAGE.partition("\n## ")[0]))
    assert len(listed) >= len(symptoms) - 1
