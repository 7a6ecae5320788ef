"""The program ``gpulab-slurm-admission`` on the head: no node in quarantine gets jobs.

Started by a timer. It takes out who has to be out, and never gives a node back.
"""

from __future__ import annotations

import sys

from . import client, reconcile, wanted_file


def run() -> None:
    """Look once, and print what was done; the exit status says whether Slurm could be told."""
    try:
        wanted = wanted_file.read()
        if not wanted:
            return
        found = reconcile.changes(wanted, client.nodes(), lift=False)
        for name, change in found.items():
            if change.words:
                client.update(change.node, change.words)
                sys.stdout.write(f"{name}: {change.said}: {wanted[name]}\n")
    except (OSError, ValueError, client.SlurmError) as error:
        sys.exit(str(error))
