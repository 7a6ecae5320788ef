# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.openpgp_problem``: whether a key file is the one that is pinned."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.gpu_software.openpgp import block_sha256, fingerprints


def openpgp_problem(text: str, pin: str) -> str:
    """Say what is wrong with a key file; an empty string where it is the pinned one.

    Args:
        text: the armored file.
        pin: the full fingerprint of its one primary key, or ``sha256:`` and the SHA-256 of the
            armored text without its ``Version`` line.
    """
    wanted = pin.replace(" ", "").upper()
    try:
        found = fingerprints(text)
    except ValueError as error:
        return str(error)
    if wanted.startswith("SHA256:"):
        sum_found = block_sha256(text)
        return (
            "" if sum_found.upper() == wanted[len("SHA256:") :] else f"its SHA-256 is {sum_found}"
        )
    return "" if found == [wanted] else f"its fingerprint is {', '.join(found) or 'missing'}"


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"openpgp_problem": openpgp_problem}
