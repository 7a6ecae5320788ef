"""The stage pairs on real links: healthy, one throttled, one that loses packets, and healthy again.

What is declared is 500 Mb/s, far below what these links do and far above what one of
them is throttled to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playbook_run import Play
from testinfra.host import Host

NODES = ("node01", "node02", "node03")
FABRIC = "eth1"
PORT = 5201

Records = dict[str, dict[str, Any]]
Measure = Callable[..., Records]


@pytest.fixture
def measure(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Run playbooks/pairs.yml with variables; gives each node's record."""
    monkeypatch.setenv("GPULAB_REPORTS_DIR", str(tmp_path))

    def run(**variables: object) -> Records:
        monkeypatch.setenv("GPULAB_RUN_ID", "pairs")
        done = play("playbooks/pairs.yml", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        # Installed by the scenario's own run: nothing is left to change.
        assert "changed=0" in done.stdout
        assert "changed=1" not in done.stdout
        (folder,) = tmp_path.glob("*/pairs")
        return {name: json.loads((folder / f"{name}.json").read_text()) for name in NODES}

    return run


@contextmanager
def throttled(host: Host, rate: str) -> Iterator[None]:
    """Limit what a node sends on its fabric link."""
    host.check_output(f"tc qdisc add dev {FABRIC} root tbf rate {rate} burst 64kb latency 50ms")
    try:
        yield
    finally:
        host.check_output(f"tc qdisc del dev {FABRIC} root")


@contextmanager
def losing(host: Host, percent: int) -> Iterator[None]:
    """Drop packets at random that arrive at a node on its fabric link."""
    host.check_output("nft add table inet fault")
    host.check_output("nft add chain inet fault arriving '{ type filter hook input priority 0; }'")
    host.check_output(
        f"nft add rule inet fault arriving iifname {FABRIC} numgen random mod 100 "
        rf"\< {percent} drop"
    )
    try:
        yield
    finally:
        host.check_output("nft delete table inet fault")


def findings(record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [check for check in record["checks"] if check["id"] == name]


def bad(records: Records) -> dict[str, set[tuple[str, str]]]:
    """Give by node what did not pass: finding and its status."""
    return {
        node: {(c["id"], c["status"]) for c in record["checks"] if c["status"] != "pass"}
        for node, record in records.items()
    }


def metric(record: dict[str, Any], name: str, scope: str) -> float:
    (found,) = (m for m in record["metrics"] if (m["id"], m["scope"]) == (name, scope))
    value: float = found["value"]
    return value


def test_throttled_sender_is_found(measure: Measure, machine: Callable[[str], Host]) -> None:
    with throttled(machine("node03"), "100mbit"):
        records = measure()
    assert {node: r["verdict"] for node, r in records.items()} == {
        "node01": "pass",
        "node02": "pass",
        "node03": "fail",
    }
    (found,) = findings(records["node03"], "pair.bandwidth")
    assert found["status"] == "fail"
    assert (found["part"]["kind"], found["part"]["name"]) == ("nic", FABRIC)
    assert found["evidence"].startswith("slow with every peer, when it sends, 2 paths in fabric")
    assert found["observed"] < 0.11
    assert found["expected"] == pytest.approx(0.45)
    # The other direction of the same link is fine, and so is the path that leaves it out.
    assert metric(records["node03"], "pair.bandwidth", "peer:node01") < 0.11
    assert metric(records["node01"], "pair.bandwidth", "peer:node03") > 0.45
    assert metric(records["node01"], "pair.bandwidth", "peer:node02") > 0.45


def test_node_that_loses_packets_is_found(measure: Measure, machine: Callable[[str], Host]) -> None:
    with losing(machine("node02"), 10):
        records = measure()
    (found,) = findings(records["node02"], "pair.loss")
    assert found["status"] == "fail"
    assert (found["part"]["kind"], found["part"]["name"]) == ("nic", FABRIC)
    assert found["observed"] > 1
    assert "loses packets with every peer" in found["evidence"]
    for node in ("node01", "node03"):
        assert [c["status"] for c in findings(records[node], "pair.loss")] == ["pass"], node
        assert "fail" not in {c["status"] for c in records[node]["checks"]}, records[node]


def test_healthy_links_pass(measure: Measure, machine: Callable[[str], Host]) -> None:
    """Last of the runs: what the others broke is whole again.

    The head, which comes first and has no address in the fabric, is left out and harms nobody.
    """
    records = measure(pairs_nodes="all")
    assert bad(records) == {node: set() for node in NODES}
    for node, record in records.items():
        peers = {m["scope"] for m in record["metrics"] if m["id"] == "pair.round_trip"}
        assert peers == {f"peer:{peer}" for peer in NODES if peer != node}
        assert metric(record, "network.bandwidth", "node") > 0.45
        assert 0 < metric(record, "pair.round_trip", min(peers)) < 50
    for node in NODES:
        host = machine(node)
        assert (
            host.check_output("systemctl list-units --all --plain --no-legend 'gpulab-pairs*'")
            == ""
        )
        assert not host.socket(f"tcp://{PORT}").is_listening


def test_one_node_is_no_pair(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPULAB_REPORTS_DIR", str(tmp_path))
    done = play("playbooks/pairs.yml", "--limit", "node01")
    assert done.returncode == 0
    assert "Node pairs: skipped, 1 of the run's nodes is in zone fabric" in done.said
    assert not list(tmp_path.glob("**/node01.json"))
