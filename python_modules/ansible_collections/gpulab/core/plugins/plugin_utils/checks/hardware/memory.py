"""Checks of the memory modules: number, size, speed, place, and errors that were counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....module_utils.hardware.dimm_names import place_on_processor
from ..finding import (
    DECLARED,
    GIB,
    Facts,
    Finding,
    HardwareCheck,
    Requirements,
    number,
    part,
    waived,
)

Slot = Mapping[str, Any]

_SOURCE = "dmidecode -t 16,17"
_ASK = "Install dmidecode on the node and run `dmidecode -t memory` as root."
_WHOLE = part("memory", "main memory")
# Of an array of which the firmware does not tell the error correction.
_UNTOLD = "Unknown"


def _dimm(slot: Slot) -> dict[str, str]:
    name = " ".join(word for word in (slot.get("manufacturer"), slot.get("part_number")) if word)
    return part("dimm", name, serial=slot.get("serial"), slot=_where(slot))


def _where(slot: Slot) -> str:
    """Return a slot's locator, and its bank where that says more."""
    name, bank = str(slot.get("slot") or ""), slot.get("bank")
    return f"{name} ({bank})" if bank and bank not in name else name


def _fitted(facts: Facts) -> list[Slot]:
    return [slot for slot in facts["dimms"]["slots"] if slot.get("installed") is True]


def _count(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    slots: Sequence[Slot] = facts["dimms"]["slots"]
    fitted = _fitted(facts)
    doubtful = [slot for slot in slots if slot.get("installed") is None]
    declared = wanted.get("dimm_slots") or []
    expected = max(wanted.get("dimms_min", 0), len(declared))
    action = (
        "Reseat the module in this slot; if the firmware still does not see it, try it in another "
        "slot: the fault stays with the slot or moves with the module."
    )
    evidence = f"{len(fitted)} of {len(slots)} slots hold a module"
    if doubtful:
        evidence += f"; not told for {', '.join(_where(slot) for slot in doubtful)}"
    findings = []
    present = {slot.get("slot") for slot in [*fitted, *doubtful]}
    for name in declared:
        if name not in present:
            known = next((slot for slot in slots if slot.get("slot") == name), {"slot": name})
            findings.append(
                check.finding(
                    "fail",
                    part("dimm", "no module", slot=_where(known)),
                    "no module",
                    "a module",
                    evidence=evidence,
                    action=action,
                )
            )
    if findings:
        return findings
    if len(fitted) >= expected:
        return [check.finding("pass", _WHOLE, len(fitted), expected, evidence=evidence)]
    if len(fitted) + len(doubtful) >= expected:
        return [
            check.finding("unknown", _WHOLE, None, expected, evidence=evidence, action=check.action)
        ]
    suspects = suspected_gaps(slots)
    where = ", ".join(_where(slot) for slot in suspects)
    return [
        check.finding(
            "fail",
            part("dimm", "no module", slot=where),
            len(fitted),
            expected,
            unit="modules",
            evidence=f"{evidence}; empty where its like are filled: {where or 'none tells'}",
            action=action,
        )
    ]


def suspected_gaps(slots: Sequence[Slot]) -> list[Slot]:
    """Return the empty slots where a module seems to be missing.

    Processors are fitted alike, so an empty slot is a gap where most of its like on the other
    processors are filled; a processor without any module tells nothing. And modules are fitted by
    position: the first of every channel, then the second. An empty slot is a gap, too, where its
    position (the number at the end of its locator) is mostly filled elsewhere. Where both tell
    nothing, all empty slots are.
    """
    fitted = {_processor(slot) for slot in slots if slot.get("installed")}
    empty = [slot for slot in slots if slot.get("installed") is False]
    gaps = [
        slot
        for slot in empty
        if (_processor(slot) in fitted and _mostly_filled(slot, slots, _place))
        or _mostly_filled(slot, slots, _position)
    ]
    return gaps or empty


def _mostly_filled(slot: Slot, slots: Sequence[Slot], key_of: Callable[[Slot], str | None]) -> bool:
    """Return whether most of the other slots of the same key are filled."""
    key = key_of(slot)
    others = [other for other in slots if other is not slot and key_of(other) == key]
    filled = [other for other in others if other.get("installed")]
    return key is not None and 2 * len(filled) > len(others)


def _processor(slot: Slot) -> str | None:
    named = place_on_processor(str(slot.get("slot") or ""))
    return named[0] if named else None


def _place(slot: Slot) -> str | None:
    named = place_on_processor(str(slot.get("slot") or ""))
    return named[1] if named else None


def _position(slot: Slot) -> str | None:
    match = re.search(r"(\d+)\D*$", str(slot.get("slot") or ""))
    return match.group(1) if match else None


def _size(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["dimm_gib_min"]
    findings = []
    for slot in _fitted(facts):
        size = number(slot.get("size_bytes"))
        gib = None if size is None else size / GIB
        if gib is None or gib < expected:
            findings.append(
                check.finding(
                    "unknown" if gib is None else "fail",
                    _dimm(slot),
                    gib,
                    expected,
                    unit="GiB",
                    evidence=f"{_where(slot)} holds "
                    f"{'a module of unknown size' if gib is None else f'{gib:g} GiB'}",
                    action=check.action if gib is None else "Replace it by one of the right size.",
                )
            )
    return findings or _all_fine(check, facts, expected, "GiB")


def _speed(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    """Judge the speed that each module runs at.

    One slow module makes all others of its controller run as slow, so below the declared speed the
    modules that are rated lower are named; only where none is, all that run too slow.
    """
    least = wanted.get("speed_mts_min", 0)
    if "speed_mts_min" not in wanted and not wanted["rated_speed"]:
        return waived(check, _WHOLE, "rated_speed")
    fitted = _fitted(facts)
    slower = [slot for slot in fitted if _below(slot.get("rated_mts"), least)]
    findings = []
    for slot in fitted:
        rated, running = number(slot.get("rated_mts")), number(slot.get("configured_mts"))
        status = ""
        action = (
            "Replace it by a module of the declared speed: it slows down all others of its "
            "processor."
        )
        if running is None or (rated is None and wanted.get("rated_speed")):
            status, action = "unknown", check.action
        elif running < least and (slot in slower or not slower):
            status = "fail"
            if slot not in slower:
                action = (
                    "Set the memory speed in the firmware to automatic or the module's rating; "
                    "see the board's manual for how many modules a channel takes at that speed."
                )
        elif wanted.get("rated_speed") and rated is not None and running < rated and not slower:
            status = "warn"
            action = (
                "See the board's manual for the speed that this processor and this many modules "
                "reach; if it is less than the rating, take `memory.rated_speed` out of the spec."
            )
        if status:
            findings.append(
                check.finding(
                    status,
                    _dimm(slot),
                    None if status == "unknown" else running,
                    least or rated,
                    unit="MT/s",
                    evidence=f"{_where(slot)} is rated {_told(rated)} and runs at {_told(running)}",
                    action=action,
                    severity="warn" if status == "warn" else "",
                )
            )
    return findings or _all_fine(check, facts, least or "rated", "MT/s")


def _below(value: object, least: float) -> bool:
    known = number(value)
    return known is not None and known < least


def _told(speed: float | None) -> str:
    return "an unknown speed" if speed is None else f"{speed} MT/s"


def _all_fine(check: HardwareCheck, facts: Facts, expected: object, unit: str) -> list[Finding]:
    """Return one pass for all modules, or unknown where no module was seen."""
    fitted = _fitted(facts)
    if not fitted:
        evidence = "the firmware tells of no module"
        return [
            check.finding("unknown", _WHOLE, None, expected, evidence=evidence, action=check.action)
        ]
    key, scale = ("size_bytes", GIB) if unit == "GiB" else ("configured_mts", 1)
    seen = Counter((number(slot.get(key)) or 0) / scale for slot in fitted)
    told = ", ".join(f"{count} of {value:g} {unit}" for value, count in sorted(seen.items()))
    evidence = f"modules: {told}"
    return [check.finding("pass", _WHOLE, min(seen), expected, unit=unit, evidence=evidence)]


def _balance(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["balanced"]:
        return waived(check, _WHOLE, "balanced")
    fitted = _fitted(facts)
    unplaced = [slot for slot in fitted if not slot.get("channel") or not slot.get("size_bytes")]
    if unplaced or not fitted:
        names = ", ".join(_where(slot) for slot in unplaced) or "no module"
        return [
            check.finding(
                "unknown",
                _WHOLE,
                None,
                "equal channels",
                evidence=f"no channel or no size is told for: {names}",
                action=check.action,
            )
        ]
    channels: dict[str, int] = {}
    for slot in fitted:
        channels[slot["channel"]] = channels.get(slot["channel"], 0) + slot["size_bytes"]
    usual = Counter(channels.values()).most_common(1)[0][0]
    odd = {name: size for name, size in channels.items() if size != usual}
    sockets = Counter(name.partition("/")[0] for name in channels)
    uneven = len(set(sockets.values())) > 1
    evidence = ", ".join(f"{name}: {size / GIB:g} GiB" for name, size in sorted(channels.items()))
    culprits = [slot for slot in fitted if slot["channel"] in odd]
    where = ", ".join(_where(slot) for slot in culprits)
    if uneven and not culprits:
        where = ", ".join(_where(slot) for slot in suspected_gaps(facts["dimms"]["slots"]))
    return [
        check.finding(
            "warn" if odd or uneven else "pass",
            part("dimm", "channels", slot=where) if odd or uneven else _WHOLE,
            len(odd) or len(channels),
            "equal channels",
            evidence=f"memory by processor and channel: {evidence}",
            action="Fit every channel of every processor alike: the memory of an uneven machine is "
            "interleaved over fewer channels, which costs bandwidth.",
        )
    ]


def _ecc(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["ecc"]:
        return waived(check, _WHOLE, "ecc")
    observed = facts["dimms"].get("ecc")
    # Of several arrays, one without ECC is a fault whatever the others say.
    told = set((observed or _UNTOLD).split(", "))
    without = {words for words in told if "ECC" not in words and words != _UNTOLD}
    status = "fail" if without else "unknown" if _UNTOLD in told else "pass"
    return [
        check.finding(
            status,
            _WHOLE,
            None if status == "unknown" else observed,
            "ECC",
            evidence=f"the firmware's error correction is {observed or 'not told'}",
            action=check.action
            if status == "unknown"
            else "Switch ECC on in the firmware; if it can't be, one module is without ECC.",
        )
    ]


def _errors(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    most = wanted["corrected_max"]
    controllers = facts["edac"]
    if not controllers:
        return [
            check.finding(
                "unknown",
                _WHOLE,
                None,
                most,
                evidence="no driver counts memory errors (EDAC): /sys/devices/system/edac/mc has "
                "no controller",
                action=check.action,
                severity="warn",
            )
        ]
    modules = {slot.get("slot"): slot for slot in (facts.get("dimms") or {}).get("slots") or []}
    findings: list[Finding] = []
    for controller in controllers:
        before = len(findings)
        for dimm in controller.get("dimms") or []:
            which = _edac_part(controller, dimm, modules)
            findings += _error_finding(check, which, controller, dimm, most)
        # An error that the driver could not lay to a module is in the controller's count only.
        if len(findings) == before:
            which = part("memory", controller.get("driver"), slot=controller.get("name"))
            findings += _error_finding(check, which, controller, controller, most)
    total = sum(number(controller.get("ce")) or 0 for controller in controllers)
    return findings or [
        check.finding(
            "pass",
            _WHOLE,
            total,
            most,
            unit="corrected errors",
            evidence=f"no uncorrected error and {total} corrected in {len(controllers)} "
            "controllers since their driver started",
        )
    ]


def _edac_part(
    controller: Mapping[str, Any], dimm: Mapping[str, Any], modules: Mapping[Any, Slot]
) -> dict[str, str]:
    label = dimm.get("label")
    module = modules.get(label)
    if module:
        return _dimm(module)
    where = label or f"{controller.get('name')} {dimm.get('location')}"
    return part("dimm", "", slot=where)


def _error_finding(
    check: HardwareCheck,
    which: Mapping[str, str],
    controller: Mapping[str, Any],
    counted: Mapping[str, Any],
    most: int,
) -> list[Finding]:
    """Return a finding if something is wrong with these counts, or none."""
    ue, ce = number(counted.get("ue")), number(counted.get("ce"))
    evidence = (
        f"{controller.get('name')} ({controller.get('driver')}) counts {_amount(ue)} uncorrected "
        f"and {_amount(ce)} corrected errors since its driver started"
    )
    if ue is not None and ue > 0:
        return [
            check.finding(
                "fail",
                which,
                ue,
                0,
                unit="uncorrected errors",
                evidence=evidence,
                action="Drain the node and replace this module: its data was lost at least once.",
            )
        ]
    if ue is None or ce is None:
        return [
            check.finding(
                "unknown",
                which,
                None,
                most,
                evidence=evidence,
                action=check.action,
                severity="warn",
            )
        ]
    if ce > most:
        return [
            check.finding(
                "warn",
                which,
                ce,
                most,
                unit="corrected errors",
                evidence=evidence,
                action="Look again after a day of work; if the number grows, replace this module "
                "at the next maintenance.",
                severity="warn",
            )
        ]
    return []


def _amount(count: float | None) -> str:
    return "an unknown number of" if count is None else str(count)


MEMORY_CHECKS = (
    HardwareCheck(
        id="memory.dimms",
        title="Memory modules fitted",
        section="memory",
        requires=("dimms_min", "dimm_slots"),
        probes=("dimms",),
        part="memory",
        source=_SOURCE,
        threshold="at least `memory.dimms_min`, and one in each of `memory.dimm_slots`",
        threshold_source=DECLARED,
        severity="fail",
        action=_ASK,
        judge=_count,
    ),
    HardwareCheck(
        id="memory.dimm_size",
        title="Size of each memory module",
        section="memory",
        requires=("dimm_gib_min",),
        probes=("dimms",),
        part="memory",
        source=_SOURCE,
        threshold="every module at least `memory.dimm_gib_min`",
        threshold_source=DECLARED,
        severity="fail",
        action=_ASK,
        judge=_size,
    ),
    HardwareCheck(
        id="memory.dimm_speed",
        title="Speed of each memory module",
        section="memory",
        requires=("speed_mts_min", "rated_speed"),
        probes=("dimms",),
        part="memory",
        source=_SOURCE,
        threshold="every module runs at `memory.speed_mts_min` or more; with `memory.rated_speed`, "
        "one that runs below its own rating warns",
        threshold_source=DECLARED + "; the rating is the module's own (SPD)",
        severity="fail",
        action=_ASK,
        judge=_speed,
    ),
    HardwareCheck(
        id="memory.balance",
        title="Memory channels alike",
        section="memory",
        requires=("balanced",),
        probes=("dimms",),
        part="memory",
        source=_SOURCE,
        threshold="the channels that hold memory hold the same amount, as many on each processor",
        threshold_source="the processors interleave addresses over equal channels only (AMD and "
        "Intel, memory population rules)",
        severity="warn",
        action="The slots' names tell no channel on this board: compare with its manual, and take "
        "`memory.balanced` out of the spec.",
        judge=_balance,
    ),
    HardwareCheck(
        id="memory.ecc",
        title="Error correction of the memory",
        section="memory",
        requires=("ecc",),
        probes=("dimms",),
        part="memory",
        source=_SOURCE,
        threshold="the firmware says that ECC is on, of every array of main memory",
        threshold_source=DECLARED,
        severity="fail",
        action=_ASK,
        judge=_ecc,
    ),
    HardwareCheck(
        id="memory.errors",
        title="Memory errors counted",
        section="memory",
        requires=("corrected_max",),
        probes=("edac",),
        part="memory",
        source="/sys/devices/system/edac/mc",
        threshold="an uncorrected error fails; more than `memory.corrected_max` corrected errors "
        "of a module warn. Both are counted since the driver started, so an old error stays until "
        "the next boot",
        threshold_source=DECLARED + "; an uncorrected error is lost data",
        severity="fail",
        action="Load the driver of this memory controller: `modprobe amd64_edac` (AMD), "
        "`modprobe skx_edac` or `i10nm_edac` (Intel). Where the firmware keeps the counts to "
        "itself, see the management controller's event log.",
        judge=_errors,
    ),
)
