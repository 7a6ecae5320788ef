"""Send a packet of each kind from each node to each address of each other, all at once."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firewall_packets.declared import Lab
from testinfra.host import Host

HERE = Path(__file__).parent
HOME = "/run/gpulab-test"
PROBER = f"{HOME}/prober.py"
LISTENER = "gpulab-test-listener"
#: Probes that must pass and did not are sent again: two cores carry six nodes' packets at once,
#: and a packet may be late. What must not pass is never given a second chance to fail.
ATTEMPTS = 3
#: Declared nowhere: below, between and beyond the declared ones.
UNDECLARED = (7, 21, 79, 444, 5001, 7777, 29499, 29511, 40000)
#: Where a node of the lab keeps its ruleset.
RULESET = "/etc/gpulab/firewall.nft"


@dataclass(frozen=True)
class Probe:
    """One attempt: from which node (and address, where it is chosen), to which address."""

    sender: str
    source: str | None
    receiver: str
    target: str
    protocol: str
    port: int
    size: int = 8


@dataclass(frozen=True)
class Result:
    """What came of it; ``source`` is the address that it was sent from."""

    probe: Probe
    verdict: str
    source: str | None
    seen: str | None

    @property
    def passed(self) -> bool:
        """Whether an answer came: a refusal is one too, for the packet did arrive."""
        return self.verdict in ("open", "refused")

    def __str__(self) -> str:
        """Say it on one line, as a person would."""
        probe = self.probe
        port = f" {probe.port}" if probe.port else ""
        return (
            f"{probe.sender} ({self.source or probe.source}) → {probe.receiver} ({probe.target}) "
            f"{probe.protocol}{port}: {self.verdict}"
        )


@dataclass
class Machines:
    """The scenario's nodes, each with one connection.

    Attributes:
        lab: what is declared.
        hosts: node → how to reach it.
        strangers: node that is none of the lab → its addresses.
        sockets: the folder for the sockets of the connections.
    """

    lab: Lab
    hosts: dict[str, Host]
    strangers: dict[str, list[str]]
    sockets: Path

    def ssh(self, name: str, command: str, text: str = "") -> str:
        """Run a command as root, with text on its standard input; give its output.

        Raises:
            AssertionError: it failed; with what it said.
        """
        done = subprocess.run(
            [
                "ssh",
                # One connection for all: the firewall counts new ones.
                *("-o", "ControlMaster=auto", "-o", "ControlPersist=300"),
                *("-o", f"ControlPath={self.sockets}/{name}"),
                *("-F", self.hosts[name].backend.ssh_config, name, f"sudo {command}"),
            ],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{name}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def on_all(self, do: Callable[[str], Any], names: Iterable[str] | None = None) -> list[Any]:
        """Do something on nodes at once; give the results in their order."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(do, names or self.hosts))

    def addresses(self, name: str) -> list[str]:
        """Give the addresses of a machine."""
        declared = [str(a) for by_zone in self.lab.machines[name].values() for a in by_zone]
        return declared + self.strangers.get(name, [])

    def address(self, name: str, zone: str, version: int = 4) -> str:
        """Give a node's address in the network of a zone."""
        network = self.lab.zones[zone]["cidr" if version == 4 else "cidr6"]
        return next(
            address
            for address in self.addresses(name)
            if ipaddress.ip_address(address) in ipaddress.ip_network(network)
        )

    def guarded(self) -> list[str]:
        """Name the nodes that have the firewall."""
        return [name for name in self.hosts if name not in self.strangers]

    def close(self, names: Iterable[str] | None = None) -> None:
        """Load the nodes' rulesets again: every change by hand is gone, every count is 0."""
        self.on_all(lambda name: self.ssh(name, f"nft -f {RULESET}"), names or self.guarded())

    @contextlib.contextmanager
    def without_firewall(self, names: Iterable[str]) -> Iterator[None]:
        """Take the firewall from nodes, to see what the others do alone."""
        names = list(names)
        self.on_all(lambda name: self.ssh(name, "nft delete table inet gpulab"), names)
        try:
            yield
        finally:
            self.close(names)

    def counted(self, name: str, chain: str) -> int:
        """Add up the packets that the counters of a chain have seen."""
        listed = self.ssh(name, f"nft list chain {chain}")
        return sum(int(packets) for packets in re.findall(r"counter packets (\d+)", listed))

    def ports(self) -> list[int]:
        """Give every declared port, or the ends of its range, and some that are not declared."""
        ports = {22, *UNDECLARED}
        for flow in self.lab.flows:
            for entry in flow.get("ports", []):
                first, _, last = str(entry).partition("-")
                ports |= {int(first), int(last or first)}
        return sorted(ports)


def listen(machines: Machines, name: str) -> None:
    """Have a node answer on every port of every address, until its unit is stopped."""
    machines.ssh(
        name,
        f"sh -c 'mkdir -p {HOME} && cat > {PROBER} && systemctl stop {LISTENER} 2>/dev/null; true'",
        (HERE / "prober.py").read_text(),
    )
    ports = " ".join(str(port) for port in machines.ports())
    machines.ssh(
        name,
        f"systemd-run --quiet --collect --unit={LISTENER} --property=Type=notify "
        "--property=NotifyAccess=all --property=LimitNOFILE=8192 "
        f"python3 {PROBER} listen {' '.join(machines.addresses(name))} -- {ports}",
    )


def probes(machines: Machines, senders: Iterable[str], receivers: Iterable[str]) -> list[Probe]:
    """List all probes from some nodes to some. A stranger sends from each of its addresses."""
    receivers = list(receivers)
    listed = []
    for sender in senders:
        sources = machines.strangers.get(sender, [None])
        for receiver in receivers:
            if receiver == sender:
                continue
            for target in machines.addresses(receiver):
                for source in sources:
                    if source and (":" in source) != (":" in target):
                        continue
                    listed += [
                        Probe(sender, source, receiver, target, protocol, port)
                        for protocol, ports in (
                            ("tcp", machines.ports()),
                            ("udp", machines.ports()),
                            ("icmp", [0]),
                            ("other", [0]),
                        )
                        for port in ports
                    ]
    return listed


def send(machines: Machines, asked: list[Probe]) -> list[Result]:
    """Send probes, each node its own, all nodes at once."""
    by_sender: dict[str, list[Probe]] = {}
    for probe in asked:
        by_sender.setdefault(probe.sender, []).append(probe)

    def one(sender: str) -> list[Result]:
        words = [[p.source, p.protocol, p.target, p.port, p.size] for p in by_sender[sender]]
        answers = json.loads(machines.ssh(sender, f"python3 {PROBER} probe", json.dumps(words)))
        return [
            Result(probe, answer["verdict"], answer["source"], answer["seen"])
            for probe, answer in zip(by_sender[sender], answers, strict=True)
        ]

    return [result for results in machines.on_all(one, by_sender) for result in results]


def ask(
    machines: Machines, sender: str, receiver: str, target: str, protocol: str, port: int = 0
) -> Result:
    """Send one probe; up to `ATTEMPTS` times, until an answer comes."""
    for _ in range(ATTEMPTS):
        result = send(machines, [Probe(sender, None, receiver, target, protocol, port)])[0]
        if result.passed:
            break
    return result


def expected(lab: Lab, result: Result) -> bool:
    """Say whether the declaration lets a probe and its answer through."""
    probe = result.probe
    if result.source is None:
        return False
    source = ipaddress.ip_address(result.source)
    target = ipaddress.ip_address(probe.target)
    return bool(lab.flows_for(source, target, probe.protocol, probe.port)) and lab.reachable(
        probe.sender, source, probe.receiver, target
    )


def differences(
    machines: Machines, senders: Iterable[str], receivers: Iterable[str] = ()
) -> tuple[list[str], str]:
    """Hold packets from some nodes to some (by default all) against the declaration.

    Returns:
        A line per probe whose fate is not what is declared, sorted; and how much was sent, how
        long it took.
    """
    began = time.monotonic()
    results = patiently(machines, probes(machines, senders, receivers or machines.hosts))
    wrong = [result for result in results if result.passed != expected(machines.lab, result)]
    lines = [
        f"{'passed, but nothing declares it' if r.passed else 'declared, but does not pass'}: {r}"
        for r in wrong
    ]
    passed = sum(result.passed for result in results)
    took = time.monotonic() - began
    return sorted(lines), f"{len(results)} probes, {passed} passed, in {took:.1f} s"


def patiently(machines: Machines, asked: list[Probe]) -> list[Result]:
    """Send probes, and those again that should have passed and did not."""
    results = send(machines, asked)
    for _ in range(ATTEMPTS - 1):
        late = [
            number
            for number, result in enumerate(results)
            if not result.passed and expected(machines.lab, result)
        ]
        if not late:
            break
        for number, result in zip(
            late, send(machines, [asked[number] for number in late]), strict=True
        ):
            results[number] = result
    return results
