"""What passes between any two machines is what the declaration says, and nothing else."""

from __future__ import annotations

from firewall_packets.matrix import Machines, differences


def test_what_passes_is_what_is_declared(machines: Machines) -> None:
    lines, said = differences(machines, machines.hosts)
    print(said)  # noqa: T201 - the cost of it belongs into the output
    assert lines == []
