"""What the whole machine uses during a run, from /proc. Parsers are pure functions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Optional

# Of /proc/diskstats, whatever the disk's own sectors are (Documentation/admin-guide/iostats.rst).
SECTOR_BYTES = 512
# Built on other disks, which are counted themselves, or in memory.
_VIRTUAL_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "nbd")

Parser = Callable[[str], Optional["tuple[int, int]"]]


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


def parse_disks(diskstats: str, disks: set[str]) -> tuple[int, int]:
    """Bytes read and written since boot, over these disks, from /proc/diskstats."""
    read, written = 0, 0
    for line in diskstats.splitlines():
        fields = line.split()
        if len(fields) > 9 and fields[2] in disks:
            read += int(fields[5]) * SECTOR_BYTES
            written += int(fields[9]) * SECTOR_BYTES
    return read, written


def physical_disks(names: list[str]) -> set[str]:
    """Of the names in /sys/block, those that are no layer on top of others."""
    return {name for name in names if not name.startswith(_VIRTUAL_DISKS)}


def parse_network(netdev: str) -> tuple[int, int]:
    """Bytes received and sent, over all interfaces but the loopback, from /proc/net/dev."""
    received, sent = 0, 0
    for line in netdev.splitlines():
        name, colon, rest = line.partition(":")
        fields = rest.split()
        if colon and name.strip() != "lo" and len(fields) > 8:
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent


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
            None
            if before is None or after is None
            else (after[0] - before[0], after[1] - before[1])
            for before, after in zip(self._first, self._last)
        )
        return {
            "seconds": self._ended - self._started,
            "host_memory": _named(self._memory, "total_bytes", "used_max_bytes"),
            "disk": _named(disk, "read_bytes", "written_bytes"),
            "network": _named(network, "received_bytes", "sent_bytes"),
        }

    def _counters(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        try:
            disks = physical_disks([disk.name for disk in (self._root / "sys/block").iterdir()])
        except OSError:
            disks = set()
        disk = self._read("proc/diskstats", lambda text: parse_disks(text, disks))
        return disk if disks else None, self._read("proc/net/dev", parse_network)

    def _read(self, path: str, parse: Parser) -> tuple[int, int] | None:
        try:
            found: tuple[int, int] | None = parse((self._root / path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found


def _named(pair: tuple[int, int] | None, first: str, second: str) -> dict[str, int] | None:
    return None if pair is None else {first: pair[0], second: pair[1]}
