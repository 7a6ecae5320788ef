"""Pack the files that a machine must have before its first boot."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from .images import LOGIN


@dataclass(frozen=True)
class File:
    """One file of an archive.

    Attributes:
        data: its content.
        mode: its permission bits.
    """

    data: bytes
    mode: int = 0o644


def pack(files: dict[str, File], folders: dict[str, int] | None = None) -> bytes:
    """Pack files, all of them root's, as a tar archive; equal input gives equal bytes.

    Args:
        files: path without a leading slash → file.
        folders: path → permission bits, for folders that need other ones than 0755.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in (folders or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        for name, file in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(file.data), file.mode
            archive.addfile(entry, io.BytesIO(file.data))
    return buffer.getvalue()


def access_files(host_keys: Path, authorized_key: str) -> dict[str, File]:
    """Give the files that let the sandbox's user in and prove the machine to them."""
    files = {
        f"home/{LOGIN}/.ssh/authorized_keys": File(f"{authorized_key}\n".encode(), 0o600),
    }
    for file in sorted(host_keys.glob("ssh_host_*")):
        mode = 0o644 if file.suffix == ".pub" else 0o600
        files[f"etc/ssh/{file.name}"] = File(file.read_bytes(), mode)
    return files


#: Folders of ``access_files`` that must not be open to others.
ACCESS_FOLDERS = {f"home/{LOGIN}/.ssh": 0o700}
