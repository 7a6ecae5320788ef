"""The odd one among nodes that are meant to be alike; of two, nobody is blamed."""

from __future__ import annotations

import pytest
from uniformity_samples import CHANGES, lab, same

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers import uniformity
from ansible_collections.gpulab.core.plugins.plugin_utils.records import records


def test_every_trait_has_a_case() -> None:
    assert set(CHANGES) == {trait.id for trait in uniformity.TRAITS}


def odd(found: dict[str, records.Record]) -> list[tuple[str, str]]:
    return [
        (node, finding["id"])
        for node, findings in uniformity.judge(found).items()
        for finding in findings
        if finding["status"] != "pass"
    ]


@pytest.mark.parametrize("trait", CHANGES)
def test_the_odd_one_of_three_is_named(trait: str) -> None:
    found = lab(same, CHANGES[trait], same)
    assert odd(found) == [("node01", f"uniform.{trait}")]
    (finding,) = uniformity.judge(found)["node01"]
    assert (finding["status"], finding["severity"]) == ("warn", "warn")
    assert finding["observed"] != finding["expected"]
    assert finding["expected"] is not None
    assert finding["action"]


@pytest.mark.parametrize("trait", sorted(set(CHANGES) - {"vbios"}))
def test_of_two_nobody_is_blamed(trait: str) -> None:
    found = lab(same, CHANGES[trait])
    assert odd(found) == [("node00", f"uniform.{trait}"), ("node01", f"uniform.{trait}")]
    (finding,) = uniformity.judge(found)["node00"]
    assert finding["expected"] is None
    assert "they differ" in finding["evidence"]
    assert "on node00" in finding["evidence"]
    assert "on node01" in finding["evidence"]


def test_an_odd_vbios_is_the_gpus() -> None:
    """Four GPUs vote, so even two nodes have a majority, and one with several GPUs has."""
    (finding,) = uniformity.judge(lab(same, CHANGES["vbios"]))["node01"]
    assert finding["part"]["uuid"] == "GPU-2"
    assert finding["part"]["serial"] == "162"
    assert "95.9; 3 of 4 have 96.0" in finding["evidence"]


def test_alike_is_one_pass_that_says_what_was_compared() -> None:
    for findings in uniformity.judge(lab(same, same)).values():
        (finding,) = findings
        assert (finding["id"], finding["status"]) == ("uniform", "pass")
        assert "kernel, NVIDIA driver" in finding["evidence"]


def test_a_tie_is_no_majority() -> None:
    change = CHANGES["kernel"]
    assert len(odd(lab(same, same, change, change))) == 4


def test_a_node_alone_is_compared_only_with_itself() -> None:
    (finding,) = uniformity.judge(lab(same))["node00"]
    assert finding["evidence"] == "like the others of its kind: VBIOS"
    bare = lab(lambda f: f.update(nvidia=None))
    assert uniformity.judge(bare) == {}


@pytest.mark.parametrize("section", ["kernel", "nvidia", "dimms", "gpus", "system"])
def test_what_was_not_read_has_no_vote(section: str) -> None:
    found = lab(same, lambda f: f.update({section: None}), same)
    assert odd(found) == []


def test_nodes_without_hardware_are_left_out() -> None:
    found = lab(same, same)
    found["node01"]["hardware"] = None
    assert "node01" not in uniformity.judge(found)


def test_who_is_compared_with_whom() -> None:
    """Different specs or groups are different nodes, and so are models without a spec."""
    kernel = CHANGES["kernel"]
    found = lab(same)
    found["other"] = lab(kernel, spec="a100")["node00"]
    found["head"] = lab(kernel, groups=("controllers",))["node00"]
    assert odd(found) == []
    for spec in ("none", "", "compute-minimum"):
        assert odd(lab(same, lambda f: (kernel(f), CHANGES["cpu"](f)), spec=spec)) == []
        assert len(odd(lab(same, kernel, spec=spec))) == 2


def test_the_management_controllers_display_is_no_gpu() -> None:
    assert odd(lab(same, lambda f: f["gpus"].pop(2), same)) == []


def test_other_adapters_have_other_firmware() -> None:
    changed = lab(same, lambda f: f["infiniband"][0].update(firmware="20.31.1014"), same)
    assert odd(changed) == []
