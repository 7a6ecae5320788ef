"""The odd one among machines that are meant to be alike; of two, nobody is blamed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import fleet_samples as samples
import pytest

from gpulab_fleet import records, uniformity

Facts = dict[str, Any]


def facts() -> Facts:
    return {
        "system": {"vendor": "Supermicro", "product": "AS-8125", "firmware_version": "1.4"},
        "os": {"name": "Ubuntu 24.04.1 LTS", "virtualization": "none"},
        "kernel": {"release": "6.8.0-45-generic"},
        "cpu": {"model": "AMD EPYC 9554", "cores": 64},
        "gpus": [
            {"vendor_id": "0x10de", "name": "H100", "bdf": f"0000:{bus}:00.0"} for bus in (1, 2)
        ]
        + [{"vendor_id": "0x1a03", "name": None, "bdf": "0000:99:00.0"}],
        "nvidia": {
            "module_version": "570.86.15",
            "cuda_version": "12.8",
            "gpus": [
                {
                    "name": "H100",
                    "uuid": f"GPU-{bus}",
                    "serial": f"16{bus}",
                    "vbios_version": "96.0",
                }
                for bus in (1, 2)
            ],
        },
        "dimms": [{"serial": str(n), "size_bytes": 64 * 1024**3} for n in range(16)],
        "disks": [{"model": "PM9A3", "size_bytes": 3840755982336, "kind": "ssd"}],
        "nics": [{"physical": True, "driver": "mlx5_core"}, {"physical": False, "driver": "veth"}],
        "infiniband": [{"device": "mlx5_0", "firmware": "28.39.1002", "bdf": "0000:51:00.0"}],
    }


def lab(
    *changes: Callable[[Facts], object], spec: str = "h100", groups: tuple[str, ...] = ("compute",)
) -> dict[str, records.Record]:
    """One node for each change, which it gets."""
    found = {}
    for number, change in enumerate(changes):
        node = f"node{number:02}"
        own = copy.deepcopy(facts())
        change(own)
        record = samples.record(node, groups=groups, spec=spec)
        found[node] = {**record, "hardware": own}
    return found


def same(_: Facts) -> None:
    """As it should be."""


CHANGES: dict[str, Callable[[Facts], object]] = {
    "os": lambda f: f["os"].update(name="Ubuntu 22.04.5 LTS"),
    "kernel": lambda f: f["kernel"].update(release="6.8.0-40-generic"),
    "driver": lambda f: f["nvidia"].update(module_version="550.54.15"),
    "cuda": lambda f: f["nvidia"].update(cuda_version="12.4"),
    "firmware": lambda f: f["system"].update(firmware_version="1.2"),
    "cpu": lambda f: f["cpu"].update(model="AMD EPYC 9454"),
    "gpus": lambda f: f["gpus"].pop(0),
    "dimms": lambda f: f["dimms"].pop(),
    "disks": lambda f: f["disks"].clear(),
    "nics": lambda f: f["nics"].append({"physical": True, "driver": "igb"}),
    "vbios": lambda f: f["nvidia"]["gpus"][1].update(vbios_version="95.9"),
    "nic_firmware": lambda f: f["infiniband"][0].update(firmware="28.36.1010"),
}


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


@pytest.mark.parametrize("trait", set(CHANGES) - {"vbios"})
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
    """Different specs or groups are different machines, and so are models without a spec."""
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
