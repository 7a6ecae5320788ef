"""Parse what nvidia-smi prints: ``-q -x``, ``nvlink -s`` and ``nvlink -e``.

Reads the formats of the drivers since R470 (nvsmi_device v11, v12, v13). The facts of a GPU have
the shape of nvml.py: what the board does not have or the driver does not tell ("N/A") is null and
named in ``unsupported``; what it could not read ("ERR!", "[Unknown Error]") is null and has its
words in ``unread``.
"""

from __future__ import annotations

import re

# The input is cut to nvidia-smi's own element first, so it can declare no entity.
import xml.etree.ElementTree as ET
from typing import Any

from .gpu_facts import MIB, normal_bdf, real_serial, slowdown_limit
from .sysfs import ProbeError, first

QUERY = ("nvidia-smi", "-q", "-x")
NVLINK_STATE = ("nvidia-smi", "nvlink", "-s")
NVLINK_ERRORS = ("nvidia-smi", "nvlink", "-e")

_ABSENT = ("", "n/a", "not supported", "function not found")
_UNREAD = re.compile(
    r"\[?(ERR!|Unknown Error|GPU is lost|GPU requires reset|Insufficient Permissions|No data)"
)
_GPU_LINE = re.compile(r"GPU \d+: .*\(UUID: (GPU-[0-9A-Za-z-]+)\)")
_LINK_LINE = re.compile(r"\s+Link (\d{1,3}): (?:(\d{1,6}(?:\.\d{1,6})?) GB/s|<inactive>)\s*$")
_ERROR_LINE = re.compile(r"\s+Link (\d{1,3}): (Replay|Recovery|CRC) Errors: (\d{1,18})\s*$")
_COUNTERS = {"Replay": "replay", "Recovery": "recovery", "CRC": "crc_flit"}


def parse_smi(text: str) -> dict[str, Any]:
    """Return ``cuda_version`` and ``gpus`` from the output of ``nvidia-smi -q -x``.

    Raises:
        ProbeError: The text is no such output.
    """
    start, end = text.find("<nvidia_smi_log"), text.rfind("</nvidia_smi_log>")
    if start < 0 or end < start:
        raise ProbeError("nvidia-smi: no complete XML in its output")
    try:
        # Entities are defined in a DTD, before the root element: the slice has dropped it.
        root = ET.fromstring(text[start : end + len("</nvidia_smi_log>")])  # noqa: S314
    except (ET.ParseError, ValueError) as error:
        raise ProbeError(f"nvidia-smi: {error}") from error
    return {
        "cuda_version": _Element(root).text("", "cuda_version"),
        "gpus": [_parse_gpu(_Element(gpu)) for gpu in root.findall("gpu")],
    }


def parse_nvlink_state(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return the links of each GPU by its UUID, as nvml.py's ``nvlinks`` without errors."""
    links: dict[str, list[dict[str, Any]]] = {}
    uuid = None
    for line in text.splitlines():
        gpu, link = _GPU_LINE.match(line), _LINK_LINE.match(line)
        if gpu:
            uuid = gpu.group(1)
        elif link and uuid:
            speed = link.group(2)
            links.setdefault(uuid, []).append(
                {
                    "link": int(link.group(1)),
                    "active": speed is not None,
                    "mb_per_s": None if speed is None else round(float(speed) * 1000),
                    "errors": None,
                }
            )
    return links


def parse_nvlink_errors(text: str) -> dict[str, dict[int, dict[str, int]]]:
    """Return the error counters of each link of each GPU, by UUID and number of the link."""
    counters: dict[str, dict[int, dict[str, int]]] = {}
    uuid = None
    for line in text.splitlines():
        gpu, error = _GPU_LINE.match(line), _ERROR_LINE.match(line)
        if gpu:
            uuid = gpu.group(1)
        elif error and uuid:
            link = counters.setdefault(uuid, {}).setdefault(int(error.group(1)), {})
            link[_COUNTERS[error.group(2)]] = int(error.group(3))
    return counters


def with_nvlinks(gpus: list[dict[str, Any]], state: str, errors: str) -> list[dict[str, Any]]:
    """Return the GPUs with their ``nvlinks`` from the two texts; a GPU without links keeps null."""
    links, counters = parse_nvlink_state(state), parse_nvlink_errors(errors)
    done = []
    for gpu in gpus:
        uuid = gpu["uuid"] or ""
        own = [
            {**link, "errors": counters.get(uuid, {}).get(link["link"]) if link["active"] else None}
            for link in links.get(uuid, [])
        ]
        unsupported = sorted({*gpu["unsupported"], *([] if own else ["nvlinks"])})
        done.append({**gpu, "nvlinks": own or None, "unsupported": unsupported})
    return done


class _Element:
    """An element of the XML; remembers what it did not tell, by the name of the fact."""

    def __init__(self, element: ET.Element) -> None:
        self.element = element
        self.unsupported: set[str] = set()
        self.unread: dict[str, str] = {}

    def text(self, field: str, *paths: str) -> str | None:
        """Return the text at the first path that tells one, else None."""
        said = [(self.element.findtext(path) or "").strip() for path in paths]
        for text in said:
            known = text.strip("[]").lower() not in _ABSENT and "deprecated" not in text
            if known and not _UNREAD.match(text):
                return text
        complaint = next((text for text in said if _UNREAD.match(text)), None)
        if complaint:
            self.unread[field] = complaint.strip("[]")
        else:
            self.unsupported.add(field)
        return None

    def quantity(self, field: str, unit: str, *paths: str) -> float | None:
        text = self.text(field, *paths) or ""
        match = re.fullmatch(rf"(-?\d{{1,12}}(?:\.\d{{1,6}})?) {re.escape(unit)}", text, re.ASCII)
        return float(match.group(1)) if match else None

    def integer(self, field: str, *paths: str) -> int | None:
        match = re.fullmatch(r"\d{1,18}", self.text(field, *paths) or "", re.ASCII)
        return int(match.group()) if match else None

    def width(self, field: str, path: str) -> int | None:
        match = re.fullmatch(r"(\d{1,2})x", self.text(field, path) or "", re.ASCII)
        return int(match.group(1)) if match else None

    def switch(self, field: str, *paths: str) -> bool | None:
        words = {"Enabled": True, "Yes": True, "Disabled": False, "No": False}
        return words.get(self.text(field, *paths) or "")

    def total(self, field: str, *paths: str) -> int | None:
        """Return the sum of the counters at those of the paths that exist; None if one is unread.

        Formats differ in which counters there are.
        """
        there = [path for path in paths if self.element.find(path) is not None]
        if not there:
            self.unsupported.add(field)
            return None
        counts = [self.integer(field, path) for path in there]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None


def _parse_gpu(gpu: _Element) -> dict[str, Any]:
    bdf = first((gpu.text("bdf", "pci/pci_bus_id"), gpu.element.get("id")))
    link = "pci/pci_gpu_link_info"
    facts = {
        "bdf": normal_bdf(bdf) if bdf else None,
        "name": gpu.text("name", "product_name"),
        "uuid": gpu.text("uuid", "uuid"),
        "serial": real_serial(gpu.text("serial", "serial")),
        "memory_bytes": _memory(gpu, "memory_bytes", "total"),
        "memory_used_bytes": _memory(gpu, "memory_used_bytes", "used"),
        "vbios_version": gpu.text("vbios_version", "vbios_version"),
        "ecc": gpu.switch("ecc", "ecc_mode/current_ecc"),
        "ecc_pending": gpu.switch("ecc_pending", "ecc_mode/pending_ecc"),
        "mig": gpu.switch("mig", "mig_mode/current_mig"),
        "persistence": gpu.switch("persistence", "persistence_mode"),
        "clocks_event_reasons": _event_reasons(gpu),
        "link": {
            "width": gpu.width("link.width", f"{link}/link_widths/current_link_width"),
            "width_max": gpu.width("link.width_max", f"{link}/link_widths/max_link_width"),
            "generation": gpu.integer("link.generation", f"{link}/pcie_gen/current_link_gen"),
            "generation_max": gpu.integer("link.generation_max", f"{link}/pcie_gen/max_link_gen"),
        },
        "utilization": _whole(gpu.quantity("utilization", "%", "utilization/gpu_util")),
        "clocks": _clocks(gpu),
        "temperature": _temperature(gpu),
        "power": _power(gpu),
        "processes": _processes(gpu),
        "ecc_errors": _ecc_errors(gpu),
        "remapped_rows": _remapped_rows(gpu),
        "retired_pages": _retired_pages(gpu),
        "nvlinks": None,
        "fabric_state": _fabric_state(gpu),
    }
    return {**facts, "unsupported": sorted(gpu.unsupported), "unread": gpu.unread}


def _memory(gpu: _Element, field: str, what: str) -> int | None:
    mib = gpu.quantity(field, "MiB", f"fb_memory_usage/{what}")
    return None if mib is None else int(mib) * MIB


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _event_reasons(gpu: _Element) -> list[str] | None:
    """Return the active reasons for lowered clocks; None if the driver does not tell.

    Driver 535 renamed the element and its children from "throttle" to "event".
    """
    for kind in ("event", "throttle"):
        reasons = gpu.element.find(f"clocks_{kind}_reasons")
        if reasons is not None and len(reasons):
            prefix = f"clocks_{kind}_reason_"
            return sorted(
                reason.tag[len(prefix) :]
                for reason in reasons
                if reason.tag.startswith(prefix) and (reason.text or "").strip() == "Active"
            )
    gpu.unsupported.add("clocks_event_reasons")
    return None


def _clocks(gpu: _Element) -> dict[str, int | None]:
    return {
        "sm_mhz": _whole(gpu.quantity("clocks.sm_mhz", "MHz", "clocks/sm_clock")),
        "sm_max_mhz": _whole(gpu.quantity("clocks.sm_max_mhz", "MHz", "max_clocks/sm_clock")),
        "memory_mhz": _whole(gpu.quantity("clocks.memory_mhz", "MHz", "clocks/mem_clock")),
        "memory_max_mhz": _whole(
            gpu.quantity("clocks.memory_max_mhz", "MHz", "max_clocks/mem_clock")
        ),
    }


def _temperature(gpu: _Element) -> dict[str, float | None]:
    def celsius(field: str, path: str) -> float | None:
        return gpu.quantity(f"temperature.{field}", "C", f"temperature/{path}")

    now = celsius("gpu_c", "gpu_temp")
    slowdown = celsius("slowdown_c", "gpu_temp_slow_threshold")
    # Boards that tell no threshold tell how far from it they are.
    margin = celsius("margin_c", "gpu_temp_tlimit") if slowdown is None else None
    return {
        "gpu_c": now,
        "slowdown_c": slowdown_limit(slowdown, now, margin),
        "memory_c": celsius("memory_c", "memory_temp") or None,
        "memory_max_c": celsius("memory_max_c", "gpu_temp_max_mem_threshold"),
    }


def _power(gpu: _Element) -> dict[str, float | None]:
    """Return draw and limits; driver 535 renamed the element and the enforced limit."""

    def watts(field: str, *names: str) -> float | None:
        paths = [
            f"{readings}/{name}"
            for readings in ("gpu_power_readings", "power_readings")
            for name in names
        ]
        return gpu.quantity(f"power.{field}", "W", *paths)

    return {
        "draw_w": watts("draw_w", "instant_power_draw", "power_draw", "average_power_draw"),
        "limit_w": watts("limit_w", "current_power_limit", "enforced_power_limit"),
        "limit_default_w": watts("limit_default_w", "default_power_limit"),
        "limit_min_w": watts("limit_min_w", "min_power_limit"),
        "limit_max_w": watts("limit_max_w", "max_power_limit"),
    }


def _processes(gpu: _Element) -> list[dict[str, Any]] | None:
    """Return the processes that compute; one that only draws (type G) is none of them."""
    processes = gpu.element.find("processes")
    if processes is None or (processes.text or "").strip():
        gpu.text("processes", "processes")
        return None
    found = []
    for info in processes.findall("process_info"):
        process = _Element(info)
        pid, kind = process.integer("pid", "pid"), process.text("type", "type")
        memory = process.quantity("memory", "MiB", "used_memory")
        if pid is not None and "C" in (kind or "C"):
            used = None if memory is None else int(memory) * MIB
            found.append({"pid": pid, "memory_bytes": used})
    return sorted(found, key=lambda one: int(one["pid"] or 0))


def _ecc_errors(gpu: _Element) -> dict[str, Any]:
    """Return the counts of memory errors.

    Boards before Turing count by single and double bit, with a total; later ones by SRAM and DRAM;
    driver 535 split the SRAM's uncorrected ones by what protects them.
    """
    kinds = {
        "corrected": ("single_bit/total", "sram_correctable", "dram_correctable"),
        "uncorrected": (
            "double_bit/total",
            "sram_uncorrectable",
            "sram_uncorrectable_parity",
            "sram_uncorrectable_secded",
            "dram_uncorrectable",
        ),
    }
    counts: dict[str, Any] = {
        f"{since}_{kind}": gpu.total(
            "ecc_errors", *(f"ecc_errors/{since}/{counter}" for counter in counters)
        )
        for since in ("volatile", "aggregate")
        for kind, counters in kinds.items()
    }
    counts["sram_threshold_exceeded"] = gpu.switch(
        "ecc_errors.sram_threshold_exceeded", "ecc_errors/aggregate/sram_threshold_exceeded"
    )
    return counts


def _remapped_rows(gpu: _Element) -> dict[str, Any] | None:
    rows = "remapped_rows"
    found = {
        "corrected": gpu.integer(rows, f"{rows}/remapped_row_corr"),
        "uncorrected": gpu.integer(rows, f"{rows}/remapped_row_unc"),
        "pending": gpu.switch(rows, f"{rows}/remapped_row_pending"),
        "failure": gpu.switch(rows, f"{rows}/remapped_row_failure"),
    }
    return None if all(value is None for value in found.values()) else found


def _retired_pages(gpu: _Element) -> dict[str, Any] | None:
    pages = "retired_pages"
    found = {
        "corrected": gpu.integer(pages, f"{pages}/multiple_single_bit_retirement/retired_count"),
        "uncorrected": gpu.integer(pages, f"{pages}/double_bit_retirement/retired_count"),
        "pending": gpu.switch(
            f"{pages}.pending", f"{pages}/pending_retirement", f"{pages}/pending_blacklist"
        ),
    }
    return None if found["corrected"] is None and found["uncorrected"] is None else found


def _fabric_state(gpu: _Element) -> str | None:
    state = gpu.text("fabric_state", "fabric/state")
    status = gpu.text("fabric_status", "fabric/status")
    gpu.unsupported.discard("fabric_status")
    if state is None:
        return None
    state = state.lower().replace(" ", "_")
    if state == "completed" and status not in (None, "Success"):
        return f"completed with {status}"
    return state
