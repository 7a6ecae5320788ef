"""Parse what nvidia-smi prints: ``-q -x``, ``nvlink -s`` and ``nvlink -e``.

Reads the formats of the drivers since R470 (nvsmi_device v11, v12, v13). The facts of a GPU have
the shape of nvml.py: what the board does not have or the driver does not tell ("N/A") is null and
named in ``unsupported``; what it could not read ("ERR!", "[Unknown Error]") is null and has its
words in ``unread``. ``unlisted`` has the elements that are new (gpu_ignored.py), with their words.
"""

from __future__ import annotations

import re

# The input is cut to nvidia-smi's own element first, so it can declare no entity.
import xml.etree.ElementTree as ET
from typing import Any

from .gpu_facts import MIB, normal_bdf, program_name, real_serial, slowdown_limit
from .gpu_ignored import ELEMENTS
from .smi_element import Element
from .smi_health import fabric_cluster, fabric_health, fabric_state, recovery_action
from .smi_memory import ecc_errors, remapped_rows, repairs, retired_pages
from .sysfs import ProbeError, first

QUERY = ("nvidia-smi", "-q", "-x")
NVLINK_STATE = ("nvidia-smi", "nvlink", "-s")
NVLINK_ERRORS = ("nvidia-smi", "nvlink", "-e")

_GPU_LINE = re.compile(r"GPU \d+: .*\(UUID: (GPU-[0-9A-Za-z-]+)\)")
_LINK_LINE = re.compile(r"\s+Link (\d{1,3}): (\S.*?)\s*$")
_SPEED = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) GB/s", re.ASCII)
# Instead of a line for each link: none of the board's links works.
_ALL_DOWN = "all links are inactive"
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
        "cuda_version": Element(root).text("", "cuda_version", "cuda_umd_version"),
        "gpus": [_parse_gpu(Element(gpu)) for gpu in root.findall("gpu")],
    }


def parse_nvlink_state(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return the links of each GPU by its UUID, as nvml.py's ``nvlinks`` without errors.

    A GPU all of whose links are down may be told without any line of them: its list is empty.
    """
    links: dict[str, list[dict[str, Any]]] = {}
    uuid = None
    for line in text.splitlines():
        gpu, link = _GPU_LINE.match(line), _LINK_LINE.match(line)
        if gpu:
            uuid = gpu.group(1)
        elif link and uuid:
            links.setdefault(uuid, []).append(_parse_link(int(link.group(1)), link.group(2)))
        elif uuid and _ALL_DOWN in line.lower():
            links.setdefault(uuid, [])
    return links


def _parse_link(number: int, said: str) -> dict[str, Any]:
    """Return one link; what is neither a speed nor ``<inactive>`` leaves its state unknown."""
    speed = _SPEED.fullmatch(said)
    active = True if speed else False if said == "<inactive>" else None
    return {
        "link": number,
        "active": active,
        "mb_per_s": round(float(speed.group(1)) * 1000) if speed else None,
        "errors": None,
    }


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
        found = links.get(uuid)
        own = [
            {**link, "errors": counters.get(uuid, {}).get(link["link"]) if link["active"] else None}
            for link in found or []
        ]
        unsupported = sorted({*gpu["unsupported"], *(["nvlinks"] if found is None else [])})
        unread = dict(gpu["unread"])
        unknown = [str(link["link"]) for link in own if link["active"] is None]
        if unknown:
            unread["nvlinks"] = f"nvidia-smi does not tell the state of link {', '.join(unknown)}"
        nvlinks = None if found is None else own
        done.append({**gpu, "nvlinks": nvlinks, "unsupported": unsupported, "unread": unread})
    return done


def _parse_gpu(gpu: Element) -> dict[str, Any]:
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
        "drawing": _drawing(gpu),
        "ecc_errors": ecc_errors(gpu),
        "remapped_rows": remapped_rows(gpu),
        "retired_pages": retired_pages(gpu),
        "repairs": repairs(gpu),
        "recovery_action": recovery_action(gpu),
        "nvlinks": None,
        "fabric_state": fabric_state(gpu),
        "fabric_health": fabric_health(gpu),
        "fabric_cluster": fabric_cluster(gpu),
    }
    return {
        **facts,
        "unsupported": sorted(gpu.unsupported),
        "unread": gpu.unread,
        "unlisted": gpu.unlisted(ELEMENTS),
    }


def _memory(gpu: Element, field: str, what: str) -> int | None:
    mib = gpu.quantity(field, "MiB", f"fb_memory_usage/{what}")
    return None if mib is None else int(mib) * MIB


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _event_reasons(gpu: Element) -> list[str] | None:
    """Return the active reasons for lowered clocks; None if the driver tells none of them.

    Driver 535 renamed the element and its children from "throttle" to "event".
    """
    field = "clocks_event_reasons"
    for kind in ("event", "throttle"):
        path, prefix = f"clocks_{kind}_reasons", f"clocks_{kind}_reason_"
        told = {
            reason.tag[len(prefix) :]: gpu.activity(field, f"{path}/{reason.tag}")
            for reason in gpu.element.findall(f"{path}/*")
            if reason.tag.startswith(prefix)
        }
        if any(active is not None for active in told.values()):
            gpu.unsupported.discard(field)
            return sorted(name for name, active in told.items() if active)
    gpu.text(field, "clocks_event_reasons", "clocks_throttle_reasons")
    return None


def _clocks(gpu: Element) -> dict[str, int | None]:
    return {
        "sm_mhz": _whole(gpu.quantity("clocks.sm_mhz", "MHz", "clocks/sm_clock")),
        "sm_max_mhz": _whole(gpu.quantity("clocks.sm_max_mhz", "MHz", "max_clocks/sm_clock")),
        "memory_mhz": _whole(gpu.quantity("clocks.memory_mhz", "MHz", "clocks/mem_clock")),
        "memory_max_mhz": _whole(
            gpu.quantity("clocks.memory_max_mhz", "MHz", "max_clocks/mem_clock")
        ),
    }


def _temperature(gpu: Element) -> dict[str, float | None]:
    def celsius(field: str, path: str) -> float | None:
        return gpu.quantity(f"temperature.{field}", "C", f"temperature/{path}")

    now = celsius("gpu_c", "gpu_temp")
    # Boards that tell no threshold tell how far from it they are.
    slowdown = celsius("slowdown_c", "gpu_temp_slow_threshold")
    margin = celsius("margin_c", "gpu_temp_tlimit")
    return {
        "gpu_c": now,
        "slowdown_c": slowdown_limit(slowdown, now, margin),
        "memory_c": celsius("memory_c", "memory_temp") or None,
        "memory_max_c": celsius("memory_max_c", "gpu_temp_max_mem_threshold"),
    }


def _power(gpu: Element) -> dict[str, float | None]:
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


def _processes(gpu: Element) -> list[dict[str, Any]] | None:
    """Return the processes that compute; one that only draws (type G) is none of them."""
    found = _process_infos(gpu, "processes")
    return None if found is None else [_process(one) for one in found if _computes(one)]


def _drawing(gpu: Element) -> list[dict[str, Any]] | None:
    """Return the processes that only draw, a display server above all; None if none is told."""
    found = [one for one in _process_infos(gpu, "drawing") or [] if not _computes(one)]
    return [
        {**_process(one), "name": program_name(one.text("name", "process_name"))} for one in found
    ] or None


def _process_infos(gpu: Element, field: str) -> list[Element] | None:
    processes = gpu.element.find("processes")
    if processes is None or gpu.said("processes"):
        gpu.text(field, "processes")
        return None
    found = [Element(info) for info in processes.findall("process_info")]
    known = [one for one in found if one.integer("pid", "pid") is not None]
    if len(known) != len(found):
        gpu.unread[field] = "a process is listed without its number"
    return sorted(known, key=lambda one: int(one.said("pid")))


def _computes(process: Element) -> bool:
    return "C" in (process.text("type", "type") or "C")


def _process(process: Element) -> dict[str, Any]:
    memory = process.quantity("memory", "MiB", "used_memory")
    return {
        "pid": process.integer("pid", "pid"),
        "memory_bytes": None if memory is None else int(memory) * MIB,
    }
