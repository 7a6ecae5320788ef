"""Who may reach whom, and why, as text for people."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from .matrix import Matrix, Member
from .policy import Flow, Policy, PolicyError
from .reach import Answer, Way, declared_at, services

_WIDTH = 100
_NOTHING = "."
_NUMBERED = re.compile(r"(.*?)([0-9]+)")
_SIX = re.compile(r"\[([^\]]+)\](?::(.+))?")
_OTHER = re.compile(r"([^:]+)(?::(.+))?")


def read_target(written: str) -> tuple[str, int | None]:
    """Read where a question asks about: ``node01:22``, ``[fd00::1]:22``, ``outside``.

    Returns:
        The end, and the port, None where there is none.

    Raises:
        PolicyError: it is written otherwise.
    """
    found = _SIX.fullmatch(written.strip()) or _OTHER.fullmatch(written.strip())
    if not found or (found[2] and not found[2].isdecimal()):
        msg = f"to={written!r} is no machine or address with a port: node01:22, or [fd00::1]:22"
        raise PolicyError(msg)
    return found[1], int(found[2]) if found[2] else None


def read_source(written: str) -> str:
    """Read where a question starts: as `read_target`, and without a port."""
    return written.strip().removeprefix("[").removesuffix("]")


def answer_lines(answer: Answer) -> Iterator[str]:
    """Tell an answer: yes or no, by which flow, and what each node does."""
    yield f"{'yes' if answer.allowed else 'no'}: {answer.why}"
    for flow in answer.flows:
        limit = f", at most {flow.rate} from one address" if flow.rate else ""
        log = ", logged" if flow.log else ""
        yield (
            f"  flow {flow.name}: {flow.source} -> {flow.target}, {services(flow)}{limit}{log} "
            f"({declared_at(flow)})"
        )
    best = answer.ways[0]
    yield f"  {best.source} -> {best.target}"
    yield from (f"    {side.machine} ({side.role}): {side.why}" for side in best.sides)
    if not best.sides and not best.loopback:
        yield "    no machine of the lab is on this way: routers and devices decide it themselves"
    yield from (f"    note: {note}" for note in best.notes)
    yield from (f"  {hint}" for hint in answer.hints)
    others = [way for way in answer.ways[1:] if way.allowed and way.flows != best.flows]
    yield from (f"  also {_way(way)}" for way in others)


def matrix_lines(policy: Policy, matrix: Matrix) -> list[str]:
    """Tell who may reach whom: a grid with a letter for each answer, and what the letters mean."""
    labels = [_label(policy, member) for member in matrix.members]
    numbers = range(len(labels))
    letters: dict[tuple[Flow, ...], str] = {(): _NOTHING}
    for row in numbers:
        for column in numbers:
            flows = matrix.answers[row, column]
            letters.setdefault(flows, _letters(len(letters) - 1))
    cell = max(len(str(len(labels))), *map(len, letters.values())) + 1
    # What is long goes below the grid whole, and into it in short.
    named = max(map(len, labels), default=0)
    wide = min(named, max(20, _WIDTH - cell * (len(labels) + 1)))
    head = " " * (cell + 1 + wide) + "".join(f"{number + 1:>{cell}}" for number in numbers)
    lines = ["Who may open connections to whom, by the declared flows: row to column.", "", head]
    for row in numbers:
        answers = "".join(f"{letters[matrix.answers[row, column]]:>{cell}}" for column in numbers)
        label = textwrap.shorten(labels[row], wide, placeholder=" …")
        lines.append(f"{row + 1:>{cell}} {label:<{wide}}{answers}")
    if named > wide:
        lines += ["", *(f"{number + 1:>{cell}} {labels[number]}" for number in numbers)]
    lines += ["", f"{_NOTHING:>{cell}} nothing"]
    for flows, letter in letters.items():
        if flows:
            lines += textwrap.wrap(
                _meaning(flows),
                _WIDTH,
                initial_indent=f"{letter:>{cell}} ",
                subsequent_indent=" " * (cell + 1),
                break_on_hyphens=False,
            )
    return lines


def _meaning(flows: Iterable[Flow]) -> str:
    """Tell what several flows allow, each service once."""
    found: dict[str, list[str]] = {}
    for flow in flows:
        found.setdefault(services(flow), []).append(flow.name)
    return "; ".join(f"{what} ({', '.join(by)})" for what, by in sorted(found.items()))


def names(machines: Iterable[str]) -> str:
    """Write names of nodes in short: ``head01, node01-node50``."""
    runs: list[list[str]] = []
    for name in sorted(machines):
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _follows(name: str, later: str) -> bool:
    one, two = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(later)
    return bool(
        one
        and two
        and one[1] == two[1]
        and len(one[2]) == len(two[2])
        and int(one[2]) + 1 == int(two[2])
    )


def _label(policy: Policy, member: Member) -> str:
    where = ", ".join(member.zones)
    if not member.machines:
        if member.what == "gateway":
            shown = f"gateway {', '.join(map(str, member.addresses))}"
            return f"{where}: {shown}" if where else shown
        return f"{where}: other devices" if where else member.what
    groups = sorted(
        group
        for group in {group for node in policy.nodes.values() for group in node.groups}
        if {node.name for node in policy.nodes.values() if group in node.groups}
        == set(member.machines)
    )
    who = names(member.machines)
    return f"{where}: {groups[0]} ({who})" if groups else f"{where}: {who}"


def _letters(number: int) -> str:
    """Count in letters: after z comes aa."""
    word = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        word = chr(ord("a") + letter) + word
    return word


def _way(way: Way) -> str:
    flows = ", ".join(flow.name for flow in way.flows)
    return f"{way.source} -> {way.target}, by {flows}"
