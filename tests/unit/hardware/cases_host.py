"""Cases of the checks of processors, memory, disks, network and clock."""

from __future__ import annotations

from case import GIB, Case, put, unread

CASES = {
    "identity.serial": Case(
        {"identity": {"serial": "A123456"}},
        (put("system", "serial", value="A123457"),),
        (
            unread("system"),
            put("system", "serial", value=None),
            # A container shows its host's.
            put("os", "virtualization", value="container"),
        ),
    ),
    "identity.mac": Case(
        {"identity": {"mac": "B8-CE-F6-00-00-01"}},
        (put("nics", 0, "mac", value="b8:ce:f6:00:00:02"),),
        (
            unread("nics"),
            put("nics", value=[]),
            put("nics", 0, "mac", value=None),
            # A bridge may have been given any address.
            put("nics", 0, "physical", value=False),
        ),
    ),
    "cpu.architecture": Case(
        {"cpu": {"architecture": "x86_64"}},
        (put("cpu", "architecture", value="aarch64"),),
        (unread("cpu"), put("cpu", "architecture", value=None)),
    ),
    "cpu.sockets": Case(
        {"cpu": {"sockets_min": 2}},
        (put("cpu", "sockets", value=1),),
        (unread("cpu"), put("cpu", "sockets", value=None)),
    ),
    "cpu.cores": Case(
        {"cpu": {"cores_min": 64}},
        (put("cpu", "cores", value=63), put("cpu", "cores", value=0)),
        (unread("cpu"), put("cpu", "cores", value="64"), put("cpu", "cores", value=True)),
    ),
    "cpu.numa": Case(
        {"cpu": {"numa_nodes_min": 2}},
        (put("cpu", "numa_nodes", value=1),),
        (unread("cpu"), put("cpu", "numa_nodes", value=float("nan"))),
    ),
    "memory.size": Case(
        {"memory": {"gib_min": 512}},
        # Just under the tolerance: 512 GiB less 5 % is 486.4.
        (put("memory", "total_bytes", value=int(486.3 * GIB)),),
        (unread("memory"), put("memory", "total_bytes", value=None)),
    ),
    "disk.ssd": Case(
        {"storage": {"ssd_tb_min": 3.8}},
        (
            put("disks", 0, "size_bytes", value=3_799_000_000_000),
            put("disks", 0, "kind", value="hdd"),
            put("disks", 0, "transport", value="usb"),
            put("disks", 0, "removable", value=True),
            put("disks", value=[]),
        ),
        (
            unread("disks"),
            put("disks", 0, "kind", value="unknown"),
            put("disks", 0, "size_bytes", value=None),
        ),
    ),
    "disk.hdd": Case(
        {"storage": {"hdd_tb_min": 12}},
        (
            put("disks", 1, "size_bytes", value=11_999_000_000_000),
            put("disks", 1, "kind", value="ssd"),
        ),
        (unread("disks"), put("disks", 1, "kind", value="unknown")),
    ),
    "nic.link": Case(
        {"network": {"links_min": 1}},
        (put("nics", 0, "link", value="down"), put("nics", 0, "physical", value=False)),
        (unread("nics"), put("nics", 0, "link", value="unknown")),
    ),
    "nic.speed": Case(
        {"network": {"speed_mbps_min": 25000}},
        (
            put("nics", 0, "speed_mbps", value=10000),
            put("nics", 0, "link", value="down"),
            put("nics", 0, "physical", value=False),
        ),
        (
            unread("nics"),
            put("nics", 0, "speed_mbps", value=None),
            put("nics", 0, "link", value="unknown"),
        ),
    ),
    "clock.sync": Case(
        {"clock": {"synchronised": True}},
        (
            put("clock", "synchronised", value=False),
            put("clock", "offset_s", value=1.001),
            put("clock", "error_s", value=1.001),
        ),
        (
            unread("clock"),
            put("clock", "synchronised", value=None),
            put("clock", "offset_s", value=None),
        ),
    ),
}
