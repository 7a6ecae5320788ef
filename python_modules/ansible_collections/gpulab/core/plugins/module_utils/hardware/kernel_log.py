"""What the kernel's log says of GPUs since the node was started."""

from __future__ import annotations

from typing import Any

from .pci import is_nvidia, read_gpus
from .sysfs import ProbeError, Tree
from .tools import RunTool
from .xid import parse_xids

_TOOLS = (
    ("journalctl", ("journalctl", "-k", "-b", "--no-pager", "-q", "-o", "cat")),
    ("dmesg", ("dmesg",)),
)
# The kernel's first line. A log without it has lost its beginning.
_FIRST_LINE = "Linux version "


def read_kernel_log(tree: Tree, run: RunTool) -> dict[str, Any]:
    """Return ``source``, ``complete`` (from the start on) and ``events``, as `parse_xids` has them.

    Without an NVIDIA GPU on the bus nothing is read.

    Raises:
        ProbeError: Neither the journal nor the kernel's buffer can be read.
    """
    if not any(is_nvidia(gpu) for gpu in read_gpus(tree)):
        return {"source": "none", "complete": True, "events": []}
    complaints = []
    for source, argv in _TOOLS:
        answer = run(argv)
        # A user who may not read the journal gets an empty one, and no error.
        if answer.rc == 0 and answer.stdout.strip():
            text = answer.stdout
            return {"source": source, "complete": _FIRST_LINE in text, "events": parse_xids(text)}
        complaints.append(f"{source}: {answer.complaint if answer.rc else 'nothing to read'}")
    raise ProbeError("; ".join(complaints))
