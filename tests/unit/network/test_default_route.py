"""Which way a node's default routes go, for preflight and for the role."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.default_route import (
    default_routes,
)

ZONES: dict[str, Any] = {
    "management": {"cidr": "10.20.0.0/24", "gateway": "10.20.0.1"},
    "fabric": {"cidr": "10.20.2.0/24"},
    "public": {"cidr": "10.20.5.0/24", "gateway": "10.20.5.1"},
    "both": {"gateway": "10.20.6.1", "gateway6": "fd12::1"},
    # A zone of a sandbox that is not up.
    "blank": {"gateway": "", "gateway6": ""},
}
FABRIC = {"zone": "fabric", "address": "10.20.2.9"}
PUBLIC = {"zone": "public", "address": "10.20.5.9"}
MANAGED = {"zone": "management", "address": "10.20.0.9"}
BOTH = {"zone": "both", "address": "10.20.6.9", "address6": "fd12::9"}


@pytest.mark.parametrize(
    ("interfaces", "found"),
    [
        ({}, {}),
        ({"a": FABRIC}, {}),
        ({"a": {"zone": "blank", "address": "10.1.1.1"}}, {}),
        ({"a": FABRIC, "b": PUBLIC, "c": MANAGED}, {"gateway": "b"}),
        ({"b": MANAGED, "a": {**PUBLIC, "gateway": True}}, {"gateway": "a"}),
        ({"b": {**MANAGED, "gateway": False}, "a": PUBLIC}, {"gateway": "a"}),
        ({"b": {**MANAGED, "gateway": False}}, {}),
        # IPv6 may leave by another interface, but not where one was chosen.
        ({"b": MANAGED, "a": BOTH}, {"gateway": "b", "gateway6": "a"}),
        ({"b": {**MANAGED, "gateway": True}, "a": BOTH}, {"gateway": "b"}),
        # Without an address of its family a router is out of reach.
        ({"a": {"zone": "both", "address6": "fd12::9"}}, {"gateway6": "a"}),
        # The node is that zone's router itself, however it writes its address.
        ({"b": {**MANAGED, "address": "10.20.0.1"}, "a": PUBLIC}, {"gateway": "a"}),
        ({"a": {**BOTH, "address6": "fd12:0::1"}}, {"gateway": "a"}),
        ({"b0": {"bond": {}}, "b0.5": {"parent": "b0", **PUBLIC}}, {"gateway": "b0.5"}),
    ],
)
def test_default_routes(interfaces: dict[str, Any], found: dict[str, str]) -> None:
    assert default_routes(interfaces, ZONES) == found
