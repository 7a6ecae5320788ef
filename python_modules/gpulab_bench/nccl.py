"""What NCCL says of the ways that its data takes (NCCL_DEBUG=INFO). Pure; no PyTorch needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# NCCL puts %h and %p, host and process id, into the file's name.
DEBUG_FILE = "nccl.%h.%p.log"
DEBUG_FILES = "nccl.*.log"

# "gpu01:4711:4801 [0] NCCL INFO Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/0/GDRDMA", or
# "... 0[0] -> 1[1] via P2P/CUMEM/read". Older: "0[1b000] -> 1[1c000] via P2P/IPC".
_CHANNEL = re.compile(r"NCCL INFO Channel \S+ ?: \d+\[\w+\] -> \d+\[\w+\](?: \[\w+\])? via (\S+)")


def debug_environment(folder: Path) -> dict[str, str]:
    """The variables that make NCCL write its ways into the run's folder, and nothing else."""
    return {
        "NCCL_DEBUG": "INFO",
        "NCCL_DEBUG_SUBSYS": "INIT,GRAPH,NET",
        "NCCL_DEBUG_FILE": str(folder / DEBUG_FILE),
    }


def transports(lines: Iterable[str]) -> list[str]:
    """Ways between two ranks, each once, in order: ``NET/IB``, ``NET/Socket``, ``P2P``, ``SHM``.

    Of a network, the plugin is part of the name; the device's number and GPUDirect are not.
    """
    found = set()
    for line in lines:
        match = _CHANNEL.search(line)
        if match:
            parts = match.group(1).split("/")
            found.add("/".join(parts[:2]) if parts[0] == "NET" else parts[0])
    return sorted(found)


def read_transports(folder: Path) -> list[str]:
    """The ways in the files that NCCL left in a run's folder."""
    lines: list[str] = []
    for file in sorted(folder.glob(DEBUG_FILES)):
        lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
    return transports(lines)
