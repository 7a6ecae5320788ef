"""The GPU's memory in ``nvidia-smi -q -x``: errors, and repairs that were made or are due."""

from __future__ import annotations

from typing import Any

from .smi_element import Element

# Boards before Turing count by single and double bit, with a total; later ones by SRAM and DRAM;
# driver 535 split the SRAM's uncorrected ones by what protects them.
_COUNTERS = {
    "corrected": ("single_bit/total", "sram_correctable", "dram_correctable"),
    "uncorrected": (
        "double_bit/total",
        "sram_uncorrectable",
        "sram_uncorrectable_parity",
        "sram_uncorrectable_secded",
        "dram_uncorrectable",
    ),
}


# What the total of a board before Turing adds up, where the driver does not tell it.
_PARTS = (
    *("device_memory", "register_file", "l1_cache", "l2_cache"),
    *("texture_memory", "texture_shm", "cbu"),
)
_BITS = {"corrected": "single_bit", "uncorrected": "double_bit"}


def ecc_errors(gpu: Element) -> dict[str, Any]:
    """Return the counts of memory errors, as hardware.schema.json has them.

    A sum is null where one of its counters is not told; the others are the least there is.
    """
    counts: dict[str, Any] = {}
    for since in ("volatile", "aggregate"):
        for kind in _COUNTERS:
            told = _counts(gpu, f"ecc_errors/{since}", kind)
            known = [count for count in told if count is not None]
            counts[f"{since}_{kind}"] = sum(known) if len(known) == len(told) else None
            if (since, kind) == ("volatile", "uncorrected"):
                counts["volatile_uncorrected_least"] = sum(known) if known else None
    counts["sram_threshold_exceeded"] = gpu.switch(
        "ecc_errors.sram_threshold_exceeded", "ecc_errors/aggregate/sram_threshold_exceeded"
    )
    return counts


def _counts(gpu: Element, path: str, kind: str) -> list[int | None]:
    counts = gpu.counts("ecc_errors", *(f"{path}/{counter}" for counter in _COUNTERS[kind]))
    bits = f"{path}/{_BITS[kind]}"
    if None in counts and gpu.element.find(bits) is not None:
        # The sum stays unknown, as boards have not all of its parts.
        counts += gpu.counts("ecc_errors", *(f"{bits}/{part}" for part in _PARTS))
    return counts


def remapped_rows(gpu: Element) -> dict[str, Any] | None:
    """Return the repairs of boards since Ampere; None if the driver tells nothing of them."""
    rows = "remapped_rows"
    found = {
        "corrected": gpu.integer(rows, f"{rows}/remapped_row_corr"),
        "uncorrected": gpu.integer(rows, f"{rows}/remapped_row_unc"),
        "pending": gpu.switch(rows, f"{rows}/remapped_row_pending"),
        "failure": gpu.switch(rows, f"{rows}/remapped_row_failure"),
    }
    return None if all(value is None for value in found.values()) else found


def retired_pages(gpu: Element) -> dict[str, Any] | None:
    """Return the repairs of boards before Ampere; None if the driver tells nothing of them."""
    pages = "retired_pages"
    found = {
        "corrected": gpu.integer(pages, f"{pages}/multiple_single_bit_retirement/retired_count"),
        "uncorrected": gpu.integer(pages, f"{pages}/double_bit_retirement/retired_count"),
        "pending": gpu.switch(
            f"{pages}.pending", f"{pages}/pending_retirement", f"{pages}/pending_blacklist"
        ),
    }
    return None if all(value is None for value in found.values()) else found


def repairs(gpu: Element) -> dict[str, bool | None]:
    """Return the repairs that drivers since 575 tell: of channels, of processors, of banks (615).

    Each is null where board or driver have no such thing.
    """
    return {
        "channel_pending": gpu.switch(
            "repairs.channel_pending", "ecc_errors/channel_repair_pending"
        ),
        "tpc_pending": gpu.switch("repairs.tpc_pending", "ecc_errors/tpc_repair_pending"),
        "bank_pending": gpu.switch("repairs.bank_pending", "remapped_banks/bank_remapper_pending"),
        "unrepairable_memory": gpu.switch(
            "repairs.unrepairable_memory", "ecc_errors/unrepairable_memory"
        ),
    }
