"""Users have a number of their own where there is Slurm, which runs jobs by numbers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Declaration, Host
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.people import people_problems


def wrong(*users: dict[str, Any], groups: tuple[str, ...] = ()) -> list[str]:
    declared = [{"ssh_keys": ["x"], **user} for user in users]
    declaration = Declaration({"lab_users": declared}, (Host("node01", groups),))
    return [
        f"{'.'.join(map(str, problem.path))}: {problem.wrong}"
        for problem in people_problems(declaration)
        if problem.path[-1] == "uid"
    ]


ALICE, BOB = {"name": "alice", "uid": 2001}, {"name": "bob", "uid": 2002}


@pytest.mark.parametrize("groups", [(), ("slurm",)])
def test_numbers_of_their_own_are_right(groups: tuple[str, ...]) -> None:
    assert wrong(ALICE, BOB, groups=groups) == []


def test_a_number_is_needed_where_there_is_slurm_and_not_of_who_has_left() -> None:
    carol = {"name": "carol", "state": "absent"}
    assert wrong({"name": "alice"}, carol) == []
    (said,) = wrong({"name": "alice"}, BOB, carol, groups=("compute", "slurm"))
    assert said.startswith("lab_users.0.uid: Slurm (node01) runs a job by its user's number")


def test_a_number_is_one_users() -> None:
    (said,) = wrong(ALICE, {**BOB, "uid": 2001})
    assert said == "lab_users.1.uid: the number 2001 is already taken by lab_users[0].uid"


@pytest.mark.parametrize(("uid", "refused"), [(61183, 0), (61184, 1), (65534, 1), (65536, 0)])
def test_numbers_that_the_system_gives_away_are_refused(uid: int, refused: int) -> None:
    assert len(wrong({**ALICE, "uid": uid})) == refused
