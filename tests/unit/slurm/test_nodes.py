"""What Slurm prints of its nodes is read, whatever stands in a reason."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.slurm import nodes

#: `scontrol --oneliner show nodes` of Debian 12's 22.05.8; the kernel's version is another.
IDLE = (
    "NodeName=node01 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=1 CPUTot=1 CPULoad=8.46 "
    "AvailableFeatures=(null) ActiveFeatures=(null) Gres=(null) NodeAddr=10.192.9.12 "
    "NodeHostName=node01 Version=22.05.8 OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=100 "
    "AllocMem=0 FreeMem=11101 Sockets=1 Boards=1 State=IDLE ThreadsPerCore=1 TmpDisk=0 Weight=1 "
    "Owner=N/A MCS_label=N/A Partitions=all  BootTime=2026-11-30T20:46:42 "
    "SlurmdStartTime=2026-12-01T01:18:30 LastBusyTime=2026-12-01T01:18:30 "
    "CfgTRES=cpu=1,mem=100M,billing=1 AllocTRES= CapWatts=n/a CurrentWatts=0 AveWatts=0 "
    "ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s "
)


def line(state: str, rest: str = "") -> str:
    return IDLE.replace("State=IDLE", f"State={state}") + rest


def only(text: str) -> nodes.Node:
    (node,) = nodes.parse(text).values()
    return node


def test_a_whole_answer() -> None:
    second = line("DOWN*+DRAIN", "Reason=gpulab: quarantined: GPU 2 [root@2026-12-01T01:00:00] ")
    found = nodes.parse(f"{IDLE}\n{second.replace('node01', 'node02')}\n\n")
    assert list(found) == ["node01", "node02"]
    assert (found["node01"].states, found["node01"].reason) == ({"IDLE"}, "")
    assert found["node02"].states == {"DOWN", "DRAIN", "NOT_RESPONDING"}
    assert found["node02"].reason == "gpulab: quarantined: GPU 2"
    assert found["node02"].author == "root"


@pytest.mark.parametrize(
    ("state", "out"),
    [
        ("IDLE", False),
        ("MIXED", False),
        ("ALLOCATED*", False),
        # Slurm takes it back by itself.
        ("DOWN", False),
        ("DOWN*", False),
        ("DOWN+NOT_RESPONDING", False),
        ("IDLE+INVALID_REG", False),
        ("IDLE+REBOOT_ISSUED", False),
        ("UNKNOWN", False),
        ("IDLE+DRAIN", True),
        ("DOWN*+DRAIN", True),
        ("DOWN+DRAIN+INVALID_REG", True),
        ("MIXED+DRAIN", True),
        ("DRAINED", True),
        ("DRAINING*", True),
        ("FAIL", True),
        ("FAILING", True),
    ],
)
def test_who_gets_no_job(state: str, out: bool) -> None:
    assert only(line(state)).is_out is out


@pytest.mark.parametrize(
    ("rest", "reason", "author"),
    [
        ("Reason=Not responding [slurm@2026-12-01T01:00:00]", "Not responding", "slurm"),
        ("Reason=fan [left] is loud [ada@2026-12-01T01:00:00] ", "fan [left] is loud", "ada"),
        ("Reason=State=IDLE soon [ada@2026-12-01T01:00:00]", "State=IDLE soon", "ada"),
        ("Reason=x Partitions=none [ada@t] Comment=y [z@t]", "x Partitions=none", "ada"),
        ("Reason=first [ada@2026-12-01T01:00:00] Comment=Reason=no", "first", "ada"),
        ("Comment=none", "", ""),
    ],
)
def test_a_reason(rest: str, reason: str, author: str) -> None:
    node = only(line("IDLE+DRAIN", rest))
    assert (node.reason, node.author) == (reason, author)
    assert node.states == {"IDLE", "DRAIN"}


@pytest.mark.parametrize("text", ["Node node01 not found", "PartitionName=all", "NodeName=node01 "])
def test_what_is_no_node_is_not_taken_for_none(text: str) -> None:
    with pytest.raises(ValueError, match="no line of a node"):
        nodes.parse(f"{IDLE}\n{text}")
