"""What the whole machine uses during a run, from /proc and /sys. Parsers are pure functions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, TypeVar

from gpulab_bench.telemetry import Window

# Of /proc/diskstats, whatever the disk's own sectors are (Documentation/admin-guide/iostats.rst).
SECTOR_BYTES = 512
# Built on other disks, which are counted themselves, or in memory.
_VIRTUAL_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "nbd")
# ``port_rcv_data`` and ``port_xmit_data`` count four bytes each
# (Documentation/ABI/stable/sysfs-class-infiniband).
IB_WORD_BYTES = 4
# /sys/class/net/<name>/type of IP over InfiniBand: ARPHRD_INFINIBAND of linux/if_arp.h.
_IPOIB = "32"
# What is told of: a training on one device, and one by all processes of the node.
WINDOWS = ("train", "ddp")

# Name of a disk or interface -> bytes in, bytes out.
Counts = dict[str, tuple[int, int]]
Read = TypeVar("Read")


class Reading(NamedTuple):
    """Counters at one moment (CLOCK_MONOTONIC); None where they could not be read."""

    at: float
    disk: Counts | None
    network: Counts | None


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


def growth(readings: Sequence[Reading], windows: Iterable[Window]) -> dict[str, Any] | None:
    """How much the counters grew within windows; None where none holds two readings.

    Only readings within a window count, so nothing of what was done before or after it does.

    Args:
        readings: in order of time.
        windows: spans of the same clock.

    Returns:
        ``seconds`` between the readings, and ``disk`` and ``network`` as in the document.
    """
    spans = []
    for window in windows:
        within = [one for one in readings if window.started <= one.at <= window.ended]
        if len(within) > 1:
            spans.append((within[0], within[-1]))
    if not spans:
        return None
    return {
        "seconds": sum(last.at - first.at for first, last in spans),
        "disk": _named(
            _sum(_grown(first.disk, last.disk) for first, last in spans),
            "read_bytes",
            "written_bytes",
        ),
        "network": _named(
            _sum(_grown(first.network, last.network) for first, last in spans),
            "received_bytes",
            "sent_bytes",
        ),
    }


def _grown(before: Counts | None, after: Counts | None) -> tuple[int, int] | None:
    return None if before is None or after is None else grown(before, after)


def _sum(pairs: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    """Add pairs up; one that is not known leaves the sum unknown."""
    total = (0, 0)
    for pair in pairs:
        if pair is None:
            return None
        total = (total[0] + pair[0], total[1] + pair[1])
    return total


class Usage:
    """Counts from its making to the last `observe`."""

    def __init__(self, root: str = "/") -> None:
        """Take the first reading.

        Args:
            root: where ``proc`` and ``sys`` lie.
        """
        self._root = Path(root)
        self._disks = physical_disks(self._names("sys/block"))
        self._interfaces = self._cards()
        self._memory: tuple[int, int] | None = None
        self._readings: list[Reading] = []
        self.observe()

    def observe(self) -> None:
        """Take a reading: of the memory, of which the highest stays, and of the counters."""
        now = self._read("proc/meminfo", parse_memory)
        if now is not None and (self._memory is None or now[1] > self._memory[1]):
            self._memory = now
        self._readings.append(Reading(time.monotonic(), *self._counters()))

    def summarise(self) -> dict[str, Any]:
        """Return the document's section ``usage``; what could not be read is null."""
        self.observe()
        first, last = self._readings[0], self._readings[-1]
        return {
            "host_memory": _named(self._memory, "total_bytes", "used_max_bytes"),
            **(growth([first, last], [Window("", first.at, last.at, ())]) or {}),
        }

    def during(self, windows: Iterable[Window]) -> dict[str, Any]:
        """Return, for each of `WINDOWS`, what was used in the windows of that name, or null."""
        windows = list(windows)
        return {
            name: growth(self._readings, [each for each in windows if each.name == name])
            for name in WINDOWS
        }

    def _counters(self) -> tuple[Counts | None, Counts | None]:
        disk = self._read("proc/diskstats", lambda text: parse_disks(text, self._disks))
        network = self._read("proc/net/dev", parse_network)
        if network is not None:
            ports = self._rdma_ports()
            network = {
                name: counts
                for name, counts in network.items()
                if (name in self._interfaces or not self._interfaces)
                and not (ports and self._is_ipoib(name))
            } | ports
        return disk if self._disks else None, network

    def _cards(self) -> set[str]:
        """Interfaces of a card. Bonds, bridges and VLANs on top would count its bytes again.

        Empty in a container, whose interfaces have no card: then all but the loopback count.
        """
        return {
            name
            for name in self._names("sys/class/net")
            if (self._root / "sys/class/net" / name / "device").exists()
        }

    def _rdma_ports(self) -> Counts:
        """Bytes past the kernel's network: ports of InfiniBand, RoCE and iWARP cards."""
        found = {}
        for folder in self._root.glob("sys/class/infiniband/*/ports/*/counters"):
            received, sent = (
                self._read(f"{folder.relative_to(self._root)}/{name}", int)
                for name in ("port_rcv_data", "port_xmit_data")
            )
            if received is not None and sent is not None:
                name = f"rdma {folder.parts[-4]}/{folder.parts[-2]}"
                found[name] = (received * IB_WORD_BYTES, sent * IB_WORD_BYTES)
        return found

    def _is_ipoib(self, name: str) -> bool:
        return self._read(f"sys/class/net/{name}/type", str.strip) == _IPOIB

    def _names(self, folder: str) -> list[str]:
        try:
            return [path.name for path in (self._root / folder).iterdir()]
        except OSError:
            return []

    def _read(self, path: str, parse: Callable[[str], Read]) -> Read | None:
        try:
            return parse((self._root / path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def _named(pair: tuple[int, int] | None, first: str, second: str) -> dict[str, int] | None:
    return None if pair is None else {first: pair[0], second: pair[1]}
