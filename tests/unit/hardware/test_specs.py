"""Hardware specs: inheritance and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import (
    ANY_GPU,
    BUILTIN_SPECS,
    SpecCycleError,
    SpecError,
    UnknownSpecError,
    resolve_spec,
    spec_errors,
)

SPECS: dict[str, Any] = {
    "pair": {
        "description": "two A100",
        "extends": "compute-minimum",
        "cpu": {"architecture": "x86_64"},
        "gpu": {"count": 2, "models": ["A100"]},
    },
    "big-pair": {"extends": "pair", "memory": {"gib_min": 512}},
    "free": {"clock": {"synchronised": False}},
}


def test_the_guides_minimum() -> None:
    spec = resolve_spec("compute-minimum", {})
    assert spec["cpu"] == {"cores_min": 16}
    assert spec["memory"] == {"gib_min": 128}
    assert spec["storage"] == {"ssd_tb_min": 2, "hdd_tb_min": 10}
    assert spec["network"] == {"speed_mbps_min": 10000, "links_min": 1}
    assert spec["gpu"]["count_min"] == 2
    assert {"V100", "A100"} <= set(spec["gpu"]["models"])


@pytest.mark.parametrize("name", BUILTIN_SPECS)
def test_builtin_specs_are_sound(name: str) -> None:
    assert spec_errors(name, BUILTIN_SPECS[name]) == []
    assert resolve_spec(name, {})["description"]


def test_a_spec_inherits_and_replaces() -> None:
    before = copy.deepcopy(SPECS)
    spec = resolve_spec("big-pair", SPECS)
    assert spec["memory"] == {"gib_min": 512}
    assert spec["cpu"] == {"cores_min": 16, "architecture": "x86_64"}
    assert spec["gpu"] == {"count": 2, "models": ["A100"]}
    # A description describes its own spec only.
    assert spec["description"] == ""
    assert "extends" not in spec
    assert before == SPECS


@pytest.mark.parametrize(
    ("parent", "own", "resolved"),
    [
        ({"count_min": 2}, {"count": 0}, {"count": 0}),
        ({"count": 2}, {"count_min": 1}, {"count_min": 1}),
        ({"count_min": 2}, {"models": ["A100"]}, {"count_min": 2, "models": ["A100"]}),
    ],
)
def test_an_exact_and_a_least_number_replace_each_other(
    parent: dict[str, Any], own: dict[str, Any], resolved: dict[str, Any]
) -> None:
    specs = {"parent": {"gpu": parent}, "child": {"extends": "parent", "gpu": own}}
    assert resolve_spec("child", specs)["gpu"] == resolved


def test_a_declared_spec_replaces_a_builtin_one_of_its_name() -> None:
    spec = resolve_spec("compute-minimum", {"compute-minimum": {"cpu": {"cores_min": 8}}})
    assert spec == {"description": "", "cpu": {"cores_min": 8}}


def test_an_unknown_spec_names_the_known_ones() -> None:
    with pytest.raises(
        UnknownSpecError, match=r"node_hardware_spec.*'nope'.*compute-minimum.*pair"
    ):
        resolve_spec("nope", SPECS)


def test_an_unknown_ancestor_names_the_key() -> None:
    with pytest.raises(UnknownSpecError, match=r"lab_hardware_specs\.a\.extends: .*'b'"):
        resolve_spec("a", {"a": {"extends": "b"}})


@pytest.mark.parametrize(
    "specs",
    [
        {"a": {"extends": "a"}},
        {"a": {"extends": "b"}, "b": {"extends": "a"}},
        {"a": {"extends": "b"}, "b": {"extends": "c"}, "c": {"extends": "b"}},
    ],
)
def test_a_circle_is_refused(specs: dict[str, Any]) -> None:
    with pytest.raises(SpecCycleError, match=r"\.extends: .*circle"):
        resolve_spec("a", specs)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("words", "s: must be a mapping"),
        ({"description": 1}, "s.description: must be text"),
        ({"extends": ["a"]}, "s.extends: must be text"),
        ({"ram": {}}, "s.ram: unknown section"),
        ({"cpu": 16}, "s.cpu: must be a mapping"),
        ({"cpu": {"cores": 16}}, "s.cpu.cores: unknown requirement; known: architecture"),
        ({"cpu": {"cores_min": "16"}}, "s.cpu.cores_min: must be a whole number"),
        ({"cpu": {"cores_min": True}}, "s.cpu.cores_min: must be a whole number"),
        ({"cpu": {"cores_min": -1}}, "s.cpu.cores_min: must be a whole number"),
        ({"cpu": {"architecture": "arm"}}, "s.cpu.architecture: must be x86_64 or aarch64"),
        ({"memory": {"gib_min": None}}, "s.memory.gib_min: must be a number"),
        ({"gpu": {"models": "A100"}}, "s.gpu.models: must be a list of words"),
        ({"gpu": {"models": []}}, "s.gpu.models: must be a list of words"),
        ({"gpu": {"models": [""]}}, "s.gpu.models: must be a list of words"),
        ({"gpu": {"driver_version": 580}}, "s.gpu.driver_version: must be a version in quotes"),
        ({"gpu": {"driver_version": "latest"}}, "s.gpu.driver_version: must be a version"),
        ({"gpu": {"cuda_version_min": "13."}}, "s.gpu.cuda_version_min: must be a version"),
        ({"gpu": {"vbios_versions": []}}, "s.gpu.vbios_versions: must be a list of words"),
        ({"gpu": {"ecc": "on"}}, "s.gpu.ecc: must be true or false"),
        ({"gpu": {"link_width": 15.5}}, "s.gpu.link_width: must be a whole number"),
        ({"gpu": {"power_limit_w": "300"}}, "s.gpu.power_limit_w: must be a number"),
        ({"clock": {"synchronised": 1}}, "s.clock.synchronised: must be true or false"),
        ({"cpu": {"governor": " "}}, "s.cpu.governor: must be a word"),
        ({"cpu": {"clocksources": "tsc"}}, "s.cpu.clocksources: must be a list of words"),
        ({"storage": {"smart": "yes"}}, "s.storage.smart: must be true or false"),
        ({"system": {"psus_min": "two"}}, "s.system.psus_min: must be a whole number"),
    ],
)
def test_a_malformed_spec_is_refused_with_its_key(spec: object, error: str) -> None:
    (found,) = spec_errors("s", spec)
    assert found.startswith(f"lab_hardware_specs.{error}")
    with pytest.raises(SpecError):
        resolve_spec("s", {"s": spec})


def test_all_errors_come_at_once() -> None:
    assert len(spec_errors("s", {"cpu": {"x": 1, "cores_min": "a"}, "ram": {}})) == 3


COUNT, AMOUNT, WORDS, WORD, VERSION, YES_NO = 2, 1.5, ["tsc"], "performance", "580.95", True
#: Each requirement by its own name, with a value of its kind.
VALUES: dict[str, dict[str, Any]] = {
    "cpu": {
        "architecture": "aarch64",
        "sockets_min": COUNT,
        "cores_min": COUNT,
        "numa_nodes_min": COUNT,
        "governor": WORD,
        "clocksources": WORDS,
    },
    "memory": {
        "gib_min": AMOUNT,
        "dimms_min": COUNT,
        "dimm_slots": WORDS,
        "dimm_gib_min": AMOUNT,
        "speed_mts_min": COUNT,
        "rated_speed": YES_NO,
        "balanced": YES_NO,
        "ecc": YES_NO,
        "corrected_max": COUNT,
    },
    "storage": {
        "ssd_tb_min": AMOUNT,
        "hdd_tb_min": AMOUNT,
        "smart": YES_NO,
        "read_mbs_min": AMOUNT,
        "write_mbs_min": AMOUNT,
    },
    "network": {
        "speed_mbps_min": COUNT,
        "links_min": COUNT,
        "round_trip_ms_max": AMOUNT,
        "errors_max": COUNT,
        "link_losses_max": COUNT,
    },
    "infiniband": {"ports_min": COUNT, "rate_gbps_min": AMOUNT, "errors_max": COUNT},
    "system": {"psus_min": COUNT, "fans_min": COUNT, "sensors": YES_NO, "event_log": YES_NO},
    "topology": {"gpu_nic_local": YES_NO, "peer_direct": YES_NO},
    "gpu": {
        "count": COUNT,
        "count_min": COUNT,
        "models": WORDS,
        "memory_gib_min": AMOUNT,
        "driver_version": VERSION,
        "cuda_version_min": VERSION,
        "vbios_versions": WORDS,
        "ecc": YES_NO,
        "power_limit_w": AMOUNT,
        "link_width": COUNT,
        "link_generation": COUNT,
        "nvlinks": COUNT,
        "gpudirect": YES_NO,
        "containers": YES_NO,
    },
    "clock": {"synchronised": YES_NO},
}
REQUIRED = [(section, key) for section, keys in VALUES.items() for key in keys]


@pytest.mark.parametrize(("section", "key"), REQUIRED)
def test_each_requirement_takes_its_own_kind_of_value_alone(section: str, key: str) -> None:
    right = VALUES[section][key]
    assert spec_errors("s", {section: {key: right}}) == []
    kinds: list[object] = [COUNT, AMOUNT, WORDS, WORD, VERSION, YES_NO]
    # A whole number is an amount, too, and a word may look like a version.
    fitting = {
        float: (int, float),
        list: (list,),
        bool: (bool,),
        int: (int,),
        str: (str,),
    }[type(right)]
    for wrong in kinds:
        if type(wrong) not in fitting:
            assert spec_errors("s", {section: {key: wrong}}), wrong


def test_nothing_of_a_requirement_is_a_number_too() -> None:
    """None and less: 0 is as declared, below it is nothing."""
    assert spec_errors("s", {"gpu": {"count": 0}, "memory": {"gib_min": 0}}) == []
    assert len(spec_errors("s", {"gpu": {"count": -1}, "memory": {"gib_min": -0.5}})) == 2


def test_whatever_a_spec_asks_of_gpus_is_named() -> None:
    assert set(ANY_GPU) >= set(VALUES["gpu"])
    assert not set(ANY_GPU) & set(VALUES["clock"])
    assert BUILTIN_SPECS["compute-minimum"]["clock"] == {"synchronised": True}
