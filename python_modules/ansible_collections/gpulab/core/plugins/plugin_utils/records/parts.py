"""Which physical parts a node has, by the name that each keeps wherever it is fitted.

A part's key is its kind and what is engraved on it, such as ``gpu:GPU-6ac3…``, ``disk:S4EV…``,
``dimm:3A1C…``, ``nic:0c:42:…`` or ``node:J1XY…``. What has no such name (a fan, a clock, a virtual
disk) is known by its node alone and has no key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# A container sees the parts of its host, which belong to no container; a GPU is handed to it.
_OF_THE_HOST = ("disk", "dimm", "nic")
# Their serial numbers are made up by the hypervisor, the same on every machine.
_MADE_UP = ("virtio", "iscsi")
# Firmware's words for a serial number that nobody filled in; compared in lower case.
_NO_SERIAL = frozenset({"", "0", "none", "unknown", "not specified", "no dimm", "n/a"})


class Part(NamedTuple):
    """A part that was seen; ``key`` is its name, the rest is where it sits and how it is called."""

    key: str
    kind: str
    name: str
    serial: str
    uuid: str
    bdf: str
    slot: str


def node_part(name: str) -> dict[str, str]:
    """Return a node as a part."""
    return {"kind": "node", "name": name}


def seen(records: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Part]]:
    """Return the parts of each node of a run.

    A name that two places have in the same run is no name (virtual disks are all called alike, a
    host's disk is seen by several containers), so it is left out.

    Args:
        records: The run's records by node.
    """
    found = {node: list(of(record)) for node, record in records.items()}
    count = Counter(part.key for parts in found.values() for part in parts)
    return {node: [p for p in parts if count[p.key] == 1] for node, parts in found.items()}


def kinds_read(record: Mapping[str, Any]) -> set[str]:
    """Return the kinds of parts that were looked for, so that one not seen was not there."""
    hardware = record["hardware"] or {}
    read = {
        "disk": hardware.get("disks"),
        "nic": hardware.get("nics"),
        "dimm": hardware.get("dimms"),
        "gpu": (hardware.get("nvidia") or {}).get("gpus"),
    }
    return {"node"} | {kind for kind, section in read.items() if section is not None}


def key_of(part: Mapping[str, str], parts: list[Part]) -> str:
    """Return the key of the part that a finding names, or "" where it names none of ``parts``."""
    same = [known for known in parts if known.kind == part["kind"]]
    if part["kind"] == "node":
        return same[0].key if same else ""
    for mark in ("uuid", "serial", "bdf", "slot", "name"):
        named = part.get(mark, "")
        matches = [known for known in same if named and _same(getattr(known, mark), named)]
        if len(matches) == 1:
            return matches[0].key
    return ""


def named(kind: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Return a finding's ``part`` from what the facts say of it."""
    marks = ("name", "serial", "bdf", "slot", "uuid")
    return {"kind": kind, **{mark: str(facts.get(mark) or "") for mark in marks}}


def label(part: Part) -> dict[str, str]:
    """Return the part as a finding's ``part``."""
    return named(part.kind, part._asdict())


def of(record: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the parts of one node, also those whose name another place may have as well."""
    hardware = record["hardware"] or {}
    contained = (hardware.get("os") or {}).get("virtualization") == "container"
    for part in _all(record["host"], hardware, contained):
        if not (contained and part.kind in _OF_THE_HOST):
            yield part


def dimms(hardware: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the memory modules of a node's facts, without the slots that are empty."""
    slots = (hardware.get("dimms") or {}).get("slots") or []
    return [slot for slot in slots if slot.get("installed")]


def _all(host: Mapping[str, Any], hardware: Mapping[str, Any], contained: bool) -> Iterator[Part]:
    machine = hardware.get("system") or {}
    # What was read stands above what is declared, which may be another machine's. A container reads
    # its host's, and is known by what is declared of it; so is a machine that tells no number.
    serial = ("" if contained else _serial(machine.get("serial"))) or host["serial"]
    product = " ".join(str(machine.get(key) or "") for key in ("vendor", "product")).strip()
    if serial:
        yield Part(f"node:{serial}", "node", "" if contained else product, serial, "", "", "")
    slots = {gpu.get("bdf"): gpu.get("slot") for gpu in hardware.get("gpus") or []}
    for gpu in (hardware.get("nvidia") or {}).get("gpus") or []:
        name = str(gpu.get("uuid") or _serial(gpu.get("serial")))
        if name:
            yield _part("gpu", name, {"slot": slots.get(gpu.get("bdf")), **gpu})
    for disk in hardware.get("disks") or []:
        if _serial(disk.get("serial")) and disk.get("transport") not in _MADE_UP:
            yield _part("disk", disk["serial"], {**disk, "name": disk.get("model")})
    for dimm in dimms(hardware):
        if _serial(dimm.get("serial")):
            name = " ".join(str(dimm[k]) for k in ("manufacturer", "part_number") if dimm.get(k))
            yield _part("dimm", dimm["serial"], {**dimm, "name": name})
    for nic in hardware.get("nics") or []:
        if nic.get("physical") and nic.get("mac") and nic.get("bus") != "virtio":
            yield _part("nic", nic["mac"].lower(), {**nic, "serial": nic["mac"]})


def _part(kind: str, name: str, facts: Mapping[str, Any]) -> Part:
    marks = (str(facts.get(key) or "") for key in ("name", "serial", "uuid", "bdf", "slot"))
    return Part(f"{kind}:{name}", kind, *marks)


def _serial(text: object) -> str:
    serial = str(text or "").strip()
    return "" if serial.lower() in _NO_SERIAL else serial


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
