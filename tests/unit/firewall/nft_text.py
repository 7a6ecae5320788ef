"""Read a ruleset as nftables would, and say what becomes of a packet.

Written from nft(8), and knows nothing of the compiler: a word that it does not understand fails.
Limits of rate are never exceeded here; the tests in tests/firewall ask the kernel.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache

TOKEN = re.compile(r'"[^"]*"|::(?=[\s,])|[{},;:]|!=|[^\s{},;:"](?:[^\s{},;"]*[^\s{},;:"])?')
ICMP = {"icmp": "ipv4", "icmpv6": "ipv6"}
PROTOCOLS = {"ipv6-icmp": "icmpv6"}


@dataclass(frozen=True)
class Packet:
    """One packet, as the hooks of a node see it."""

    source: str
    target: str
    protocol: str = "tcp"
    port: int = 0
    source_port: int = 40000
    kind: str = "echo-request"
    hop_limit: int = 64
    state: str = "new"
    iif: str = ""
    oif: str = ""
    #: Where it was sent to before a container engine sent it on: address and port.
    dialled: tuple[str, int] | None = None

    @property
    def family(self) -> int:
        return ipaddress.ip_address(self.source).version


@dataclass
class Chain:
    hook: str = ""
    priority: str = ""
    policy: str = "accept"
    rules: list[list[str]] = field(default_factory=list)


@dataclass
class Verdict:
    """What became of a packet, and the comments of the rules that it met with a verdict."""

    accepted: bool
    comments: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    masqueraded: bool = False


class Ruleset:
    """The one table of a file of nftables."""

    def __init__(self, text: str) -> None:
        """Read the text; what is not as the compiler's files are fails."""
        self.sets: dict[str, list[str]] = {}
        self.set_types: dict[str, str] = {}
        self.chains: dict[str, Chain] = {}
        lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
        head, *rest = [line.strip() for line in lines if line.strip()]
        assert head == "table inet gpulab {}"
        assert rest[0] == "delete table inet gpulab"
        assert rest[1] == "table inet gpulab {"
        assert rest[-1] == "}"
        self._read(rest[2:-1])

    def _read(self, lines: list[str]) -> None:
        number = 0
        while number < len(lines):
            opened = re.fullmatch(r"(set|chain) (\S+) \{", lines[number])
            assert opened, lines[number]
            end = _closing(lines, number)
            body = lines[number + 1 : end]
            if opened[1] == "set":
                self._read_set(opened[2], body)
            else:
                self._read_chain(opened[2], body)
            number = end + 1

    def _read_set(self, name: str, body: list[str]) -> None:
        assert name not in self.sets, name
        text = " ".join(line.split("  #")[0] for line in body)
        found = re.search(r"elements = \{(.*?)\}", text)
        elements = [part.strip().strip('"') for part in found[1].split(",")] if found else []
        self.sets[name] = [part for part in elements if part]
        self.set_types[name] = text.split()[1]

    def _read_chain(self, name: str, body: list[str]) -> None:
        assert name not in self.chains, name
        chain = self.chains[name] = Chain()
        for line in body:
            base = re.fullmatch(r"type (filter|nat) hook (\w+) priority (\w+); policy (\w+);", line)
            if base:
                chain.hook, chain.priority, chain.policy = base[2], base[3], base[4]
            else:
                chain.rules.append(TOKEN.findall(line))

    def used_sets(self) -> set[str]:
        """Name every set that a rule refers to."""
        return {
            token.removeprefix("@")
            for chain in self.chains.values()
            for rule in chain.rules
            for token in rule
            if token.startswith("@")
        }

    def hook(self, hook: str, packet: Packet) -> Verdict:
        """Send a packet through the chains of one hook."""
        verdict = Verdict(True)
        for name, chain in self.chains.items():
            if chain.hook == hook and verdict.accepted:
                said = self._run(name, packet, verdict)
                verdict.accepted = (said or chain.policy) == "accept"
        return verdict

    def _run(self, name: str, packet: Packet, verdict: Verdict) -> str | None:
        for rule in self.chains[name].rules:
            said = self._rule(_Words(rule), packet, verdict)
            if said in ("accept", "drop"):
                return said
            if said == "return":
                return None
        return None

    def _rule(self, words: _Words, packet: Packet, verdict: Verdict) -> str | None:
        comment, said, jumped = "", None, False
        while words.left:
            word = words.next()
            if word in ("accept", "drop", "return"):
                said = word
            elif word == "comment":
                comment = words.next().strip('"')
            elif word in ("jump", "goto"):
                jumped = word == "goto"
                said = self._run(words.next(), packet, verdict)
                said = said or ("return" if jumped else None)
            elif word == "masquerade":
                verdict.masqueraded = True
            elif word == "log":
                assert words.next() == "prefix"
                verdict.logged.append(words.next().strip('"'))
            elif word == "limit":
                words.skip("rate", None, "burst", None, "packets")
            elif word == "update":
                self._update(words)
            elif word == "counter":
                continue
            elif word in ("iifname", "oifname") and words.peek() == "vmap":
                said = self._vmap(words, packet, verdict)
                if said is None:
                    return None
            elif not self._matches(word, words, packet):
                return None
        if comment and said:
            verdict.comments.append(comment)
        return said

    def _vmap(self, words: _Words, packet: Packet, verdict: Verdict) -> str | None:
        words.skip("vmap")
        entries = " ".join(words.braces()).split(" , ")
        for entry in entries:
            interface, colon, jump, chain = entry.split()
            assert (colon, jump) == (":", "jump"), entry
            if interface.strip('"') == packet.iif:
                return self._run(chain, packet, verdict)
        return None

    def _update(self, words: _Words) -> None:
        name = words.next().removeprefix("@")
        family = {"ipv4_addr": "ip", "ipv6_addr": "ip6"}[self.set_types[name]]
        inside = words.braces()
        assert inside[:4] == [family, "saddr", "limit", "rate"], inside

    def _matches(self, word: str, words: _Words, packet: Packet) -> bool:
        if word in ("iifname", "oifname"):
            return self._compare(words, packet.iif if word == "iifname" else packet.oif)
        if word in ("ip", "ip6"):
            return self._address(word, words, packet)
        if word in ("tcp", "udp"):
            port = {"dport": packet.port, "sport": packet.source_port}[words.next()]
            return self._compare(words, str(port)) and packet.protocol == word
        if word in ICMP:
            words.skip("type")
            return self._compare(words, packet.kind) and packet.protocol == word
        if word == "meta":
            return self._meta(words, packet)
        if word == "ct":
            return self._conntrack(words, packet)
        msg = f"unknown word {word!r}"
        raise AssertionError(msg)

    def _address(self, word: str, words: _Words, packet: Packet) -> bool:
        family = 4 if word == "ip" else 6
        what = words.next()
        if what == "hoplimit":
            return self._compare(words, str(packet.hop_limit)) and packet.family == family
        address = {"saddr": packet.source, "daddr": packet.target}[what]
        return self._compare(words, address) and packet.family == family

    def _meta(self, words: _Words, packet: Packet) -> bool:
        key = words.next()
        if key == "nfproto":
            return self._compare(words, f"ipv{packet.family}")
        assert key == "l4proto"
        return self._compare(words, packet.protocol)

    def _conntrack(self, words: _Words, packet: Packet) -> bool:
        key = words.next()
        if key == "state":
            states = [words.next()]
            while words.peek() == ",":
                words.skip(",")
                states.append(words.next())
            return packet.state in states
        if key == "status":
            words.skip("dnat")
            return packet.dialled is not None
        assert key == "original"
        address, port = packet.dialled or (packet.target, packet.port)
        what = words.next()
        if what == "proto-dst":
            return self._compare(words, str(port))
        words.skip("daddr")
        return self._compare(words, address) and packet.family == (4 if what == "ip" else 6)

    def _compare(self, words: _Words, value: str) -> bool:
        negated = words.peek() == "!="
        if negated:
            words.skip("!=")
        given = words.peek()
        if given == "{":
            candidates = [word for word in words.braces() if word != ","]
        elif given.startswith("@"):
            candidates = self.sets[words.next().removeprefix("@")]
        else:
            candidates = [words.next()]
        return negated != any(_holds(candidate.strip('"'), value) for candidate in candidates)


class _Words:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._words)

    def peek(self) -> str:
        return self._words[self._at] if self.left else ""

    def next(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def skip(self, *expected: str | None) -> None:
        for word in expected:
            got = self.next()
            assert word in (None, got), f"{got!r} instead of {word!r}"

    def braces(self) -> list[str]:
        self.skip("{")
        inside = []
        while self.peek() != "}":
            inside.append(self.next())
        self.skip("}")
        return inside


@cache
def _holds(candidate: str, value: str) -> bool:
    if PROTOCOLS.get(candidate, candidate) == value:
        return True
    if "*" in candidate:
        return fnmatchcase(value, candidate)
    try:
        network = ipaddress.ip_network(candidate)
        address = ipaddress.ip_address(value)
    except ValueError:
        first, dash, last = candidate.partition("-")
        numbers = dash and first.isdecimal() and last.isdecimal() and value.isdecimal()
        return bool(numbers and int(first) <= int(value) <= int(last))
    return network.version == address.version and address in network


def _closing(lines: list[str], number: int) -> int:
    depth = 0
    for at in range(number, len(lines)):
        text = re.sub(r'"[^"]*"', "", lines[at])
        depth += text.count("{") - text.count("}")
        if depth == 0:
            return at
    msg = f"{lines[number]} is not closed"
    raise AssertionError(msg)
