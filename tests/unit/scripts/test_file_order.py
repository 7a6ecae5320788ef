"""The order of a scenario's test files is written down, and names each of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_order import places, ranks, read

INFRA = Path(__file__).parents[2] / "infra"


def test_comments_are_no_files() -> None:
    assert read("# why\ntest_b.py\n\ntest_a.py  # last\n") == ["test_b.py", "test_a.py"]


def test_each_file_has_its_place() -> None:
    assert ranks(["test_b.py", "test_a.py"], ["test_a.py", "test_b.py"]) == {
        "test_b.py": 0,
        "test_a.py": 1,
    }


@pytest.mark.parametrize(
    ("listed", "there", "odd"),
    [
        (["test_a.py"], ["test_a.py", "test_b.py"], "test_b.py"),
        (["test_a.py", "test_b.py"], ["test_a.py"], "test_b.py"),
        (["test_a.py", "test_a.py"], ["test_a.py"], "test_a.py"),
    ],
)
def test_what_is_listed_must_be_what_is_there(
    listed: list[str], there: list[str], odd: str
) -> None:
    with pytest.raises(ValueError, match=f"look at {odd}"):
        ranks(listed, there)


def test_a_folder_without_an_order_is_free(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").touch()
    assert places(tmp_path) == {}


@pytest.mark.parametrize("folder", sorted(INFRA.glob("*/order.txt")), ids=lambda f: f.parent.name)
def test_the_orders_of_the_scenarios_are_whole(folder: Path) -> None:
    assert places(folder.parent)
