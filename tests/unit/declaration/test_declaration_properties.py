"""Whatever somebody writes, the checks answer; they never crash."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.check import block

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70000)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["10.20.0.0/24", "::1", "1-2", "9-a", "²-³", "edge", "ups-a", "loop"])
)
KEYS = (
    st.text(max_size=4)
    | st.integers(0, 3)
    | st.none()
    | st.sampled_from(["cidr", "zone", "address", "name", "from", "ports", "serial", "extends"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
LAB = ("users", "ntp_upstreams", "zones", "flows", "hardware_specs", "upses", "cooling", "timezone")
NODE = ("serial", "mac", "rack", "unit", "interfaces", "root_disk", "protected_disks", "bmc")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lab=st.dictionaries(st.sampled_from([f"lab_{name}" for name in LAB]), VALUES, max_size=3),
    node=st.dictionaries(st.sampled_from([f"node_{name}" for name in NODE]), VALUES, max_size=3),
)
def test_any_values_give_readable_mistakes(
    sound: Lab, lab: dict[str, Any], node: dict[str, Any]
) -> None:
    spoilt = copy.deepcopy(sound)
    spoilt.lab |= lab
    spoilt.hosts["node01"] |= node

    errors = spoilt.check()

    assert all(error["wrong"] and error["right"] for error in errors)
    assert all(block(error).count("\n  wrong: ") == 1 for error in errors)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inner=st.dictionaries(KEYS, VALUES, max_size=4))
@pytest.mark.parametrize("place", ["lab_zones", "lab_upses", "lab_hardware_specs", "lab_cooling"])
def test_any_entry_beside_sound_ones_gives_readable_mistakes(
    sound: Lab, place: str, inner: dict[str, Any]
) -> None:
    spoilt = copy.deepcopy(sound)
    spoilt.lab[place]["new"] = inner
    spoilt.hosts["node01"]["node_interfaces"]["new"] = inner

    assert all(error["wrong"] and error["right"] for error in spoilt.check())


@given(order=st.permutations(["head01", "node01", "node02", "store01", "edge01", "router01"]))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_machines_does_not_matter(sound: Lab, order: list[str]) -> None:
    for name in ("node01", "node02", "store01"):
        sound.hosts[name]["node_serial"] = "SAME"
    expected = sound.check()
    shuffled = copy.deepcopy(sound)
    shuffled.hosts = {name: sound.hosts[name] for name in order}

    assert shuffled.check() == expected
    assert [error["hosts"] for error in expected] == [["node02", "store01"]]
