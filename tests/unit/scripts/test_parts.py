"""The table of the tests' parts is whole, and says what a change concerns."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import parts
import pytest
import yaml

TABLE: dict[str, Any] = yaml.safe_load((parts.ROOT / parts.TABLE).read_text())
PARTS = parts.read(TABLE)
UNTESTED = parts.expand(TABLE["nothing"], TABLE["sets"])
NAMED = [part for part in PARTS if part.name != parts.READS_ALL]
#: Parts that read the code of everything, so that what they name says nothing of one thing.
BROAD = ("lint", "types", "docs", "units", "plugins", "second-core")
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=parts.ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()


def part(name: str, *paths: str, seconds: int = 1, images: bool = False) -> parts.Part:
    return parts.Part(name, "everything", seconds, waits=False, images=images, paths=paths)


def names(found: Sequence[parts.Part]) -> list[str]:
    return [each.name for each in found]


def test_every_file_is_some_parts_or_said_to_be_nobodys() -> None:
    left = [file for file in TRACKED if not any(each.is_about(file) for each in NAMED)]
    assert [file for file in left if not parts.matches(file, UNTESTED)] == []


@pytest.mark.parametrize("pattern", UNTESTED)
def test_what_nothing_tests_is_there(pattern: str) -> None:
    assert any(parts.matches(file, [pattern]) for file in TRACKED)


@pytest.mark.parametrize("each", PARTS, ids=lambda each: each.name)
def test_a_part_names_nothing_that_is_gone(each: parts.Part) -> None:
    assert [path for path in each.paths if not any(parts.matches(f, [path]) for f in TRACKED)] == []


def test_every_set_is_used() -> None:
    used = [path[1:] for row in TABLE["parts"].values() for path in row["paths"]]
    used += [path[1:] for paths in TABLE["sets"].values() for path in paths]
    assert set(TABLE["sets"]) - set(used) == set()


def test_the_parts_are_those_of_run_tests() -> None:
    text = (parts.ROOT / "scripts/run_tests.sh").read_text()
    functions = set(re.findall(r"^([a-z-]+)\(\) \{.*?(?=^[a-z-]+\(\)|\Z)", text, re.M | re.S))
    plain = {each.name for each in PARTS if ":" not in each.name}
    assert plain <= functions
    (case,) = re.findall(r"^ +([a-z| -]+)\) \"\$1\" ;;", text, re.M)
    assert set(case.split(" | ")) == plain


def test_each_scenario_is_a_part_and_reads_its_own_folders() -> None:
    scenarios = {file.parent.name for file in (parts.ROOT / "molecule").glob("*/molecule.yml")}
    found = {each.name.partition(":")[2]: each for each in PARTS if ":" in each.name}
    assert set(found) == scenarios
    for name, each in found.items():
        assert each.is_about(f"molecule/{name}/converge.yml")
        assert each.is_about(f"tests/infra/{name}/test_any.py")
        assert each.images


@pytest.mark.parametrize("role", sorted((parts.ROOT / "roles").iterdir()), ids=lambda r: r.name)
def test_each_role_is_run_by_a_scenario(role: Path) -> None:
    file = f"roles/{role.name}/tasks/main.yml"
    assert [each.name for each in PARTS if each.is_about(file) and ":" in each.name]


@pytest.mark.parametrize("group", parts.GROUPS)
def test_groups_have_members(group: str) -> None:
    assert parts.members(PARTS, group)


def test_what_is_tested_by_broad_parts_alone_is_known() -> None:
    """Data and pages that units read, and no machine: a new playbook must not be among them."""
    narrow = [each for each in NAMED if each.name not in BROAD]
    left = {file for file in TRACKED if not any(each.is_about(file) for each in narrow)}
    tops = {file.partition("/")[0] for file in left if not parts.matches(file, UNTESTED)}
    assert tops <= {"docs", "inventory", "playbooks", "scripts", "tests"}
    assert {file for file in left if file.startswith("playbooks/")} == {
        "playbooks/firewall_show.yml"
    }


def test_the_longest_come_first_and_images_are_built_beside_parts_without() -> None:
    given = [
        part("short", seconds=1, images=True),
        part("long", seconds=9, images=True),
        part("plain", seconds=2),
        part("plain long", seconds=5),
    ]
    assert names(parts.in_order(given)) == ["long", "plain long", "plain", "short"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([], []),
        (["roles/ssh/tasks/main.yml"], ["lint", "ssh"]),
        (["roles/time/a", "roles/ssh/b"], ["lint", "ssh", "time"]),
        # For all that is known, it is everybody's.
        (["new/file"], ["lint", "ssh", "time"]),
        (["LICENSE"], ["lint"]),
    ],
)
def test_a_change_concerns(files: list[str], found: list[str]) -> None:
    given = [part("lint", "*"), part("ssh", "roles/ssh/*"), part("time", "roles/time/*")]
    assert names(parts.concerned(given, files, ["LICENSE"])) == found


def test_sets_hold_sets_and_the_collection_has_a_short_name() -> None:
    sets = {"all": ["@some", "c"], "some": ["core:a*", "c"]}
    assert parts.expand(["@all", "d"], sets) == [f"{parts.CORE}a*", "c", "d"]
