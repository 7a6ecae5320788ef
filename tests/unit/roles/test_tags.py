"""Whatever tag a run names, the roles that it runs have the facts that they decide by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
GATHER = "ansible.builtin.gather_facts"


def plays() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the plays that gather facts by themselves, with a name for the test."""
    for file in sorted(PLAYBOOKS.glob("*.yml")):
        for play in yaml.safe_load(file.read_text(encoding="utf-8")):
            if "hosts" in play and play.get("gather_facts", True) and play.get("tags"):
                yield f"{file.name}: {play['name']}", play


def tags_of(item: dict[str, Any]) -> set[str]:
    """Return the tags that a play, role or task has itself."""
    tags = item.get("tags", [])
    return {tags} if isinstance(tags, str) else set(tags)


def tags_without_facts(play: dict[str, Any]) -> set[str]:
    """Return the tags by which a part of the play runs and its gathering of facts does not."""
    parts = [part for key in ("pre_tasks", "roles", "tasks") for part in play.get(key, [])]
    gathering = [part for part in parts if GATHER in part]
    with_facts = tags_of(play).union(*map(tags_of, gathering))
    return {tag for part in parts for tag in tags_of(part)} - with_facts


@pytest.mark.parametrize("play", [pytest.param(play, id=name) for name, play in plays()])
def test_facts_are_gathered_under_every_tag_of_a_play(play: dict[str, Any]) -> None:
    assert tags_without_facts(play) == set()


def test_a_tag_without_facts_is_noticed() -> None:
    play = {"tags": ["base"], "roles": [{"role": "ssh", "tags": "ssh"}, {"role": "base"}]}
    assert tags_without_facts(play) == {"ssh"}
    gather = {GATHER: None, "tags": ["ssh"]}
    assert tags_without_facts({**play, "pre_tasks": [gather]}) == set()
