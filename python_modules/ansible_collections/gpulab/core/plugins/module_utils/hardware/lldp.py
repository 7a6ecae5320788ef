"""The switch and port at the other end of each cable, where both ends speak LLDP."""

from __future__ import annotations

import json
from typing import Any

from .sysfs import ProbeError
from .tools import RunTool

# json0: every element is a list, whatever their number. Plain json folds lists of one.
_LLDPCLI = ("lldpcli", "-f", "json0", "show", "neighbors")


def read_lldp(run: RunTool) -> list[dict[str, Any]]:
    """Return the neighbours by interface; empty where none has been heard.

    Raises:
        ProbeError: lldpd does not answer, or not in its format.
    """
    answer = run(_LLDPCLI)
    if answer.missing:
        raise ProbeError("lldpd is not installed: install the package lldpd, and start lldpd")
    if answer.rc != 0:
        raise ProbeError(f"lldpcli: {answer.complaint}")
    return parse_neighbours(answer.stdout)


def parse_neighbours(text: str) -> list[dict[str, Any]]:
    """Return ``interface``, ``switch`` (its name, else its id) and ``port`` of each neighbour.

    A port that has an address for its id is named by its description, where it has one.

    Raises:
        ProbeError: The text is no such output.
    """
    try:
        interfaces = [
            interface
            for lldp in json.loads(text)["lldp"]
            for interface in lldp.get("interface", [])
        ]
        return [
            {
                "interface": str(interface["name"]),
                "switch": _value(interface["chassis"], "name")
                or _value(interface["chassis"], "id"),
                "port": _port(interface["port"]),
                "port_description": _value(interface["port"], "descr"),
            }
            for interface in interfaces
        ]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ProbeError(f"lldpcli: not its json0 format: {error!r}") from error


def _port(elements: list[dict[str, Any]]) -> str | None:
    identity = (elements[0].get("id") or [{}])[0]
    described = _value(elements, "descr") if identity.get("type") == "mac" else None
    return described or _value(elements, "id")


def _value(elements: list[dict[str, Any]], key: str) -> str | None:
    """Return the value of a child, of which each element has a list of at most one."""
    children = elements[0].get(key) or [{}]
    value = children[0].get("value")
    return str(value) if value else None
