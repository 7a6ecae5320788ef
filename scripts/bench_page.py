"""The page docs/performance.md: its rows, what they are held against, and how they look. Pure."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

#: Twice the nodes may cost so many times as much in each stage: a little over twice, since what is
#: said of a lab is longer where the lab is.
GROWTH_MOST = 2.2


@dataclass(frozen=True)
class Reading:
    """What a command took.

    Attributes:
        wall_s: seconds until it ended.
        cpu_s: of the processors' time, its own and that of all processes that it started here.
            What ran on nodes is not in it, also where these are containers of this host.
    """

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Row:
    """One line of the first table.

    Attributes:
        what: what was measured.
        command: how to do the same.
        readings: in the order of the measurements.
        limit_s: the most wall seconds that it may take.
        limit_cpu_s: the most CPU seconds.
        slower: readings of another command, taken in turn with these.
        at_least: how many times as long that one must take, by the median of the pairs' ratios.
        than: what it is called.
    """

    what: str
    command: str
    readings: Sequence[Reading]
    limit_s: float | None = None
    limit_cpu_s: float | None = None
    slower: Sequence[Reading] = ()
    at_least: float = 0
    than: str = ""

    @property
    def median_s(self) -> float:
        """The median of the wall seconds."""
        return statistics.median(reading.wall_s for reading in self.readings)

    @property
    def median_cpu_s(self) -> float:
        """The median of the CPU seconds."""
        return statistics.median(reading.cpu_s for reading in self.readings)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios: how many times as fast as `slower`."""
        pairs = zip(self.slower, self.readings)
        return statistics.median(theirs.wall_s / ours.wall_s for theirs, ours in pairs)

    @property
    def title(self) -> str:
        """What was measured, and how it compares."""
        compared = f" ({self.ratio:.1f} times as fast as {self.than})" if self.slower else ""
        return f"{self.what}{compared}"

    @property
    def wanted(self) -> list[tuple[str, bool]]:
        """What the project asks for, in words, and whether it is so."""
        asked = []
        if self.limit_s is not None:
            asked.append((f"≤ {self.limit_s:g} s", self.median_s <= self.limit_s))
        if self.limit_cpu_s is not None:
            asked.append(
                (f"≤ {self.limit_cpu_s:g} CPU s", self.median_cpu_s <= self.limit_cpu_s),
            )
        if self.slower:
            asked.append((f"≥ {self.at_least:g} times {self.than}", self.ratio >= self.at_least))
        return asked


@dataclass(frozen=True)
class GrowthRow:
    """One line of the table of simulated nodes: a stage with few nodes, and with twice as many."""

    stage: str
    run: str
    few: Reading
    twice: Reading

    @property
    def ratio(self) -> float:
        """How many times the processors' time of few nodes twice as many cost."""
        return self.twice.cpu_s / self.few.cpu_s

    @property
    def wanted(self) -> list[tuple[str, bool]]:
        """What the project asks for, in words, and whether it is so."""
        return [(f"< {GROWTH_MOST:g}", self.ratio < GROWTH_MOST)]


@dataclass(frozen=True)
class Growth:
    """The table of simulated nodes."""

    few: int
    rows: Sequence[GrowthRow]


def missed(rows: Sequence[Row], growth: Growth | None) -> list[str]:
    """Name what is not as the project asks for."""
    named = [(row.what, row.wanted) for row in rows]
    if growth is not None:
        named += [(f"{row.run}: {row.stage}", row.wanted) for row in growth.rows]
    return [what for what, asked in named if not all(met for _, met in asked)]


def render(rows: Sequence[Row], growth: Growth | None, notes: Sequence[str] = ()) -> str:
    """Render the page.

    Args:
        rows: The first table.
        growth: The second one; None where it was not measured.
        notes: What could not be measured here, and why.
    """
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; run it to get your own numbers. Compared runs alternate, and the",
        "median of the ratios of their pairs is shown. CPU seconds are those of this controller:",
        "Ansible, ssh and whatever else a command started here.",
        "",
        f"Measured on {datetime.datetime.now(tz=datetime.timezone.utc):%Y-%m-%d} with Python",
        f"{platform.python_version()} on {os.cpu_count()} cores ({platform.machine()}); nodes",
        "are sandbox containers on the same host.",
        "",
        "| what | command | median s | readings | CPU s | wanted |",
        "|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
    ]
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    if growth is not None:
        lines += ["", *_growth(growth)]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    readings = ", ".join(f"{reading.wall_s:.1f}" for reading in row.readings)
    cells = (
        row.title,
        f"`{row.command}`",
        f"{row.median_s:.1f}",
        readings,
        f"{row.median_cpu_s:.1f}",
        _told(row.wanted),
    )
    return f"| {' | '.join(cells)} |"


def _told(asked: Sequence[tuple[str, bool]]) -> str:
    return ", ".join(words if met else f"{words} **missed**" for words, met in asked)


def _growth(growth: Growth) -> list[str]:
    twice = 2 * growth.few
    return [
        "## Many nodes, simulated",
        "",
        f"These are **no real nodes**. The controller did all of its work for {growth.few} and",
        f"for {twice} nodes, and each of its questions was answered from a record: what a sandbox",
        "node had answered to the same question, with the simulated node's own name, addresses,",
        "MACs and serial numbers. So ssh, the network and the nodes themselves take no time here.",
        "A question that was not recorded ends the run; none is answered by a guess. The nodes are",
        "as declared: a file or a firewall's ruleset, which differs with the lab's size, counts as",
        "in place.",
        "",
        "- All compute nodes answer as one of the sandbox's did: there is no spread between them.",
        "- The stage gpu has the nodes of the scenario `shapes`, whose packages are stubs.",
        "- In the run *new training* every node trains and is measured against 8 others: both are",
        "  answered at once, with the sandbox's numbers. To measure all pairs is not in the table:",
        "  twice as many nodes have four times as many pairs.",
        "- All times are seconds, and the ratio is that of the CPU seconds.",
        "- The stage pairs ends at once where no node trained, so it is in that run only.",
        "",
        f"| stage | run | {growth.few} nodes | CPU | {twice} nodes | CPU | ratio | wanted |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row.stage} | {row.run} | {row.few.wall_s:.1f} | {row.few.cpu_s:.1f} "
            f"| {row.twice.wall_s:.1f} | {row.twice.cpu_s:.1f} | {row.ratio:.2f} "
            f"| {_told(row.wanted)} |"
            for row in growth.rows
        ),
    ]
