"""Compile a policy into one ruleset of nftables per machine.

A ruleset is one table, ``inet gpulab``, that replaces itself in one transaction and touches no
other. Its size grows with the sets it names, never with pairs of machines: a flow gives at most one
rule per family to a chain. ``docs/firewall.md`` explains how to read one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from . import chains, rules, sets
from .bogons import BOGONS_4, BOGONS_6
from .endpoints import Ends
from .machine import Machine, machine
from .names import checked
from .policy import Policy, PolicyError
from .rules import Block, FlowRules
from .sources import BOGONS

#: Family and name of the table.
TABLE = "inet gpulab"
_NAMED_SET = re.compile(r" @(\S+)")


def compile_rulesets(policy: Policy, names: Iterable[str] | None = None) -> dict[str, str]:
    """Compile the rulesets of all nodes, or of those in `names`.

    The same policy gives the same bytes, in whatever order it was declared.

    Returns:
        Node → text for ``nft -f``.

    Raises:
        PolicyError: the policy cannot be compiled.
    """
    wanted = sorted(policy.nodes if names is None else set(names))
    unknown = [name for name in wanted if name not in policy.nodes]
    if unknown:
        msg = f"no machine of the inventory is called {', '.join(unknown)}"
        raise PolicyError(msg)
    compiler = _Compiler(policy)
    return {name: compiler.ruleset(name) for name in wanted}


class _Compiler:
    """Renders what is the same for all nodes once, and puts each node's ruleset together."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._ends = Ends(policy)
        self._renderer = rules.Renderer(policy, self._ends)
        names = Counter(flow.name for flow in policy.flows)
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            msg = f"several flows are called {', '.join(twice)}: each needs a name of its own"
            raise PolicyError(msg)
        flows = sorted(policy.flows, key=lambda flow: flow.name)
        self._flows = [self._renderer.render(flow) for flow in flows]
        self._to: dict[str, list[FlowRules]] = {name: [] for name in policy.nodes}
        self._from: dict[str, list[FlowRules]] = {name: [] for name in policy.nodes}
        for flow in self._flows:
            for name in flow.target.machines:
                self._to[name].append(flow)
            for name in flow.source.machines:
                self._from[name].append(flow)
        self._shared = self._renderer.sets | {
            f"{BOGONS}_{family}": sets.network_set(f"{BOGONS}_{family}", family, bogons.items())
            for family, bogons in ((4, BOGONS_4), (6, BOGONS_6))
        }

    def ruleset(self, name: str) -> str:
        """Return one node's ruleset."""
        own = machine(name, self._ends, self._renderer.zone_words)
        own_sets = own.sets()
        parts = _Parts(own.has(self._renderer.zone_words))
        self._write(own, parts)
        # A node's own sets first: they say whose ruleset it is.
        used = parts.sets & (own_sets.keys() | self._shared.keys())
        order = sorted(used, key=lambda word: (word not in own_sets, word))
        start = (
            "#!/usr/sbin/nft -f\n"
            f"# The firewall of {checked('machine', name)}, compiled from lab_zones, lab_flows and "
            "the flows of roles.\n"
            "# What is changed here is lost with the next run of playbooks/network.yml.\n"
            f"table {TABLE} {{}}\ndelete table {TABLE}\ntable {TABLE} {{"
        )
        # Each set and chain begins with a new line, which leaves an empty one between them.
        texts = (own_sets.get(word) or self._shared[word] for word in order)
        # Joined once: of thousands of nodes, these texts are a gigabyte.
        return "".join([start, *texts, *parts.text, "}\n"])

    def _write(self, own: Machine, parts: _Parts) -> None:
        to, of = self._to[own.node.name], self._from[own.node.name]
        words = self._renderer.zone_words
        patterns = tuple(
            checked("container interface", pattern)
            for pattern in sorted(set(own.node.container_interfaces))
        )
        parts.chain(
            "input",
            [chains.hook("input", "filter", "drop"), *chains.input_start(own, patterns)],
            [flow.incoming for flow in to],
            ["goto refused_in"],
        )
        parts.chain("refused_in", chains.refused("in"))
        parts.chain(
            "output",
            [chains.hook("output", "filter", "drop"), *chains.output_start(own, patterns)],
            [flow.outgoing for flow in of],
            chains.refused("out"),
        )
        parts.chain(
            "forward",
            [chains.hook("forward", "filter", "drop"), *chains.forward(own, patterns)],
            [],
            ["goto refused_fwd"],
        )
        parts.chain("refused_fwd", chains.refused("fwd"))
        if own.router:
            parts.chain("routed", [], [flow.routed for flow in self._flows])
        if patterns:
            parts.chain("containers_in", chains.containers_in())
            parts.chain(
                "from_containers",
                chains.from_containers(own, patterns),
                [flow.from_containers for flow in of],
                ["goto refused_fwd"],
            )
            parts.chain("published", [], [flow.published for flow in to])
        for name, lines in chains.antispoof(own, words, patterns):
            parts.chain(name, lines)
        masquerading = chains.masquerading(own, self._policy, words)
        if masquerading:
            parts.chain("postrouting", masquerading)


class _Parts:
    """The chains of one node, while they are put together.

    Attributes:
        text: pieces of text.
        sets: words that name the sets in them, or look as if they did.
    """

    def __init__(self, has: frozenset[str]) -> None:
        self._has = has
        self.text: list[str] = []
        self.sets: set[str] = set()

    def chain(
        self,
        name: str,
        before: Iterable[str],
        blocks: Iterable[Block] = (),
        after: Iterable[str] = (),
    ) -> None:
        """Add a chain; of the flows' rules, those that the node has the addresses for."""
        self.text.append(f"\n{sets.INDENT}chain {name} {{\n")
        self._fixed(before)
        for block in blocks:
            own = block.of(self._has)
            self.text.append(own.text)
            self.sets.update(own.sets)
        self._fixed(after)
        self.text.append(f"{sets.INDENT}}}\n")

    def _fixed(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.text.append(rules.line(line))
            self.sets.update(_NAMED_SET.findall(line))
