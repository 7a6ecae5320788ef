"""Check UPSes, power feeds and temperature limits."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Declaration, Problem, Value, mapping, sequence, text
from .suggest import did_you_mean


def power_problems(declaration: Declaration) -> Iterator[Problem]:
    """Check that feeds lead to UPSes, cables to nodes, and limits upwards."""
    upses = {str(name): body for name, body in mapping(declaration.lab.get("lab_upses")).items()}
    machines = {host.name for host in declaration.hosts}
    for name, body in sorted(upses.items()):
        machine = mapping(body).get("attached_to")
        if isinstance(machine, str) and machine not in machines:
            wrong = f"there is no machine '{machine}'"
            path = ("lab_upses", name, "attached_to")
            yield Problem("", path, wrong, did_you_mean(machine, machines))
    for host in declaration.by_name():
        feeds = host.variables.get("node_power_feeds")
        for number, feed in enumerate(sequence(feeds)):
            if text(feed) and feed not in upses:
                wrong = f"there is no UPS '{feed}' in lab_upses"
                right = did_you_mean(feed, upses)
                yield Problem(host.name, ("node_power_feeds", number), wrong, right)
        if "ups_attached" in host.groups and (feeds is None or feeds == []):
            wrong = "the machine is in group 'ups_attached' but names no feed"
            right = f"list its UPSes ({', '.join(sorted(upses)) or 'none is declared'}), "
            right += "or take it out of the group"
            yield Problem(host.name, ("node_power_feeds",), wrong, right)
    for part, limits in sorted(mapping(declaration.lab.get("lab_cooling")).items(), key=str):
        warn, critical = (_number(mapping(limits).get(key)) for key in ("warn", "critical"))
        if warn is not None and critical is not None and warn >= critical:
            wrong = f"{warn} °C is not below the critical {critical} °C"
            path = ("lab_cooling", str(part), "warn")
            yield Problem("", path, wrong, f"a warning below {critical} °C")


def _number(value: Value) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
