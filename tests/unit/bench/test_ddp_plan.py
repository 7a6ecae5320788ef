"""Where nodes meet, and the commands that bring them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.ddp.plan import PlanError, plan
from gpulab_bench import ddp_node

NODES = ["node01", "node02"]


def declared(**changes: Any) -> dict[str, dict[str, Any]]:
    nodes = {
        name: {
            "node_interfaces": {
                "eth0": {"zone": "management", "address": f"10.0.0.{number}"},
                "eth1": {"zone": "fabric", "address": f"10.1.0.{number}/24"},
            }
        }
        for number, name in enumerate(NODES, 11)
    }
    for name, interfaces in changes.items():
        nodes[name] = {"node_interfaces": interfaces}
    return nodes


def test_they_meet_at_the_first_ones_address_in_the_zone() -> None:
    assert plan(NODES, declared()) == {
        "nodes": NODES,
        "address": "10.1.0.11",
        "interfaces": {"node01": "eth1", "node02": "eth1"},
    }


def test_another_zone_may_carry_the_exchange() -> None:
    assert plan(NODES, declared(), "management")["address"] == "10.0.0.11"


def test_a_limit_changes_who_is_first() -> None:
    assert plan(NODES[1:], declared())["address"] == "10.1.0.12"


@pytest.mark.parametrize(
    ("node", "interfaces", "words"),
    [
        ("node02", {}, "node02: node_interfaces has no interface in the zone 'fabric'"),
        ("node02", None, "ddp_zone=NAME"),
        ("node01", {"eth1": {"zone": "fabric"}}, "node01: node_interfaces.eth1 has no address"),
    ],
)
def test_what_is_not_declared_is_named(
    node: str, interfaces: dict[str, Any] | None, words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        plan(NODES, declared(**{node: interfaces}))


def test_a_later_node_needs_no_address() -> None:
    found = plan(NODES, declared(node02={"ib0": {"zone": "fabric"}}))
    assert found["interfaces"]["node02"] == "ib0"


WORDS = (
    "--nodes 2 --node-rank 1 --node-name node02 --address 10.1.0.11 --port 29500 "
    "--interface eth1 --processes 8 --device cuda"
)
ARGUMENTS = ddp_node.make_parser().parse_args(WORDS.split())


def test_torchrun_is_told_where_the_others_are() -> None:
    argv = ddp_node.torchrun_command(["python", "-I", "b.pyz"], ARGUMENTS, Path("/run"))
    assert argv[:4] == ["python", "-I", "-m", "torch.distributed.run"]
    assert {
        "--nnodes=2",
        "--node-rank=1",
        "--nproc-per-node=8",
        "--master-addr=10.1.0.11",
        "--master-port=29500",
        "--max-restarts=0",
        "--rdzv-conf=timeout=60",
    } <= set(argv)
    assert argv[-8:] == [
        *("-I", "b.pyz"),
        *("--worker", "group", "--stages", "ddp", "--folder", "/run"),
    ]


def test_the_exchange_keeps_to_its_interface() -> None:
    environment = ddp_node.environment(ARGUMENTS)
    assert environment["NCCL_SOCKET_IFNAME"] == environment["GLOO_SOCKET_IFNAME"] == "eth1"
    assert environment["GPULAB_BENCH_NODE"] == "node02"
