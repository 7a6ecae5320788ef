"""Read what sshd and its tools print: the pure half of the module ``gpulab.core.sshd_info``."""

from __future__ import annotations

import re
from typing import Any

# Options that sshd -T prints as one comma-separated list.
ALGORITHM_OPTIONS = (
    "kexalgorithms",
    "ciphers",
    "macs",
    "hostkeyalgorithms",
    "casignaturealgorithms",
)

_FOLDER = re.compile(
    r"Missing privilege separation directory: (/\S+)"
    r"|(/\S+) must be owned by root and not group or world-writable"
)


def parse_effective(text: str) -> dict[str, list[str]]:
    """Parse the output of ``sshd -T``.

    Args:
        text: lines ``option value``; an option that may be given several times has several.

    Returns:
        Lower-case option to the list of its values, in order.
    """
    effective: dict[str, list[str]] = {}
    for line in text.splitlines():
        option, _, value = line.strip().partition(" ")
        if option:
            effective.setdefault(option.lower(), []).append(value)
    return effective


def algorithms(effective: dict[str, list[str]]) -> dict[str, list[str]]:
    """Take the algorithm lists out of what `parse_effective` returns."""
    return {
        option: effective[option][0].split(",")
        for option in ALGORITHM_OPTIONS
        if effective.get(option)
    }


def parse_policy(text: str) -> dict[str, list[str]]:
    """Parse EL's ``/etc/crypto-policies/back-ends/opensshserver.config``.

    EL 9 and 10 write sshd_config lines (``Ciphers a,b``); EL 8's ``CRYPTO_POLICY='-oCiphers=…'``
    is not supported.

    Args:
        text: the file, or an empty string where there is no such policy.

    Returns:
        Lower-case option to its algorithms, only for the options in `ALGORITHM_OPTIONS`.
    """
    return algorithms(
        parse_effective("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    )


def parse_host_key(path: str, text: str) -> dict[str, Any]:
    """Parse the line of ``ssh-keygen -l -f KEY``.

    Args:
        path: the private key's file.
        text: such as ``3072 SHA256:… root@node01 (RSA)``.

    Returns:
        ``{"path", "type", "bits"}``; the type in lower case, ``unknown`` and 0 bits when the
        line can't be read.
    """
    match = re.match(r"(\d+) \S+ .*\((\S+)\)\s*$", text.strip())
    if match is None:
        return {"path": path, "type": "unknown", "bits": 0}
    return {"path": path, "type": match.group(2).lower(), "bits": int(match.group(1))}


def reads_drop_ins(config: str, folder: str = "/etc/ssh/sshd_config.d") -> bool:
    """Tell whether sshd_config includes the drop-in folder before it sets anything itself.

    sshd keeps the first value of an option, so a later Include would lose against the file.
    """
    for raw in config.splitlines():
        words = raw.split("#", 1)[0].replace("=", " ").split()
        if words:
            return words[0].lower() == "include" and f"{folder}/*.conf" in words[1:]
    return False


def count_keys(text: str) -> int:
    """Count the keys in an authorized_keys file."""
    return sum(
        1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )


def missing_folder(said: str) -> str:
    """Name the folder that keeps sshd from starting, of what it says on standard error, or "".

    sshd shuts the half of it that talks to strangers into an empty folder. Where that is missing,
    or others may write it, ``sshd -t``, ``-T`` and each new connection end there, whatever the
    configuration says (OpenSSH 8.7 to 10.2, sshd.c). The service makes it when it starts; where
    only a socket is up, or somebody cleaned ``/run``, it is not there.
    """
    found = _FOLDER.search(said)
    return (found[1] or found[2]) if found else ""


def parse_listen(shown: str) -> list[str]:
    """Parse ``systemctl show --property=Listen`` of a socket: its addresses that have a port.

    Args:
        shown: one line ``Listen=[::]:22 (Stream)`` for each.
    """
    return re.findall(r"^Listen=(\S+:\d+) \(Stream\)$", shown, re.MULTILINE)
