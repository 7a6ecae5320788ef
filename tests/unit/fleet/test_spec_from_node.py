"""A captured spec passes on the node that it was captured from, and fails where a part differs."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from case import Change
from cases_parts import CASES, WARNS
from gathered_machines import ALL, HOST_MACHINES
from jsonschema import Draft202012Validator

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import (
    REQUIREMENTS,
    resolve_spec,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of
from ansible_collections.gpulab.core.plugins.plugin_utils.spec_from_node.spec_from_node import (
    CaptureError,
    capture,
    describe,
    render,
)

_SCHEMA = json.loads(
    (Path(__file__).parents[3] / "inventory" / "lab.schema.json").read_text(encoding="utf-8")
)
DECLARATION = Draft202012Validator({"$ref": "#/$defs/hardware_spec", "$defs": _SCHEMA["$defs"]})
FAULTS = [
    pytest.param(change, id=f"{name}-{number}")
    for name, case in CASES.items()
    for number, change in enumerate((*case.fails, *WARNS.get(name, ())))
]


def readable(facts: dict[str, Any]) -> bool:
    """Whether so much of a node could be read that a spec can be written."""
    return bool(facts["cpu"] and facts["memory"])


@pytest.mark.parametrize("name", ALL)
def test_a_captured_spec_passes_on_its_own_facts(
    gathered: dict[str, dict[str, Any]], name: str
) -> None:
    captured = capture(gathered[name], "x", allow_unread=True)
    found = verify(gathered[name], captured.spec)
    assert [finding for finding in found if finding["status"] != "pass"] == []
    # It is one that the lab can declare.
    DECLARATION.validate(captured.spec)
    assert resolve_spec("own", {"own": captured.spec})["description"] == "x"
    stated = {
        f"{section}.{key}" for section in REQUIREMENTS for key in captured.spec.get(section, {})
    }
    every = {f"{section}.{key}" for section, keys in REQUIREMENTS.items() for key in keys}
    # The exact number of GPUs stands for the least one.
    assert stated | set(captured.left_out) == every - {"gpu.count_min"}
    assert not stated & set(captured.left_out)
    assert bool(stated) or not readable(gathered[name])


@pytest.mark.parametrize("change", FAULTS)
def test_a_captured_spec_fails_on_another_part(
    gathered: dict[str, dict[str, Any]], change: Change
) -> None:
    captured = capture(gathered["server"], "x", allow_unread=True)
    facts = copy.deepcopy(gathered["server"])
    change(facts)
    assert verdict_of(verify(facts, captured.spec)) in ("fail", "warn")


@pytest.mark.parametrize("name", [name for name in HOST_MACHINES if name != "bare-server"])
def test_a_machine_with_a_fault_does_not_meet_the_good_ones_spec(
    gathered: dict[str, dict[str, Any]], name: str
) -> None:
    captured = capture(gathered["server"], "x", allow_unread=True)
    verdict = verdict_of(verify(gathered[name], captured.spec))
    alike = name in ("server", "new-forms", "new-ipmitool")
    # Its errors are counted by a driver of other modules.
    assert (verdict == "pass") == (alike or name == "old-forms"), verdict


def test_all_of_a_good_server_is_stated(gathered: dict[str, dict[str, Any]]) -> None:
    captured = capture(gathered["server"], "x", allow_unread=True)
    # nvidia-smi is not part of this fixture; the others are measured, and not read.
    assert {key for key in captured.left_out if not key.startswith("gpu.")} == {
        "network.round_trip_ms_max",
        "storage.read_mbs_min",
        "storage.write_mbs_min",
    }
    assert captured.spec["memory"]["dimms_min"] == 16
    assert captured.spec["infiniband"] == {"ports_min": 2, "rate_gbps_min": 400, "errors_max": 0}
    assert captured.spec["system"]["psus_min"] == 2


def test_a_fault_of_the_node_is_not_made_a_rule(gathered: dict[str, dict[str, Any]]) -> None:
    captured = capture(gathered["dying-nvme"], "x", allow_unread=True)
    assert "smart" not in captured.spec["storage"]
    assert "117 media errors" in captured.left_out["storage.smart"]


def test_what_could_not_be_read_is_refused_by_name(gathered: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(CaptureError, match=r"dimms: dmidecode is not installed.*ipmi_sensors"):
        capture(gathered["bare-server"], "x")
    allowed = capture(gathered["bare-server"], "x", allow_unread=True)
    assert allowed.left_out["memory.dimms_min"] == "the section dimms could not be read"


def test_the_gpus_are_stated_by_number_model_and_memory(
    gathered: dict[str, dict[str, Any]],
) -> None:
    spec = capture(gathered["two-a100"], "x", allow_unread=True).spec["gpu"]
    assert spec["count"] == 2
    assert spec["models"] == ["A100-SXM4-80GB"]
    assert spec["memory_gib_min"] == 80
    # A fallen GPU is seen.
    assert verdict_of(verify(gathered["fallen-gpu"], {"gpu": spec})) == "fail"


def test_links_of_gpus_that_could_not_all_be_read_are_not_stated(
    gathered: dict[str, dict[str, Any]],
) -> None:
    facts = copy.deepcopy(gathered["two-a100"])
    assert capture(facts, "x", allow_unread=True).spec["gpu"]["nvlinks"] == 12
    facts["nvidia"]["gpus"][1]["nvlinks"][3]["active"] = None
    assert "nvlinks" not in capture(facts, "x", allow_unread=True).spec.get("gpu", {})


def test_several_links_are_stated_by_the_fastest(gathered: dict[str, dict[str, Any]]) -> None:
    facts = copy.deepcopy(gathered["server"])
    fast = facts["nics"][0]
    facts["nics"] += [
        {**fast, "name": "ens1f1np1"},
        {**fast, "name": "eno1", "speed_mbps": 1000},
        {**fast, "name": "eno2", "link": "down", "speed_mbps": None},
    ]
    network = capture(facts, "x", allow_unread=True).spec["network"]
    assert (network["speed_mbps_min"], network["links_min"]) == (25000, 2)


def test_the_text_is_a_declaration(gathered: dict[str, dict[str, Any]]) -> None:
    facts = gathered["dying-nvme"]
    captured = capture(facts, describe(facts, "node01"), allow_unread=True)
    text = render("good", captured, "node01")
    assert yaml.safe_load(text) == {"lab_hardware_specs": {"good": captured.spec}}
    assert captured.spec["description"] == "Like node01 (Supermicro AS -4124GS-TNR)"
    assert "# Not stated: storage.smart: disk.smart is fail on this node" in text
