"""What a node is held against is assembled in one place, for verify, sweep, benchmark and pairs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.node_spec import node_spec
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import (
    UnknownSpecError,
    resolve_spec,
)

SPECS = {
    "pair": {"gpu": {"count": 2, "power_limit_w": 400}, "cpu": {"cores_min": 8}},
    "free": {"cpu": {"cores_min": 8}},
}
COMPUTE = {"group_names": ["compute", "nvidia"]}


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "none"),
        ({"group_names": ["edge"]}, "none"),
        (COMPUTE, "compute-minimum"),
        ({**COMPUTE, "node_hardware_spec": ""}, "compute-minimum"),
        ({**COMPUTE, "node_hardware_spec": "none"}, "none"),
        ({**COMPUTE, "node_hardware_spec": "pair", "lab_hardware_specs": SPECS}, "pair"),
    ],
)
def test_the_node_s_own_spec_comes_first(variables: dict[str, Any], name: str) -> None:
    assert node_spec(variables).name == name


def test_a_node_without_a_declaration_is_held_against_its_clock_alone() -> None:
    spec = node_spec({}).requirements
    assert spec == {"description": "No hardware is declared", "clock": {"synchronised": True}}


def test_what_a_node_declares_of_its_gpus_is_required_of_them() -> None:
    node_gpu = {"power_limit_w": 300, "ecc": True, "persistence": True, "mig": []}
    declared = {"node_hardware_spec": "pair", "lab_hardware_specs": SPECS, "node_gpu": node_gpu}
    spec = node_spec(declared).requirements
    assert spec["gpu"] == {"count": 2, "power_limit_w": 300, "ecc": True}
    assert spec["cpu"] == {"cores_min": 8}


def test_a_node_of_which_no_gpu_is_asked_is_not_asked_for_one_by_a_setting() -> None:
    declared = {
        "node_hardware_spec": "free",
        "lab_hardware_specs": SPECS,
        "node_gpu": {"ecc": True},
    }
    assert node_spec(declared).requirements == resolve_spec("free", SPECS)


def test_which_machine_it_is_is_required_whatever_the_spec_says() -> None:
    marks = {"inventory_hostname": "gpu02", "node_serial": "S1", "node_mac": "3c:ec:ef:00:00:02"}
    for more in ({}, COMPUTE, {"node_hardware_spec": "free", "lab_hardware_specs": SPECS}):
        spec = node_spec({**marks, **more}).requirements
        assert spec["identity"] == {"name": "gpu02", "serial": "S1", "mac": "3c:ec:ef:00:00:02"}
    assert "identity" not in node_spec({"inventory_hostname": "gpu02", **COMPUTE}).requirements


def test_an_acknowledged_opening_goes_with_what_the_bmc_is_asked() -> None:
    specs = {"watched": {"system": {"sensors": True}}, **SPECS}
    declared = {"lab_hardware_specs": specs, "node_intrusion_acknowledged": "2026-12-01T09:30:00Z"}
    spec = node_spec({**declared, "node_hardware_spec": "watched"}).requirements
    assert spec["system"]["intrusion_acknowledged"] == "2026-12-01T09:30:00Z"
    assert "system" not in node_spec({**declared, "node_hardware_spec": "free"}).requirements


def test_a_spec_that_is_not_declared_is_refused() -> None:
    with pytest.raises(UnknownSpecError, match="lost"):
        node_spec({"node_hardware_spec": "lost"})
