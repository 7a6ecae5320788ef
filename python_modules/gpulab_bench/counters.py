"""What the whole machine uses during a run, from /proc. Parsers are pure functions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, TypeVar

# Of /proc/diskstats, whatever the disk's own sectors are (Documentation/admin-guide/iostats.rst).
SECTOR_BYTES = 512
# Built on other disks, which are counted themselves, or in memory.
_VIRTUAL_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "nbd")

# Name of a disk or interface -> bytes in, bytes out.
Counts = dict[str, tuple[int, int]]
Read = TypeVar("Read")


def parse_memory(meminfo: str) -> tuple[int, int] | None:
    """Bytes in all and in use (MemTotal - MemAvailable) from /proc/meminfo, or None."""
    kib = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if fields and fields[0].isdecimal():
            kib[name] = int(fields[0])
    if "MemTotal" not in kib or "MemAvailable" not in kib:
        return None
    return kib["MemTotal"] * 1024, (kib["MemTotal"] - kib["MemAvailable"]) * 1024


def parse_disks(diskstats: str, disks: set[str]) -> Counts:
    """Bytes read and written since boot, of each of these disks, from /proc/diskstats."""
    found = {}
    for line in diskstats.splitlines():
        fields = line.split()
        if len(fields) > 9 and fields[2] in disks:
            found[fields[2]] = (int(fields[5]) * SECTOR_BYTES, int(fields[9]) * SECTOR_BYTES)
    return found


def physical_disks(names: list[str]) -> set[str]:
    """Of the names in /sys/block, those that are no layer on top of others."""
    return {name for name in names if not name.startswith(_VIRTUAL_DISKS)}


def parse_network(netdev: str) -> Counts:
    """Bytes received and sent, of each interface but the loopback, from /proc/net/dev."""
    found = {}
    for line in netdev.splitlines():
        name, colon, rest = line.partition(":")
        fields = rest.split()
        if colon and name.strip() != "lo" and len(fields) > 8:
            found[name.strip()] = (int(fields[0]), int(fields[8]))
    return found


def grown(before: Counts, after: Counts) -> tuple[int, int]:
    """How much counters grew, over all names.

    Interfaces come and go with containers: a new one counts from 0, as does one that was made again
    under its name; what one that has gone did meanwhile is not known, and left out.
    """
    total = [0, 0]
    for name, now in after.items():
        then = before.get(name, (0, 0))
        for side in (0, 1):
            total[side] += now[side] - then[side] if now[side] >= then[side] else now[side]
    return total[0], total[1]


class Usage:
    """Counts from its making to the last `observe`."""

    def __init__(self, root: str = "/") -> None:
        """Take the first reading.

        Args:
            root: where ``proc`` and ``sys`` lie.
        """
        self._root = Path(root)
        self._started = self._ended = time.monotonic()
        self._first = self._last = self._counters()
        self._memory: tuple[int, int] | None = None
        self.observe()

    def observe(self) -> None:
        """Take a reading of the memory, of which the highest stays."""
        self._ended = time.monotonic()
        now = self._read("proc/meminfo", parse_memory)
        if now is not None and (self._memory is None or now[1] > self._memory[1]):
            self._memory = now

    def summarise(self) -> dict[str, Any]:
        """Return the document's section ``usage``; what could not be read is null."""
        self.observe()
        self._last = self._counters()
        disk, network = (
            None if before is None or after is None else grown(before, after)
            for before, after in zip(self._first, self._last)
        )
        return {
            "seconds": self._ended - self._started,
            "host_memory": _named(self._memory, "total_bytes", "used_max_bytes"),
            "disk": _named(disk, "read_bytes", "written_bytes"),
            "network": _named(network, "received_bytes", "sent_bytes"),
        }

    def _counters(self) -> tuple[Counts | None, Counts | None]:
        try:
            disks = physical_disks([disk.name for disk in (self._root / "sys/block").iterdir()])
        except OSError:
            disks = set()
        disk = self._read("proc/diskstats", lambda text: parse_disks(text, disks))
        return disk if disks else None, self._read("proc/net/dev", parse_network)

    def _read(self, path: str, parse: Callable[[str], Read]) -> Read | None:
        try:
            return parse((self._root / path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def _named(pair: tuple[int, int] | None, first: str, second: str) -> dict[str, int] | None:
    return None if pair is None else {first: pair[0], second: pair[1]}
