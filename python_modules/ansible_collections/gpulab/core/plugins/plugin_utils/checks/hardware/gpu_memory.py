"""Checks of the GPUs' memory: errors, and repairs that were made, are due or can't be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Facts, Finding, HardwareCheck, Requirements
from ..gpu_models import DATA_CENTRE, is_model
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, is_unsupported, named, unread, why_null

# A board can retire 64 pages; shortly before that it is used up.
RETIRED_PAGES_MAX = 60
_NVML = "NVML"


def _ecc_errors(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        errors = nvml["ecc_errors"]
        count, exceeded = errors["volatile_uncorrected"], errors["sram_threshold_exceeded"]
        # What is known of a sum that is not: errors that were counted are errors.
        least = errors.get("volatile_uncorrected_least") if count is None else count
        total = errors["aggregate_uncorrected"]
        said = {True: "exceeded", False: "not exceeded", None: "not told"}[exceeded]
        shown = f"at least {least}" if count is None and least else "?" if count is None else count
        failed = bool(least or exceeded)
        if not failed and _is_untold(nvml, "ecc_errors", count, exceeded):
            if is_unsupported(nvml, "ecc_errors") and not _has_ecc(nvml):
                return None
            return check.finding(
                "unknown",
                which,
                None,
                0,
                evidence=f"uncorrected errors: {why_null(nvml, 'ecc_errors')}",
                action=f"{check.action} Errors are counted only while ECC is on (gpu.ecc_mode).",
            )
        return check.finding(
            "fail" if failed else "pass",
            which,
            least,
            0,
            unit="errors",
            evidence=f"uncorrected memory errors: {shown} since the driver was loaded, "
            f"{'?' if total is None else total} in its life; SRAM threshold {said}",
            action=f"Replace {named(which)}: its SRAM has used up its error threshold."
            if exceeded
            else f"Drain the node and reset {named(which)}, then run this again; if errors come "
            "again, replace it.",
        )

    return each_listed(check, facts, judge, 0)


def _is_untold(nvml: Gpu, field: str, count: int | None, exceeded: bool | None) -> bool:
    """Return whether the count is not known, or an error hides the threshold."""
    hidden = f"{field}.sram_threshold_exceeded" in unread(nvml)
    return count is None or (exceeded is None and hidden)


def _has_ecc(nvml: Gpu) -> bool:
    """Return whether this model has ECC, so that counters it does not tell are missing."""
    return nvml["ecc"] is True or is_model(nvml["name"] or "", DATA_CENTRE)


# Repairs of drivers since 575 -> what is due.
_PENDING = {
    "channel_pending": "a repair of a memory channel",
    "tpc_pending": "a repair of a processor (TPC)",
    "bank_pending": "a remapping of a bank",
}
_REPAIR_FIELDS = ("remapped_rows", "retired_pages", "repairs")


def _row_remap(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        rows, pages, repairs = (nvml.get(field) or {} for field in _REPAIR_FIELDS)
        spent, due = _spent(rows, pages, repairs), _due(rows, pages, repairs)
        if spent or due:
            return check.finding(
                "fail",
                which,
                "failure" if spent else "pending",
                "none",
                evidence="; ".join([*spent, *_done(rows, pages)])
                + (f", a repair is pending: {', '.join(due)}" if due else ""),
                action=f"Replace {named(which)}: its memory has no spare left for the bad part."
                if spent
                else f"Drain the node and reset {named(which)}, so that the repair takes effect, "
                "then run this again.",
            )
        failed = [field for field in unread(nvml) if field.startswith(_REPAIR_FIELDS)]
        if failed:
            return _unknown_repairs(check, which, why_null(nvml, failed[0]))
        if not rows and not pages:
            absent = is_unsupported(nvml, "remapped_rows") and is_unsupported(nvml, "retired_pages")
            if absent and not _has_ecc(nvml):
                return None
            return _unknown_repairs(check, which, why_null(nvml, "remapped_rows"))
        if _is_partly_told(rows, pages):
            return _unknown_repairs(check, which, why_null(nvml, "remapped_rows"))
        return check.finding(
            "pass", which, "none", "none", evidence="; ".join(_done(rows, pages)), action=""
        )

    return each_listed(check, facts, judge, "none")


def _spent(rows: Gpu, pages: Gpu, repairs: Gpu) -> list[str]:
    """Return what can't be repaired any more."""
    retired = (pages.get("corrected") or 0) + (pages.get("uncorrected") or 0)
    return [
        *(["a row could not be remapped"] if rows.get("failure") else []),
        *(["the memory has a fault that can't be repaired"] if _is_unrepairable(repairs) else []),
        *([f"{retired} pages are retired"] if retired >= RETIRED_PAGES_MAX else []),
    ]


def _is_unrepairable(repairs: Gpu) -> bool:
    return repairs.get("unrepairable_memory") is True


def _due(rows: Gpu, pages: Gpu, repairs: Gpu) -> list[str]:
    """Return the repairs that a reset would make."""
    return [
        *(["a remapping of a row"] if rows.get("pending") else []),
        *(["a retirement of a page"] if pages.get("pending") else []),
        *(words for name, words in _PENDING.items() if repairs.get(name)),
    ]


def _done(rows: Gpu, pages: Gpu) -> list[str]:
    return [
        *([_repairs("remapped rows", rows)] if rows else []),
        *([_repairs("retired pages", pages)] if pages and not rows else []),
    ]


def _is_partly_told(rows: Gpu, pages: Gpu) -> bool:
    """Return whether something that a verdict needs is missing from what the board has."""
    if rows:
        return rows["failure"] is None or rows["pending"] is None
    return None in (pages["corrected"], pages["uncorrected"], pages["pending"])


def _repairs(what: str, found: Mapping[str, Any]) -> str:
    counts = (found["corrected"], found["uncorrected"])
    corrected, uncorrected = ("?" if count is None else count for count in counts)
    return f"{what}: {corrected} for corrected, {uncorrected} for uncorrected errors"


def _unknown_repairs(check: HardwareCheck, which: dict[str, str], reason: str) -> Finding:
    return check.finding(
        "unknown", which, None, "none", evidence=f"memory repairs: {reason}", action=check.action
    )


GPU_MEMORY_CHECKS = (
    HardwareCheck(
        id="gpu.ecc_errors",
        title="Uncorrected memory errors of the GPUs",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="no uncorrected error since the driver was loaded, and the SRAM threshold flag "
        "is not set",
        threshold_source="NVIDIA, GPU Memory Error Management: an uncorrected error needs a reset, "
        "the flag a replacement",
        severity="fail",
        action="Run `nvidia-smi -q -d ECC` on the node.",
        judge=_ecc_errors,
    ),
    HardwareCheck(
        id="gpu.row_remap",
        title="Repairs of the GPUs' memory",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="no row remapping failed or is pending, no repair of a channel, processor or "
        "bank is pending, and no memory is unrepairable; on V100 and older fewer than 60 retired "
        "pages and none pending",
        threshold_source="NVIDIA, GPU Memory Error Management: a failed remapping is the criterion "
        "for a replacement, a pending one needs a reset; a board can retire 64 pages, and 60 is "
        "our proposal, to be calibrated",
        severity="fail",
        action="Run `nvidia-smi -q -d ROW_REMAPPER,PAGE_RETIREMENT` on the node.",
        judge=_row_remap,
    ),
)
