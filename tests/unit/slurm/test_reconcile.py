"""State x reason x author → what Slurm is told."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.slurm import reconcile
from ansible_collections.gpulab.core.plugins.module_utils.slurm.nodes import Node

WHY = "gpulab: quarantined: GPU 2 fell off the bus"
DRAIN = ("state=drain", f"reason={WHY}")
RENAME = (f"reason={WHY}",)


def node(state: str, reason: str = "", author: str = "root") -> Node:
    return Node("node01", frozenset(state.split("+")), reason, author if reason else "")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (node("IDLE"), DRAIN),
        (node("MIXED"), DRAIN),
        # Slurm resumed it by itself (nextstate=RESUME, a lost state folder).
        (node("IDLE+REBOOT_ISSUED"), DRAIN),
        # Slurm takes it back by itself as soon as it answers.
        (node("DOWN+NOT_RESPONDING", "Not responding", "slurm"), DRAIN),
        (node("DOWN", "Node unexpectedly rebooted", "slurm"), DRAIN),
        (node("DOWN"), DRAIN),
        # A person's.
        (node("DOWN", "taken apart", "ada"), ()),
        (node("IDLE+DRAIN", "fan is loud"), ()),
        (node("FAIL", "RMA 123"), ()),
        (node("IDLE+DRAIN", "Prolog error", "slurm"), ()),
        # Already ours: no new time at each report.
        (node("IDLE+DRAIN", WHY), ()),
        (node("IDLE+DRAIN", "gpulab: quarantined: GPU 1"), ()),
        # Whoever has the other reason would give it back.
        (node("IDLE+DRAIN", "gpulab: driver upgrade"), RENAME),
        (node("IDLE+DRAIN", "gpulab: measuring: pairs"), RENAME),
        (node("DOWN+DRAIN", "gpulab: health: no GPU"), RENAME),
        (node("IDLE+DRAIN", "gpulab: unverified: no record"), RENAME),
    ],
)
def test_a_node_in_quarantine(found: Node, words: tuple[str, ...]) -> None:
    assert reconcile.take_out(found, WHY).words == words


def test_a_hold_does_not_take_the_place_of_a_quarantine() -> None:
    assert reconcile.take_out(node("IDLE+DRAIN", WHY), "gpulab: measuring: pairs").words == ()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (node("IDLE+DRAIN", WHY), ("state=resume",)),
        (node("IDLE+DRAIN", "gpulab: health: no GPU"), ("state=resume",)),
        (node("IDLE+DRAIN", "gpulab: measuring: benchmark"), ("state=resume",)),
        (node("IDLE+DRAIN", f"{WHY} : reboot issued"), ("state=resume",)),
        # Rebooted outside Slurm while it was drained.
        (node("DOWN+DRAIN", WHY), ("state=resume",)),
        # It does not answer: its drain ends, and it stays down.
        (node("DOWN+DRAIN+NOT_RESPONDING", WHY), ("state=undrain",)),
        (node("IDLE+DRAIN", "fan is loud"), ()),
        (node("IDLE+DRAIN", "gpulab is broken here"), ()),
        (node("IDLE+DRAIN"), ()),
        (node("IDLE+DRAIN", "gpulab: driver upgrade"), ()),
        (node("IDLE+DRAIN", "gpulab: cooling: inlet 41 C"), ()),
        (node("IDLE"), ()),
        (node("DOWN", "Not responding", "slurm"), ()),
    ],
)
def test_a_node_in_service(found: Node, words: tuple[str, ...]) -> None:
    change = reconcile.give_back(found)
    assert (change.words, change.refused) == (words, False)


def test_what_slurm_would_refuse_is_not_tried() -> None:
    change = reconcile.give_back(node("IDLE+DRAIN+INVALID_REG", WHY))
    assert (change.words, change.refused) == ((), True)
    assert "INVALID_REG" in change.said


def test_each_part_lifts_its_own() -> None:
    upgrade = node("IDLE+DRAIN", "gpulab: driver upgrade")
    assert reconcile.give_back(upgrade, "gpulab: driver upgrade").words == ("state=resume",)
    for other in (WHY, "gpulab: measuring: pairs", "fan"):
        assert reconcile.give_back(node("IDLE+DRAIN", other), "gpulab: driver upgrade").words == ()


def test_all_at_once_and_the_timer_lifts_nothing() -> None:
    nodes = {
        "bad": node("IDLE"),
        "good": node("IDLE+DRAIN", WHY),
        "quiet": node("IDLE"),
        "foreign": node("IDLE"),
    }
    wanted = {"bad": WHY, "good": "", "quiet": "", "gone": WHY}
    found = {name: change.words for name, change in reconcile.changes(wanted, nodes).items()}
    assert found == {"bad": DRAIN, "good": ("state=resume",), "quiet": ()}
    timer = reconcile.changes(wanted, nodes, lift=False)
    assert {name: change.words for name, change in timer.items()} == {"bad": DRAIN}


@pytest.mark.parametrize("known", ["gpu01", "gpu01.lab.example"])
def test_a_full_name_of_the_inventory_is_found_by_slurms_own(known: str) -> None:
    nodes = {known: Node(known, frozenset({"IDLE"}))}
    change = reconcile.changes({"gpu01.lab.example": WHY}, nodes)["gpu01.lab.example"]
    assert (change.node, change.words) == (known, DRAIN)
    assert reconcile.changes({"gpu02.lab.example": WHY}, nodes) == {}


def test_a_reason_is_one_line_of_a_tables_length() -> None:
    assert reconcile.reason("gpulab: x", "a\nb  c") == "gpulab: x: a b c"
    long = reconcile.reason("gpulab: x", "word " * 100)
    assert len(long) == 160
    assert long.endswith("…")
