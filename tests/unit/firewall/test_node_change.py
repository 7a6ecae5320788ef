"""What is done to a node's firewall: what differs, who is locked out, what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.firewall import listing
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall import (
    change,
    endpoints,
    lockout,
    reach,
    routing,
    takeover,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import (
    Policy,
    policy_from_plain,
)

# nft 1.0.6 (Debian 12): nft --stateless list table inet gpulab
LISTED = """\
table inet gpulab {
\tset a {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 10.0.0.0/8, 192.168.1.1 }
\t}

\tset r {
\t\ttype ipv4_addr
\t\tsize 65535
\t\tflags dynamic,timeout
\t\ttimeout 1m
\t\telements = { 192.0.2.1 limit rate over 100/minute burst 5 packets timeout 1m expires 50s,
\t\t\t     192.0.2.2 limit rate over 100/minute burst 5 packets timeout 1m expires 51s }
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tct state established,related counter accept comment "hi"
\t\tiifname { "eth0", "eth1" } counter accept
\t}
}
"""


class TestListing:
    def test_what_packets_have_left_is_no_difference(self) -> None:
        empty = (
            LISTED[: LISTED.index("\t\telements = { 192.0.2.1 ")]
            + LISTED[LISTED.index("\t}\n\n\tchain") :]
        )
        assert "192.0.2.2" not in empty
        assert listing.difference(empty, LISTED) == ""
        assert listing.restorable(LISTED) == listing.REMOVE + empty

    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            ("10.0.0.0/8", "11.0.0.0/8", "11.0.0.0/8"),
            ('"eth0", ', "", 'iifname { "eth1" }'),
            ("policy accept", "policy drop", "policy drop"),
            ('\t\tct state established,related counter accept comment "hi"\n', "", "ct state"),
            ("\t}\n}\n", "\t\tcounter accept\n\t}\n}\n", "'counter accept' where '}' is due"),
        ],
    )
    def test_what_somebody_edited_is_one(self, old: str, new: str, says: str) -> None:
        assert old in LISTED
        assert says in listing.difference(LISTED, LISTED.replace(old, new))

    def test_a_flushed_table_is_one(self) -> None:
        assert listing.difference(LISTED, "table inet gpulab {\n}\n") != ""

    def test_no_table_is_put_back_by_removing_ours(self) -> None:
        assert listing.restorable("") == "table inet gpulab {}\ndelete table inet gpulab\n"


def read(**different: Any) -> dict[str, Any]:
    return {
        "live": {"same": True, "former": "former\n"},
        "others": {},
        "forwarding": {"net.ipv4.ip_forward": False, "net.ipv6.conf.all.forwarding": False},
        **different,
    }


class TestPlan:
    def test_ours_is_loaded_before_the_others_go_and_undone_after_they_are_back(self) -> None:
        plan = change.plan("rules\n", read(others={"firewalld": True}), [])
        assert plan["live"] is False
        assert plan["apply"] == [
            ["nft", "--file", "{stage}/etc/gpulab/firewall.nft"],
            ["systemctl", "mask", "--runtime", "firewalld.service"],
            ["systemctl", "stop", "firewalld.service"],
        ]
        assert plan["undo"] == [
            ["systemctl", "unmask", "--runtime", "firewalld.service"],
            ["systemctl", "daemon-reload"],
            ["systemctl", "start", "firewalld.service"],
            ["nft", "--file", "{undo}/former.nft"],
        ]
        assert plan["persist"]["/etc/systemd/system/firewalld.service"] == {"link": "/dev/null"}

    def test_nothing_is_undone_at_boot_but_what_systemd_had_decided(self) -> None:
        assert change.plan("rules\n", read(), [])["boot"] == []
        boot = takeover.commands({"ufw": True})["boot"]
        assert ["systemctl", "start", "--no-block", "ufw.service"] in boot

    def test_a_unit_that_flushes_everybodys_tables_is_never_stopped(self) -> None:
        found = takeover.commands({"nftables": True, "firewalld": True})
        words = [*found["apply"], *found["undo"]]
        assert not [line for line in words if "nftables.service" in line and "stop" in line]
        assert ["systemctl", "mask", "--runtime", "nftables.service"] in found["apply"]

    def test_what_did_not_run_is_not_started_by_the_rollback(self) -> None:
        found = takeover.commands({"firewalld": False})
        assert not [line for line in found["undo"] if "start" in line]
        assert ["systemctl", "mask", "--runtime", "firewalld.service"] in found["apply"]

    def test_the_way_back_is_tried_before_anything_is_applied(self) -> None:
        check = change.plan("rules\n", read(), [])["check"]
        assert ["nft", "--check", "--file", "{undo}/former.nft"] in check

    def test_a_router_forwards_and_stops_to_when_it_is_undone(self) -> None:
        plan = change.plan("rules\n", read(), ["net.ipv4.ip_forward"])
        assert plan["live"] is False
        assert ["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"] in plan["apply"]
        assert ["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0"] in plan["undo"]
        assert "net.ipv4.ip_forward = 1\n" in plan["persist"][routing.FILE]["content"]

    def test_what_another_switched_on_stays_on(self) -> None:
        on = {"net.ipv4.ip_forward": True, "net.ipv6.conf.all.forwarding": True}
        needs: list[list[str]] = [[], ["net.ipv4.ip_forward"]]
        for needed in needs:
            plan = change.plan("rules\n", read(forwarding=on), needed)
            assert not [line for line in [*plan["apply"], *plan["undo"]] if "sysctl" in line]

    def test_drift_alone_is_a_change(self) -> None:
        drifted = {"same": False, "former": ""}
        assert change.plan("rules\n", read(live=drifted), [])["live"] is False
        assert change.plan("rules\n", read(), [])["live"] is True

    def test_a_refusal_names_what_is_active_and_the_option(self) -> None:
        said = change.refusal(["nftables", "ufw"], "node01")
        assert said.startswith("nftables and ufw are active on node01 (nftables.service flushes")
        assert "firewall_existing: take_over" in said


def lab(flows: list[dict[str, Any]] | None = None) -> Policy:
    ssh = {"from": "management", "to": "all", "protocol": "tcp", "ports": [22], "name": "ssh"}
    return policy_from_plain(
        {
            "zones": {
                "management": {"cidr": "10.0.1.0/24", "gateway": "10.0.1.1"},
                "edge": {"cidr": "10.0.2.0/24", "cidr6": "fd00:2::/64", "gateway": "10.0.2.10"},
                "public": {
                    "cidr": "192.0.2.0/24",
                    "gateway": "192.0.2.1",
                    "masquerade": {"by": "head01", "for": ["management"]},
                },
            },
            "nodes": {
                "head01": {
                    "interfaces": {
                        "eth0": {"zone": "management", "address": "10.0.1.10"},
                        "eth1": {"zone": "edge", "address": "10.0.2.10"},
                        "eth2": {"zone": "public", "address": "192.0.2.10"},
                    },
                    "groups": ["controllers"],
                },
                "node01": {"interfaces": {"eth0": {"zone": "management", "address": "10.0.1.11"}}},
                "edge01": {"interfaces": {"eth0": {"zone": "edge", "address": "10.0.2.11"}}},
            },
            "flows": [ssh] if flows is None else flows,
        }
    )


@pytest.fixture
def policy() -> Policy:
    return lab()


class TestLockout:
    def test_whoever_is_let_in_is_not_locked_out(self, policy: Policy) -> None:
        here = {"client": "10.0.1.200", "server": "10.0.1.11", "port": 22}
        assert lockout.lockout(policy, "node01", here) == ""

    @pytest.mark.parametrize(
        ("client", "port", "source"),
        [
            ("10.0.1.200", 2222, "management"),
            ("10.0.1.1", 2222, "gateways"),
            ("10.0.2.200", 22, "edge"),
            ("203.0.113.9", 22, "outside"),
        ],
    )
    def test_whoever_is_not_is_told_by_which_flow_it_would(
        self, policy: Policy, client: str, port: int, source: str
    ) -> None:
        here = {"client": client, "server": "10.0.1.11", "port": port}
        said = lockout.lockout(policy, "node01", here)
        assert f"{client}, from where it is connected" in said
        assert "lab_flows" in said
        flow = said.partition("such as: ")[2]
        assert f"from: {source}, to: node01, protocol: tcp, ports: [{port}]" in flow

    def test_an_address_that_nobody_declared_is_told(self, policy: Policy) -> None:
        here = {"client": "10.0.1.200", "server": "10.0.1.99", "port": 22}
        said = lockout.lockout(policy, "node01", here)
        assert "10.0.1.99, where it is connected, is no declared address of node01" in said
        assert "-> declare it in node_interfaces" in said

    def test_the_flow_that_is_told_does_open(self, policy: Policy) -> None:
        here = {"client": "203.0.113.9", "server": "10.0.1.11", "port": 22}
        assert lockout.lockout(policy, "node01", here) != ""
        opened = lab(
            [{"name": "x", "from": "outside", "to": "node01", "protocol": "tcp", "ports": [22]}]
        )
        assert lockout.lockout(opened, "node01", here) == ""


class TestWitness:
    def test_the_first_that_may_reach_it(self, policy: Policy) -> None:
        found = lockout.witness(policy, "head01", ["head01", "edge01", "node01"], 22)
        assert found == {"name": "node01", "address": "10.0.1.10"}

    def test_the_lab_is_looked_through_once_however_many_are_asked_about(
        self, policy: Policy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Policy] = []

        class Counted(endpoints.Ends):
            def __init__(self, policy: Policy) -> None:
                made.append(policy)
                super().__init__(policy)

        for module in (lockout, reach):
            monkeypatch.setattr(module, "Ends", Counted)
        candidates = ["edge01", *policy.nodes]
        assert lockout.witness(policy, "head01", candidates, 2222)["name"] == ""
        assert made == [policy]

    def test_none_may(self, policy: Policy) -> None:
        assert lockout.witness(policy, "head01", ["edge01"], 22) == {"name": "", "address": ""}
        assert lockout.witness(policy, "head01", ["node01"], 2222)["name"] == ""


class TestForwarding:
    def test_who_masquerades_or_is_a_router_forwards_their_families(self, policy: Policy) -> None:
        # It masquerades for IPv4, and is the router of a zone with both.
        assert routing.forwarding(policy, "head01") == [
            "net.ipv4.ip_forward",
            "net.ipv6.conf.all.forwarding",
        ]

    def test_others_do_not(self, policy: Policy) -> None:
        assert routing.forwarding(policy, "node01") == []
