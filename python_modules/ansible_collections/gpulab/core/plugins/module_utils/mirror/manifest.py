"""What a lab's head was asked to keep: packages by address, size and SHA-256."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# apt-get(8), --print-uris: 'address' file size hash, where the hash is the strongest of the lists.
_LINE = re.compile(
    r"^'(?P<uri>[^']+)' (?P<name>\S+) (?P<bytes>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$"
)
# What a node reads from its own disk; the head has no part in it.
_LOCAL = ("'file:", "'copy:", "'cdrom:")

Read = Callable[[str], Iterator[bytes]]


class MirrorError(RuntimeError):
    """A package could not be had as its repository's lists say; the message says which."""


@dataclass(frozen=True, order=True)
class Package:
    """One file of a repository.

    Attributes:
        uri: where it comes from.
        name: its file name.
        bytes: its size.
        sha256: its sum, 64 hexadecimal digits, as the repository's lists have it.
    """

    uri: str
    name: str
    bytes: int
    sha256: str


def uri_line(uri: str, name: str, size: int, algorithm: str, digest: str) -> str:
    """Write what is known of a package as ``apt-get --print-uris`` does.

    Args:
        uri: where it comes from.
        name: its file name.
        size: its size, bytes.
        algorithm: name of the sum, as ``sha256``.
        digest: the sum, in hexadecimal digits.
    """
    return f"'{uri}' {name} {size} {algorithm.upper()}:{digest}"


def parse_uris(lines: Iterable[str]) -> list[Package]:
    """Read the lines of ``apt-get --print-uris``; each file once, in the order of its address.

    Raises:
        MirrorError: a line is of another form, as where a repository has no SHA-256.
    """
    found = set()
    for line in lines:
        if line.startswith(_LOCAL):
            continue
        match = _LINE.match(line.strip())
        if not match:
            raise MirrorError(f"its repository has no SHA-256 of a package: {line.strip()}")
        given = match.groupdict()
        found.add(Package(given["uri"], given["name"], int(given["bytes"]), given["sha256"]))
    return sorted(found)


def fetch(packages: Iterable[Package], read: Read) -> None:
    """Read every package to its end, so that whoever stands between keeps it.

    Args:
        packages: what to read.
        read: gives an address's content in pieces, and raises OSError.

    Raises:
        MirrorError: one can't be had, or is not what its repository's lists say.
    """
    for package in packages:
        total, seen = 0, hashlib.sha256()
        try:
            for piece in read(package.uri):
                total += len(piece)
                seen.update(piece)
        except OSError as error:
            raise MirrorError(f"{package.uri}: {error}") from error
        if (total, seen.hexdigest()) != (package.bytes, package.sha256):
            raise MirrorError(
                f"{package.uri}: {total} bytes with SHA-256 {seen.hexdigest()}, and the "
                f"repository's lists say {package.bytes} bytes with {package.sha256}"
            )


def merge(path: Path, packages: Iterable[Package]) -> dict[str, Any]:
    """Return the manifest at the path with these packages besides; a missing one is empty.

    Raises:
        MirrorError: the file is no manifest.
    """
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        known = {Package(**entry) for entry in before["packages"]}
    except FileNotFoundError:
        known = set()
    except (ValueError, KeyError, TypeError) as error:
        raise MirrorError(f"{path} is no manifest ({error}): remove it and run again") from error
    return {"packages": [asdict(package) for package in sorted(known | set(packages))]}
