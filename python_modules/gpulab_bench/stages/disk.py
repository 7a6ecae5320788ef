"""Sequential writes and reads past the page cache: what a dataset's disk gives to training."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from gpulab_bench.context import Context, DiskError
from gpulab_bench.fio import FioError, run_fio

BLOCK_BYTES = 1024**2
# The file: never more than this, nor than this share of what the disk has free.
MOST_BYTES = 1024**3
FREE_SHARE = 0.1


def run(context: Context) -> dict[str, Any]:
    """Write a file and read it back, by fio where it is installed.

    The file has no name: it is gone when the process ends, however that ends.

    Returns:
        The document's section ``disk``; MB/s are 10^6 bytes per second.

    Raises:
        DiskError: the folder has no room, or cannot be written.
    """
    folder = Path(context.order.disk_folder)
    seconds = context.plan.seconds / 2
    try:
        with nameless_file(folder) as (file, direct):
            size = size_for(shutil.disk_usage(folder).free)
            rates, method, note = None, "direct" if direct else "buffered", ""
            fio = shutil.which("fio")
            if fio and direct:
                try:
                    rates, method = run_fio(fio, file, size, seconds), "fio"
                except FioError as error:
                    note = f"fio could not measure it: {error}"
            if rates is None:
                rates = _write_and_read(file, size, seconds, context)
    except OSError as error:
        msg = f"{folder}: {error.strerror or error}: choose another folder (benchmark_disk_folder)"
        raise DiskError(msg) from error
    if not direct:
        note = "the file system has no direct I/O, so caches take part in these numbers"
    write, read = rates
    return {
        "folder": str(folder),
        "method": method,
        "bytes": size,
        "write_mbs": write,
        "read_mbs": read,
        "note": note,
    }


def size_for(free: int) -> int:
    """Bytes of the file, in whole blocks, from the bytes that are free.

    Raises:
        DiskError: there is no room for one block.
    """
    size = int(min(MOST_BYTES, free * FREE_SHARE)) // BLOCK_BYTES * BLOCK_BYTES
    if size == 0:
        msg = f"{free} bytes are free, of which {FREE_SHARE:.0%} are no {BLOCK_BYTES} bytes"
        raise DiskError(msg)
    return size


@contextmanager
def nameless_file(folder: Path) -> Iterator[tuple[int, bool]]:
    """Open a file without a name in a folder: its descriptor, and whether its I/O is direct.

    Raises:
        OSError: the folder or its file system does not allow it.
    """
    direct = True
    try:
        file = _open(folder, os.O_DIRECT)
    except OSError:  # a file system in memory
        direct = False
        file = _open(folder, 0)
    try:
        yield file, direct
    finally:
        os.close(file)


def _open(folder: Path, flag: int) -> int:
    """Open a nameless file; where the file system has none, one that loses its name at once."""
    flags = os.O_RDWR | os.O_CLOEXEC | flag
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
    path = folder / f".gpulab_bench.{os.getpid()}"
    file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    path.unlink()
    return file


def _write_and_read(file: int, size: int, seconds: float, context: Context) -> tuple[float, float]:
    """MB/s of writing the file and of reading it, each for its seconds or once through."""
    # Page-aligned, as direct I/O needs it; random, so that no disk compresses it.
    block = mmap.mmap(-1, BLOCK_BYTES)
    block.write(os.urandom(BLOCK_BYTES))

    def rate(move: Callable[[int, list[mmap.mmap], int], int], limit: int) -> tuple[float, int]:
        done = 0
        started = time.perf_counter()
        while done < limit and context.stop.reason() is None:
            moved = move(file, [block], done)
            if moved != BLOCK_BYTES:
                msg = f"moved {moved} of {BLOCK_BYTES} bytes: the disk is full"
                raise DiskError(msg)
            done += moved
            if done > BLOCK_BYTES and time.perf_counter() - started > seconds:
                break
        if move is os.pwritev:
            os.fsync(file)
        return done / max(time.perf_counter() - started, 1e-9) / 1e6, done

    write, written = rate(os.pwritev, size)
    read, _ = rate(os.preadv, written)
    return write, read
