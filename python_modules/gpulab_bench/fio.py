"""Measure a file by fio. No PyTorch needed."""

from __future__ import annotations

import json
import os

from ansible_collections.gpulab.core.plugins.module_utils.process import Group, run

# Beyond the runtime: start, laying out the file, end.
_MARGIN_S = 30.0


class FioError(RuntimeError):
    """fio gave no numbers; the text says why."""


def fio_command(fio: str, path: str, size: int, seconds: float, direction: str) -> list[str]:
    """The command that moves ``size`` bytes one way, or as many as fit into ``seconds``.

    Args:
        fio: the program.
        path: of the file.
        size: bytes.
        seconds: of measuring.
        direction: ``read`` or ``write``.
    """
    return [
        fio,
        "--name=gpulab",
        f"--filename={path}",
        f"--rw={direction}",
        f"--size={size}",
        f"--runtime={max(1, round(seconds))}",
        "--bs=1M",
        "--direct=1",
        "--ioengine=libaio",
        "--iodepth=16",
        "--end_fsync=1",
        "--output-format=json",
    ]


def parse_fio(text: str, direction: str) -> float:
    """MB/s from fio's JSON: ``jobs[0].<direction>.bw_bytes``, bytes per second.

    Raises:
        FioError: it is no such document, or nothing was moved.
    """
    try:
        # Warnings may stand before the document.
        rate = json.loads(text[text.index("{") :])["jobs"][0][direction]["bw_bytes"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        msg = f"its output lacks jobs[0].{direction}.bw_bytes"
        raise FioError(msg) from error
    if not isinstance(rate, (int, float)) or rate <= 0:
        msg = f"it moved nothing in the direction {direction}"
        raise FioError(msg)
    return rate / 1e6


def run_fio(fio: str, file: int, size: int, seconds: float) -> tuple[float, float]:
    """Write and read an open file; MB/s of each.

    Raises:
        FioError: fio failed.
    """
    rates = []
    # The file has no name; through /proc it can be opened all the same.
    path = f"/proc/{os.getpid()}/fd/{file}"
    for direction in ("write", "read"):
        words = fio_command(fio, path, size, seconds, direction)
        # In this process' group, so that it ends with the worker.
        done = run(words, os.environ, seconds + _MARGIN_S, group=Group.CALLERS)
        if done.timed_out:
            raise FioError(f"it did not end within {seconds + _MARGIN_S:g} s")
        if done.returncode != 0:
            said = done.start_error or done.stderr_tail or done.stdout
            raise FioError(said.strip()[-300:])
        rates.append(parse_fio(done.stdout, direction))
    return rates[0], rates[1]
