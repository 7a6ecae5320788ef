"""Values as a person reads them; the terminal and the page say the same thing the same way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

NOTHING = "\N{EN DASH}"
# A verdict's sign, for where there is room for one character and colour alone must not tell it.
SIGNS = {"pass": "\N{CHECK MARK}", "warn": "!", "fail": "\N{BALLOT X}", "unknown": "?"}
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_KINDS = {
    "cpu": "CPU",
    "memory": "memory",
    "dimm": "DIMM",
    "disk": "disk",
    "nic": "network port",
    "gpu": "GPU",
    "psu": "power supply",
    "fan": "fan",
    "sensor": "sensor",
    "link": "link",
    "clock": "clock",
    "os": "operating system",
    "node": "node",
    "framework": "framework",
}


def value(item: object, unit: str = "") -> str:
    """Return a JSON value in words, with its unit; ``None`` is a dash.

    Numbers keep four significant digits (whole numbers all of them) and group their thousands;
    bytes are scaled by powers of 1024.
    """
    if item is None:
        return NOTHING
    if unit == "B" and isinstance(item, (int, float)):
        return _bytes(item)
    return f"{_bare(item)} {unit}".strip()


def versus(finding: Mapping[str, Any]) -> str:
    """Return ``observed`` beside ``expected``, as far as the finding has them."""
    unit = finding["unit"]
    observed, expected = finding["observed"], finding["expected"]
    seen = "not read" if observed is None else value(observed, unit)
    return seen if expected is None else f"{seen}, expected {value(expected, unit)}"


def describe(finding: Mapping[str, Any]) -> str:
    """Return one line that says what is wrong: the evidence, else observed beside expected."""
    return one_line(finding["evidence"] or versus(finding))


def part(item: Mapping[str, str]) -> str:
    """Return a part as a person looks for it: kind, name, then what is printed on it."""
    kind = _KINDS.get(item["kind"], item["kind"])
    marks = [
        f"slot {item['slot']}" if item.get("slot") else "",
        item.get("bdf", ""),
        f"serial {item['serial']}" if item.get("serial") else "",
        f"at {item['port']}" if item.get("port") else "",
    ]
    name = item.get("name", "")
    title = f"{kind} {name}".strip()
    if not name or item["kind"] == "node":
        title = kind
    elif kind.lower() in name.lower():
        title = name
    shown = ", ".join(mark for mark in marks if mark and mark != name)
    return f"{title} ({shown})" if shown else title


def place(host: Mapping[str, Any]) -> str:
    """Return where a node stands: rack and unit as far as they are declared."""
    rack, unit = host.get("rack"), host.get("unit")
    words = [f"rack {rack}" if rack else "", f"unit {unit}" if unit is not None else ""]
    return " ".join(word for word in words if word)


def seconds(span: float) -> str:
    """Return a span in seconds, or in minutes and seconds from two minutes on."""
    if span < 120:
        return f"{span:.1f} s" if span < 10 else f"{span:.0f} s"
    minutes, rest = divmod(round(span), 60)
    return f"{minutes} min {rest:02d} s"


def minute(at: str) -> str:
    """Return a time in UTC to the minute, ``2026-11-23 17:15``, from ISO 8601."""
    return at[:16].replace("T", " ")


def one_line(text: str, limit: int = 160) -> str:
    """Return ``text`` on one line of at most ``limit`` characters."""
    return cut(" ".join(text.split()), limit)


def cut(text: str, limit: int) -> str:
    """Return ``text``, or its beginning and an ellipsis where it is longer than ``limit``."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _bare(item: object) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return f"{item:,}"
    if isinstance(item, float):
        return _number(item)
    if isinstance(item, str):
        return item
    if isinstance(item, Sequence):
        return ", ".join(_bare(each) for each in item) if item else "none"
    return json.dumps(item, ensure_ascii=False, sort_keys=True)


def _bytes(item: float) -> str:
    power = 0
    while abs(item) >= 1024 and power < len(_BINARY) - 1:
        item, power = item / 1024, power + 1
    return f"{item:.4g} {_BINARY[power]}"


def _number(item: float) -> str:
    size = abs(item)
    if size >= 1000:
        return f"{item:,.0f}"
    if item == 0 or size >= 1e-3:
        return f"{item:.4g}"
    return f"{item:.2e}"
