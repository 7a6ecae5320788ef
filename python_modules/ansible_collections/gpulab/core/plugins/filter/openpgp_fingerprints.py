"""The filter ``gpulab.core.openpgp_fingerprints``: whose keys an armored key file holds."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from ansible.errors import AnsibleFilterError

BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[A-Za-z]+: .*\n)*\n"
    r"([A-Za-z0-9+/=\n]+?)(?:=[A-Za-z0-9+/]{4}\n)?-----END PGP PUBLIC KEY BLOCK-----"
)
# RFC 4880, 4.3: the tag of a primary public key.
PUBLIC_KEY = 6


def _length(data: bytes, start: int, old_kind: int | None) -> tuple[int, int]:
    """Read a packet's length at ``start``: (length, where the body begins), RFC 4880, 4.2."""
    if old_kind is not None:
        size = (1, 2, 4)[old_kind]
        return int.from_bytes(data[start : start + size], "big"), start + size
    first = data[start]
    if first < 192:
        return first, start + 1
    if first < 224:
        return ((first - 192) << 8) + data[start + 1] + 192, start + 2
    if first == 255:
        return int.from_bytes(data[start + 1 : start + 5], "big"), start + 5
    raise ValueError("a partial length")


def _primary_keys(data: bytes) -> list[str]:
    """Give the fingerprints of the version 4 primary keys among the packets."""
    found = []
    at = 0
    while at < len(data):
        header = data[at]
        if not header & 0x80:
            raise ValueError("no OpenPGP packet")
        old = not header & 0x40
        if old and header & 3 == 3:
            raise ValueError("a packet without a length")
        tag = (header >> 2) & 15 if old else header & 63
        length, body = _length(data, at + 1, header & 3 if old else None)
        packet = data[body : body + length]
        if len(packet) != length:
            raise ValueError("it is cut short")
        if tag == PUBLIC_KEY:
            if packet[0] != 4:
                raise ValueError(f"a key of version {packet[0]}, not 4")
            # RFC 4880, 12.2: SHA-1 names the key; what it signs is hashed by its own algorithm.
            named = hashlib.sha1(
                b"\x99" + length.to_bytes(2, "big") + packet, usedforsecurity=False
            )
            found.append(named.hexdigest().upper())
        at = body + length
    return found


def openpgp_fingerprints(text: str) -> list[str]:
    """List the fingerprints of the primary keys in armored text.

    Args:
        text: one or more blocks ``-----BEGIN PGP PUBLIC KEY BLOCK-----``.

    Returns:
        40 upper-case hexadecimal digits for each primary key, in their order in the text.

    Raises:
        AnsibleFilterError: when the text holds no armored public key or a broken one.
    """
    blocks = BLOCK.findall(text.replace("\r\n", "\n"))
    try:
        found = [key for block in blocks for key in _primary_keys(base64.b64decode(block))]
    except (ValueError, IndexError) as error:
        msg = f"openpgp_fingerprints: this is no OpenPGP key that can be read: {error}"
        raise AnsibleFilterError(msg) from error
    if not found:
        raise AnsibleFilterError(
            "openpgp_fingerprints: no armored public key (-----BEGIN PGP PUBLIC KEY BLOCK-----). "
            "A binary keyring is turned into one by `gpg --enarmor`."
        )
    return found


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"openpgp_fingerprints": openpgp_fingerprints}
