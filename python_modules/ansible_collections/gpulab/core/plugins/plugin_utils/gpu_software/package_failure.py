"""Say why packages could not be installed, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: apt's command line, which its module puts before, buries what it said.
_APT_COMMAND = re.compile(r"^'/usr/bin/apt-get .* failed: ")
#: What of a long output tells the reason.
_TELLING = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?s)unmet dependencies:.*",
        r"Bad return status for module build.*|Build of [^ ]+ failed for.*",
        r"Consult .*make[.]log",
    )
)
_SIGNATURE = re.compile(
    r"NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|not signed|GPG check|gpgcheck|repomd.xml.asc|public key"
    # The word, and not a package's name.
    r"|(?<![-\w])signatures?(?![-\w])",
    re.IGNORECASE,
)
_TWO_SOURCES = re.compile(r"Conflicting values set for option Signed-By")
_NO_SIGNED = re.compile(
    r"(?:No package matching|Unable to locate package|has no installation candidate)"
    r"(?s:.*)linux-modules-nvidia-|linux-modules-nvidia-\S+' has no installation candidate"
)
_OTHER_SIGNED = re.compile(
    r"linux-modules-nvidia-(?s:.*)(?:Depends|depends on).*nvidia-kernel-common-"
)
_NO_HEADERS = re.compile(
    r"(?:No package|Unable to find a match|No match for argument).*kernel(?:-\w+)*-devel"
)
_NO_SPACE = re.compile(r"No space left|enough free space")
#: apt-cacher-ng's words and status where it was told to ask nobody; dnf keeps both to itself.
_NOT_KEPT = re.compile(r"offline mode|(^|[^0-9])503([^0-9]|$)|mirrors were already tried")
_LOCKED = re.compile(r"get lock|cache lock|lock-frontend|\blocked\b")
_NOT_BUILT = re.compile(r"Bad return status|Build of|make[.]log")


def package_failure(
    result: Mapping[str, Any], otherwise: str, *, mirror: bool = False, size: str = ""
) -> dict[str, str]:
    """Read the result of a task that should have installed packages.

    Args:
        result: ``ansible_failed_result``.
        otherwise: the advice where no known cause shows.
        mirror: whether the lab keeps its packages on its head.
        size: how much space is needed, such as "a toolkit takes 6 GB"; "" where nobody knows.

    Returns:
        ``said``, the package manager's words from all the places where they may be, and ``advice``.
    """
    said = " ".join(part for part in map(str.strip, _words(result)) if part)
    return {"said": said, "advice": _advice(said, mirror=mirror, size=size) or otherwise}


def _words(result: Mapping[str, Any]) -> list[str]:
    message, output = str(result.get("msg") or ""), str(result.get("stdout") or "")
    found = (pattern.search(output) for pattern in _TELLING)
    return [
        _APT_COMMAND.sub("", message),
        " ".join(str(line) for line in result.get("failures") or ()),
        # A module has put it into its message; a command has not.
        str(result.get("stderr") or "") if message.startswith("non-zero") else "",
        *(match.group() for match in found if match),
    ]


def _advice(said: str, *, mirror: bool, size: str) -> str:
    if _TWO_SOURCES.search(said):
        return (
            "Two files under /etc/apt name one repository with different keys: remove the one that "
            "gpulab has not written (`grep -r <its URI> /etc/apt`)."
        )
    if _SIGNATURE.search(said):
        return (
            "The repository is not signed by the key that is pinned for it. Either the vendor has "
            "changed the key, then get the new one and its fingerprint from the vendor by another "
            "way, or this is not the vendor: do not go on."
        )
    if _OTHER_SIGNED.search(said):
        return (
            "The modules for a newer kernel are of another version than the driver that is held: "
            "run playbooks/gpu_upgrade.yml for this node."
        )
    if _NO_SIGNED.search(said):
        return (
            "Canonical has no signed modules of this branch for a kernel that is installed: remove "
            "that kernel, or declare lab_software.nvidia_driver.source: nvidia."
        )
    if _NO_HEADERS.search(said):
        return (
            "The mirror has no headers of this kernel any more: update the kernel (dnf upgrade "
            "kernel), reboot into it, then run again."
        )
    if _NO_SPACE.search(said):
        return f"Free some space ({size})." if size else "Free some space."
    if mirror and _NOT_KEPT.search(said):
        return (
            "The head does not keep it, and it asks nobody or reaches nobody: give the head its "
            "network, and run playbooks/mirror.yml with mirror_offline: false."
        )
    if _LOCKED.search(said):
        return (
            "Another package run holds the lock: wait for it; "
            "`fuser -v /var/lib/dpkg/lock-frontend` names it."
        )
    if _NOT_BUILT.search(said):
        return (
            "The modules do not build for this kernel: the log says why. Declare another "
            "lab_software.nvidia_driver.branch or flavour, or boot a kernel that this driver knows."
        )
    return ""
