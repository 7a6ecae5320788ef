"""Nodes that are meant to be alike: which of them is the odd one?

Every trait is voted on by all that are meant to be alike: nodes with one spec in the same groups,
and GPUs and adapters of one model in these nodes. Where more than half agree, the others are odd.
Where they do not, as with two nodes, nobody can say which one is right: they differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ....module_utils.hardware.pci import is_nvidia
from ... import formatting
from ...records import parts
from ...records.records import Record
from ..finding import Check, Finding
from ..node_spec import NO_SPEC
from ..specs import BUILTIN_SPECS

SUMMARY = "uniform"
_SOURCE = "hardware_info of this run's nodes"
_GIB = 1024**3
_TB = 10**12


class Vote(NamedTuple):
    """One value of a trait: only votes of the same ``kind`` are counted together."""

    kind: str
    part: Mapping[str, str]
    value: str


class Trait(NamedTuple):
    """What must be the same.

    Attributes:
        id: Of the finding, behind ``uniform.``.
        title: In words.
        votes: Facts and the node's name to what this node has; what was not read has no vote.
        action: What to do about the odd one.
    """

    id: str
    title: str
    votes: Callable[[Mapping[str, Any], str], Iterator[Vote]]
    action: str


def _of_node(*path: str) -> Callable[[Mapping[str, Any], str], Iterator[Vote]]:
    """Vote with one value of the facts."""

    def votes(facts: Mapping[str, Any], node: str) -> Iterator[Vote]:
        value: Any = facts
        for key in path:
            value = (value or {}).get(key)
        if value:
            yield Vote("", parts.node_part(node), str(value))

    return votes


def _firmware(facts: Mapping[str, Any], node: str) -> Iterator[Vote]:
    system = facts.get("system") or {}
    if system.get("firmware_version"):
        model = f"{system.get('vendor')} {system.get('product')}"
        yield Vote(model, parts.node_part(node), str(system["firmware_version"]))


def _section(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Take a section that is a list of what is there."""
    return lambda facts: facts.get(name)


def _population(
    items: Callable[[Mapping[str, Any]], Any], name: Callable[[Mapping[str, Any]], str]
) -> Callable[[Mapping[str, Any], str], Iterator[Vote]]:
    """Vote with how many there are of each kind; None is what was not read."""

    def votes(facts: Mapping[str, Any], node: str) -> Iterator[Vote]:
        there = items(facts)
        if there is not None:
            count = Counter(name(item) for item in there)
            value = ", ".join(f"{n} x {what}" for what, n in sorted(count.items()) if what)
            yield Vote("", parts.node_part(node), value or "none")

    return votes


def _gpu_name(gpu: Mapping[str, Any]) -> str:
    # The management controller's display is none.
    return str(gpu.get("name") or gpu.get("device_id")) if is_nvidia(dict(gpu)) else ""


def _dimm_name(dimm: Mapping[str, Any]) -> str:
    size = dimm.get("size_bytes")
    return f"{size / _GIB:g} GiB" if size else ""


def _modules(facts: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    return None if facts.get("dimms") is None else parts.dimms(facts)


def _disk_name(disk: Mapping[str, Any]) -> str:
    size = disk.get("size_bytes")
    return f"{size / _TB:.2f} TB {disk.get('kind')}" if size and not disk.get("removable") else ""


def _nic_name(nic: Mapping[str, Any]) -> str:
    return str(nic.get("driver") or "") if nic.get("physical") else ""


def _vbios(facts: Mapping[str, Any], _node: str) -> Iterator[Vote]:
    for gpu in (facts.get("nvidia") or {}).get("gpus") or []:
        if gpu.get("vbios_version"):
            yield Vote(str(gpu.get("name")), parts.named("gpu", gpu), gpu["vbios_version"])


def _adapter_firmware(facts: Mapping[str, Any], _node: str) -> Iterator[Vote]:
    for port in facts.get("infiniband") or []:
        if port.get("firmware"):
            # Its first number is that of the adapter's family: 20 is a ConnectX-6, 28 a ConnectX-7.
            family = str(port["firmware"]).partition(".")[0]
            part = parts.named("nic", {**port, "name": port.get("device")})
            yield Vote(family, part, str(port["firmware"]))


_BUILD = "bring it to the others' version: ansible-playbook site.yml --limit {node}"
_FLASH = "bring its firmware to the others' version, as its maker describes"
_FIT = "compare what is fitted, and in which slot, with a node that is as it should be"

TRAITS: Sequence[Trait] = (
    Trait("os", "operating system", _of_node("os", "name"), _BUILD),
    Trait("kernel", "kernel", _of_node("kernel", "release"), _BUILD),
    Trait("driver", "NVIDIA driver", _of_node("nvidia", "module_version"), _BUILD),
    Trait("cuda", "CUDA of the driver", _of_node("nvidia", "cuda_version"), _BUILD),
    Trait("firmware", "system firmware", _firmware, _FLASH),
    Trait("cpu", "processor", _of_node("cpu", "model"), _FIT),
    Trait("gpus", "GPUs on the bus", _population(_section("gpus"), _gpu_name), _FIT),
    Trait("dimms", "DIMMs", _population(_modules, _dimm_name), _FIT),
    Trait("disks", "disks", _population(_section("disks"), _disk_name), _FIT),
    Trait("nics", "network ports", _population(_section("nics"), _nic_name), _FIT),
    Trait("vbios", "VBIOS", _vbios, _FLASH),
    Trait("nic_firmware", "adapter firmware", _adapter_firmware, _FLASH),
)


_MAJORITY = "more than half of those that are meant to be alike; where they do not agree, all warn"
# There is no unknown: what was not read has no vote.
_UNREAD = "see the check that could not read it: what was not read is not compared"
_CHECK = Check(
    id=SUMMARY,
    title="Like the others of its kind",
    source=_SOURCE,
    threshold="one pass where every trait that was compared is as with the others",
    threshold_source=_MAJORITY,
    severity="warn",
    action=_UNREAD,
)
_CHECKS = {
    trait.id: Check(
        id=f"{SUMMARY}.{trait.id}",
        title=f"Uniform: {trait.title}",
        source=_SOURCE,
        threshold="the same as most of those that are meant to be alike",
        threshold_source=_MAJORITY,
        severity="warn",
        action=_UNREAD,
    )
    for trait in TRAITS
}
UNIFORM_CHECKS = (_CHECK, *_CHECKS.values())


def judge(records: Mapping[str, Record]) -> dict[str, list[Finding]]:
    """Return what is odd about each node: a warning per trait and part, or one pass.

    A node that has nothing to be compared with has no entry.

    Args:
        records: The run's records by node.
    """
    found: dict[str, list[Finding]] = {}
    for alike in _groups(records):
        for trait in TRAITS:
            _judge_trait(trait, {node: records[node]["hardware"] for node in alike}, found)
    return {node: _summed_up(node, compared) for node, compared in found.items()}


def _groups(records: Mapping[str, Record]) -> list[list[str]]:
    groups: dict[tuple[object, ...], list[str]] = {}
    for node, record in sorted(records.items()):
        if record["hardware"]:
            groups.setdefault(_meant_to_be(record), []).append(node)
    return list(groups.values())


def _meant_to_be(record: Record) -> tuple[object, ...]:
    """What the lab declares of a node; where that is no node in particular, what it is."""
    host, facts = record["host"], record["hardware"]
    declared = (tuple(host["groups"]), host["spec"])
    if host["spec"] not in ("", NO_SPEC, *BUILTIN_SPECS):
        return declared
    system, cpu = facts.get("system") or {}, facts.get("cpu") or {}
    gpus = frozenset(_gpu_name(gpu) for gpu in facts.get("gpus") or []) - {""}
    return (*declared, system.get("vendor"), system.get("product"), cpu.get("model"), gpus)


def _judge_trait(
    trait: Trait,
    facts: Mapping[str, Mapping[str, Any]],
    found: dict[str, list[Finding]],
) -> None:
    kinds: dict[str, list[tuple[str, Vote]]] = {}
    for node, own in facts.items():
        for vote in trait.votes(own, node):
            kinds.setdefault(vote.kind, []).append((node, vote))
    for votes in kinds.values():
        if len(votes) < 2:
            continue
        (usual, most), *_ = Counter(vote.value for _, vote in votes).most_common(1)
        agreed = 2 * most > len(votes)
        for node, vote in votes:
            list_ = found.setdefault(node, [])
            if vote.value == usual and agreed:
                list_.append(_pass(trait, node))
            elif agreed:
                told = f"{vote.value}; {most} of {len(votes)} have {usual}"
                list_.append(_odd(trait, node, vote, usual, told))
            else:
                list_.append(_odd(trait, node, vote, None, _who_has_what(votes)))


def _who_has_what(votes: Sequence[tuple[str, Vote]]) -> str:
    who: dict[str, dict[str, None]] = {}
    for node, vote in votes:
        who.setdefault(vote.value, {})[node] = None
    return "they differ: " + ", ".join(
        f"{value} on {' and '.join(nodes)}" for value, nodes in sorted(who.items())
    )


def _pass(trait: Trait, node: str) -> Finding:
    return _CHECKS[trait.id].finding("pass", parts.node_part(node), evidence=trait.title)


def _odd(trait: Trait, node: str, vote: Vote, usual: str | None, told: str) -> Finding:
    action = trait.action.format(node=node)
    return _CHECKS[trait.id].finding(
        "warn",
        vote.part,
        vote.value,
        usual,
        evidence=f"{trait.title}: {formatting.one_line(told, 300)}",
        action=action if usual else f"decide which is right, then {action}",
    )


def _summed_up(node: str, compared: Sequence[Finding]) -> list[Finding]:
    """Keep what is odd; what is as usual makes one pass."""
    odd = [finding for finding in compared if finding["status"] != "pass"]
    same = dict.fromkeys(f["evidence"] for f in compared if f["status"] == "pass")
    if odd:
        return odd
    evidence = f"like the others of its kind: {', '.join(same)}"
    return [_CHECK.finding("pass", parts.node_part(node), evidence=evidence)]
