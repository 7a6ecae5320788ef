"""What the benchmark runs in: its environment variables, and the kernel's count of memory kills."""

from __future__ import annotations

from collections.abc import Mapping

# Everything else that the login happens to set stays out: the node is under test, not a shell.
_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR")


def restricted_environment(environ: Mapping[str, str], threads: int | None) -> dict[str, str]:
    """Return the environment of the benchmark.

    Args:
        environ: the environment to take the few kept variables from.
        threads: CPU threads, or None to leave them to the program.
    """
    kept = {name: environ[name] for name in _KEPT_VARIABLES if name in environ}
    kept["LC_ALL"] = "C.UTF-8"
    if threads is not None:
        kept["OMP_NUM_THREADS"] = str(threads)
    return kept


def parse_oom_kills(vmstat: str) -> int | None:
    """Return the counter ``oom_kill`` of /proc/vmstat (Linux 4.13), or None if it has none."""
    for line in vmstat.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return None
