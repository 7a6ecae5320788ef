"""SSH keys of a sandbox: one client key pair, host keys per machine, and known_hosts.

Host keys are made here and put into a machine before it starts, so that nothing is trusted on
first use: what known_hosts records is what was installed.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..process import run_group
from .errors import SandboxError

#: The kinds of host key that Debian's, Ubuntu's and EL's packages create on installation.
HOST_KEY_TYPES = {"ed25519": [], "ecdsa": ["-b", "256"], "rsa": ["-b", "3072"]}


def ensure_key(path: Path, kind: str, comment: str) -> str:
    """Create a key pair without a passphrase unless it is there; return the public half.

    Raises:
        SandboxError: ssh-keygen fails.
    """
    public = path.with_name(f"{path.name}.pub")
    if not (path.is_file() and public.is_file()):
        path.unlink(missing_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = ["ssh-keygen", "-q", "-t", kind, *HOST_KEY_TYPES[kind], "-N", "", "-C", comment]
        made = run_group([*words, "-f", str(path.absolute())], os.environ, 60)
        if made.returncode != 0:
            raise SandboxError(f"ssh-keygen: {made.start_error or made.stderr_tail}")
    return public.read_text().strip()


def ensure_host_keys(folder: Path, machine: str) -> dict[str, str]:
    """Create a machine's host keys unless they are there; return kind → public key."""
    return {
        kind: ensure_key(folder / f"ssh_host_{kind}_key", kind, f"root@{machine}")
        for kind in HOST_KEY_TYPES
    }


def known_hosts(entries: dict[str, tuple[list[str], dict[str, str]]]) -> str:
    """Render known_hosts.

    Args:
        entries: machine → (its names and addresses, kind → public host key).
    """
    return "".join(
        f"{','.join(names)} {' '.join(public.split()[:2])}\n"
        for _, (names, keys) in sorted(entries.items())
        for _, public in sorted(keys.items())
    )


def ssh_config(user: str, folder: Path, names: dict[str, tuple[list[str], str]]) -> str:
    """Render an ssh_config with which ``ssh -F FILE head01`` reaches a machine, checking its key.

    Args:
        user: the account to log in with.
        folder: where ``id_ed25519`` and ``known_hosts`` are.
        names: machine → (the names and addresses it is called by, the address to connect to).
    """

    def quoted(name: str) -> str:
        # Spaces need the quotes; a percent sign would start a token.
        return '"{}"'.format(str(folder / name).replace("%", "%%"))

    hosts = "".join(
        f"Host {' '.join(aliases)}\n  HostName {address}\n"
        for _, (aliases, address) in sorted(names.items())
    )
    return (
        f"{hosts}Host *\n"
        f"  User {user}\n"
        f"  IdentityFile {quoted('id_ed25519')}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {quoted('known_hosts')}\n"
        "  StrictHostKeyChecking yes\n"
    )
