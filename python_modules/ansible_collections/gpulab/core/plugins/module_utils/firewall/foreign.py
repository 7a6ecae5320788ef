"""Read which tables of others decide over packets too, and what they drop. Pure.

A packet that one table accepts still meets the base chains of all others at the same hook: one
``drop`` anywhere is the end of it (nft(8) of nftables 1.1, verdict statements). So what other
tables drop is dropped, whatever ours says.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field
from typing import Any

from .listing import FAMILY, TABLE

#: Keys of nft's JSON (libnftables-json(5)) that select no packets.
_NO_MATCH = frozenset({"counter", "log", "comment", "mangle", "set", "notrack"})
_DROPS = ("drop", "reject")
#: Targets of iptables' extensions that nft cannot translate and lists by name.
_XT_DROPS = frozenset({"DROP", "REJECT", "TARPIT"})
#: What iptables-nft's own tables are called. Of their rules, nft before 1.0.6 does not show all.
_IPTABLES = ("filter", "nat", "mangle", "raw", "security")
#: A chain of chains is a dozen long; more is a loop, which the kernel refuses.
_DEPTH = 64


@dataclass(frozen=True)
class Rule:
    """What one rule does: ``drop``, ``accept``, ``return``, ``jump``, ``goto`` or "", and to whom.

    Attributes:
        verdict: of these.
        target: the chain of a jump.
        always: whether it is for every packet.
    """

    verdict: str
    target: str = ""
    always: bool = False


@dataclass
class Chain:
    """One chain; ``hook`` is "" for one that others jump to."""

    family: str
    table: str
    name: str
    hook: str = ""
    policy: str = "accept"
    rules: list[Rule] = field(default_factory=list)


@dataclass(frozen=True)
class Decides:
    """A base chain of somebody else's that drops packets.

    Attributes:
        family: nftables' family; ``legacy`` tables are of ``ip`` or ``ip6``.
        table: its table; of iptables' own, legacy one: ``filter (iptables-legacy)``.
        chain: its name.
        hook: where it meets packets: ``input``, ``output``, ``forward``, ``prerouting`` …
        closed: whether it drops whatever no rule of it accepts.
        drops: how many rules drop some packets.
    """

    family: str
    table: str
    chain: str
    hook: str
    closed: bool
    drops: int


def of_nft(listed: str) -> list[dict[str, Any]]:
    """Read ``nft --json list ruleset``: the base chains that drop, as plain values.

    Raises:
        ValueError: it is not what nft writes.
    """
    try:
        items = json.loads(listed)["nftables"]
        chains: dict[tuple[str, str, str], Chain] = {}
        for item in items:
            if "chain" in item:
                body = item["chain"]
                chain = Chain(
                    body["family"],
                    body["table"],
                    body["name"],
                    body.get("hook", ""),
                    body.get("policy", "accept"),
                )
                chains[chain.family, chain.table, chain.name] = chain
        for item in items:
            if "rule" in item:
                body = item["rule"]
                key = body["family"], body["table"], body["chain"]
                chains[key].rules.append(_nft_rule(body.get("expr", [])))
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"nft --json list ruleset: {error!r} is not as expected"
        raise ValueError(msg) from error
    ours = (FAMILY, TABLE)
    return _deciding([chain for chain in chains.values() if (chain.family, chain.table) != ours])


def has_untranslated(listed: str) -> bool:
    """Say whether nft has listed rules of iptables' extensions without saying what they are."""
    return '{"xt": null}' in listed


def without_iptables(chains: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the chains of iptables-nft, for whoever reads them by ``iptables-save``."""
    return [
        chain
        for chain in chains
        if chain["family"] not in ("ip", "ip6") or chain["table"] not in _IPTABLES
    ]


def of_iptables(saved: str, family: str, flavour: str) -> list[dict[str, Any]]:
    """Read ``iptables-save`` or ``ip6tables-save``: the base chains that drop, as plain values.

    Args:
        saved: what it printed.
        family: ``ip`` or ``ip6``.
        flavour: what its tables are told apart by, such as ``iptables-legacy``.
    """
    chains: dict[tuple[str, str], Chain] = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy, *_ = [*line[1:].split(), ""]
            base = policy in ("ACCEPT", "DROP")
            shown = f"{table} ({flavour})"
            hook = name.lower() if base else ""
            chains[table, name] = Chain(family, shown, name, hook, policy.lower() if base else "")
        elif line.startswith("-A ") and (rule := _iptables_rule(shlex.split(line)[1:])):
            chains[table, rule[0]].rules.append(rule[1])
    return _deciding(list(chains.values()))


def _nft_rule(expression: list[Any]) -> Rule:
    always, rule = True, Rule("")
    for part in expression:
        ((key, value),) = part.items()
        if key in _DROPS:
            rule = Rule("drop")
        elif key in ("accept", "return"):
            rule = Rule(key)
        elif key in ("jump", "goto"):
            rule = Rule(key, str(value["target"]))
        elif key == "vmap":
            # A map of verdicts: which packet meets which is not for us to say.
            rule, always = Rule("drop" if '"drop"' in json.dumps(value) else ""), False
        elif key == "queue":
            # A program decides, and where none does, nothing passes.
            rule, always = Rule("drop"), False
        elif key == "xt" and isinstance(value, dict) and value.get("type") == "target":
            rule = Rule("drop" if value.get("name") in _XT_DROPS else "")
        elif key == "xt" and value == {"type": "match", "name": "comment"}:
            continue
        elif key not in _NO_MATCH:
            always = False
    return Rule(rule.verdict, rule.target, always)


def _iptables_rule(words: list[str]) -> tuple[str, Rule] | None:
    chain, rest = words[0], words[1:]
    rule, selects = Rule(""), False
    while rest:
        word, rest = rest[0], rest[1:]
        if word in ("-j", "-g") and rest:
            target, rest = rest[0], []
            if target in _XT_DROPS:
                rule = Rule("drop")
            elif target in ("ACCEPT", "RETURN"):
                rule = Rule(target.lower())
            else:
                # An extension that decides nothing, such as LOG, is a chain that is not there.
                rule = Rule("jump" if word == "-j" else "goto", target)
        elif (word, rest[:1]) == ("-m", ["comment"]) or word == "--comment":
            rest = rest[1:]
        else:
            selects = True
    return chain, Rule(rule.verdict, rule.target, not selects)


def _deciding(chains: list[Chain]) -> list[dict[str, Any]]:
    by_name = {(chain.family, chain.table, chain.name): chain for chain in chains}
    found = []
    for chain in chains:
        if not chain.hook:
            continue
        end, drops = _end(chain, by_name, _DEPTH)
        closed = end == "drop" or (not end and chain.policy == "drop")
        if closed or drops:
            decides = Decides(chain.family, chain.table, chain.name, chain.hook, closed, drops)
            found.append(asdict(decides))
    return found


def _end(chain: Chain, by_name: dict[tuple[str, str, str], Chain], depth: int) -> tuple[str, int]:
    """Say what a packet meets that no rule selects, and count the rules that drop some.

    Returns:
        ``accept``, ``drop``, or "" where the chain leaves it to its policy or to its caller.
    """
    drops = 0
    for rule in chain.rules if depth else []:
        verdict = rule.verdict
        if rule.target:
            target = by_name.get((chain.family, chain.table, rule.target))
            verdict, more = _end(target, by_name, depth - 1) if target else ("", 0)
            drops += more
            if rule.verdict == "goto" and rule.always:
                return verdict, drops
        if rule.always and verdict in ("accept", "drop"):
            return verdict, drops
        if rule.always and verdict == "return":
            return "", drops
        drops += verdict == "drop"
    return "", drops
