"""Keep a sandbox machine as an image: what was done to it is not done again for the next one.

A snapshot is called by a hash of the image that its machine started from and of the files that say
what was done to it: a changed file makes another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from .containers import container_name
from .engine import Engine
from .images import LOGIN, PREFIX

#: Run in the machine before it is kept. What belongs to this machine alone goes; the next one gets
#: its own keys before its first boot, and its id at the boot.
SEAL = f"""\
set -eu
rm -rf /etc/ssh/ssh_host_* /home/{LOGIN}/.ssh /home/{LOGIN}/.ansible /root/.ansible
rm -rf /var/log/journal/*
rm -f /var/lib/systemd/random-seed /var/lib/systemd/timers/*
: > /etc/machine-id
sync
"""
#: A large machine is written out in seconds; a slow disk may need long.
COMMIT_TIMEOUT_S = 600


def reference(name: str, base: str, inputs: Iterable[Path]) -> str:
    """Name a snapshot.

    Args:
        name: what it is, such as ``shape-rocky-9``.
        base: the reference of the image that its machine starts from.
        inputs: files that say what is done to the machine, and folders of such.

    Raises:
        FileNotFoundError: an input is not there.
    """
    digest = hashlib.sha256(base.encode())
    for given in inputs:
        files = sorted(given.rglob("*")) if given.is_dir() else [given]
        for file in files:
            if file.is_dir() or "__pycache__" in file.parts:
                continue
            digest.update(f"\0{file.relative_to(given.parent)}\0".encode() + file.read_bytes())
    return f"{PREFIX}{name}:{digest.hexdigest()[:12]}"


def take(engine: Engine, lab: str, machine: str, snapshot: str) -> None:
    """Keep a running container machine under a reference; it is of no use afterwards.

    Raises:
        SandboxError: the machine does not run, or the engine fails.
    """
    name = container_name(lab, machine)
    engine.run("exec", name, "sh", "-c", SEAL)
    engine.run("commit", name, snapshot, timeout_s=COMMIT_TIMEOUT_S)
