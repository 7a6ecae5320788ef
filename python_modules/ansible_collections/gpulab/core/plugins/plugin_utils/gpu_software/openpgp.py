"""Read the fingerprints of an OpenPGP key file, without gpg, which minimal nodes lack."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

# RFC 4880 4.3: packet tags. RFC 4880 12.2 and RFC 9580 5.5.4: fingerprints.
_PUBLIC_KEY = 6
_ARMOR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)


def fingerprints(text: str) -> list[str]:
    """Return the fingerprint of every primary key in an armored file, in upper-case hex.

    Raises:
        ValueError: the text holds no armored key, or one that can't be read.
    """
    blocks = _ARMOR.findall(text)
    if not blocks:
        raise ValueError("no armored OpenPGP public key is in it")
    return [
        _fingerprint(body)
        for block in blocks
        for tag, body in _packets(_binary(block))
        if tag == _PUBLIC_KEY
    ]


def block_sha256(text: str) -> str:
    """Return the SHA-256 of an armored file without its ``Version`` line, which tools rewrite."""
    kept = re.sub(r"^Version.*\n", "", text, flags=re.MULTILINE)
    return hashlib.sha256(kept.encode()).hexdigest()


def _binary(block: str) -> bytes:
    lines = [line.strip() for line in block.splitlines()]
    # Headers end at an empty line; the checksum begins with "=".
    body = lines[lines.index("") + 1 :] if "" in lines else lines
    try:
        return base64.b64decode(
            "".join(line for line in body if not line.startswith("=")), validate=True
        )
    except binascii.Error as error:
        raise ValueError(f"its armor is damaged: {error}") from error


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        tag, start, length = _header(data, position)
        if start + length > len(data):
            raise ValueError("it ends in the middle of a packet")
        yield tag, data[start : start + length]
        position = start + length


def _header(data: bytes, position: int) -> tuple[int, int, int]:
    """Return tag, start and length of the packet at a position (RFC 4880 4.2)."""
    first, rest = data[position], data[position + 1 : position + 6]
    if not first & 0x80 or not rest:
        raise ValueError("it is not a row of OpenPGP packets")
    if not first & 0x40:
        size = 1 << (first & 3)
        if size == 8 or len(rest) < size:
            raise ValueError("a packet in it has no definite length")
        return first >> 2 & 15, position + 1 + size, int.from_bytes(rest[:size], "big")
    tag = first & 63
    if rest[0] < 192:
        return tag, position + 2, rest[0]
    if rest[0] < 224 and len(rest) > 1:
        return tag, position + 3, ((rest[0] - 192) << 8) + rest[1] + 192
    if rest[0] == 255 and len(rest) == 5:
        return tag, position + 6, int.from_bytes(rest[1:], "big")
    raise ValueError("a packet in it has no definite length")


def _fingerprint(body: bytes) -> str:
    if body[:1] == b"\x04":
        # SHA-1 is what the format prescribes; nothing here relies on it being free of collisions.
        framed = b"\x99" + len(body).to_bytes(2, "big") + body
        return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()
    if body[:1] == b"\x06":
        framed = b"\x9b" + len(body).to_bytes(4, "big") + body
        return hashlib.sha256(framed).hexdigest().upper()
    raise ValueError("it has a key of a version that is not supported")
