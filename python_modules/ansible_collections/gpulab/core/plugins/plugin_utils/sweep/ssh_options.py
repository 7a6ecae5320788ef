"""How to reach a node by SSH: what OpenSSH makes of the inventory's options, for pyinfra.

``ssh -G`` is asked, so that configuration files, includes and patterns mean here what they mean to
Ansible. One thing differs on purpose: host keys are always checked, whatever the options say.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# The node is not contacted: this bounds a configuration with `Match exec`.
_SSH_G_S = 10


class OptionsError(ValueError):
    """A node's SSH options can't be used; the text says which variable and why."""


def ssh_words(options: Mapping[str, Any]) -> list[str]:
    """Return the words for ssh that a node's options amount to, without the node.

    Args:
        options: As Ansible's connection plugin ``ssh`` names them.

    Raises:
        OptionsError: One can't be split into words.
    """
    words = [
        word
        for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")
        for word in _split(f"ansible_{name}", str(options.get(name) or ""))
    ]
    for name, option in (("port", "-p"), ("remote_user", "-l"), ("private_key_file", "-i")):
        if options.get(name):
            words += [option, str(options[name])]
    return words


def _split(name: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise OptionsError(f"{name}: {error}") from error


def resolve(words: Sequence[str], address: str) -> dict[str, Any]:
    """Return what ``ssh`` would do with these words: see `read_options`.

    Raises:
        OptionsError: ssh refuses them.
    """
    try:
        done = subprocess.run(
            ["ssh", "-G", *words, address],
            capture_output=True,
            text=True,
            timeout=_SSH_G_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OptionsError(f"ssh -G {address}: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise OptionsError(f"ansible_ssh_common_args: ssh says: {said[-1] if said else '?'}")
    return read_options(done.stdout, words)


def read_options(text: str, words: Sequence[str] = ()) -> dict[str, Any]:
    """Return how to connect, from the output of ``ssh -G``.

    Returns:
        ``hostname``, ``port``, ``user``; ``keys`` and ``known_hosts``: those files that are there;
        ``agent``: whether an agent's keys may be tried; ``proxy``: the command that connects
        through other machines, or "".
    """
    options: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        options.setdefault(name, []).append(value)

    def one(name: str) -> str:
        value = options.get(name, [""])[0]
        return "" if value == "none" else value

    known = [*one("userknownhostsfile").split(), *one("globalknownhostsfile").split()]
    whole = [one("userknownhostsfile"), one("globalknownhostsfile")]
    return {
        "hostname": one("hostname"),
        "port": int(one("port") or 22),
        "user": one("user"),
        "keys": _there(options.get("identityfile", [])),
        # Paths are not quoted there: a path with blanks is one if there is such a file.
        "known_hosts": _there([*whole, *known]),
        "agent": one("identitiesonly") != "yes",
        "proxy": _proxy(one, words),
    }


def _there(names: Sequence[str]) -> list[str]:
    paths = [Path(name).expanduser() for name in dict.fromkeys(names) if name]
    return [str(path) for path in paths if path.is_file()]


def _proxy(one: Callable[[str], str], words: Sequence[str]) -> str:
    command, jump = one("proxycommand"), one("proxyjump")
    host, port, user = one("hostname"), one("port"), one("user")
    if command:
        for token, value in (("%h", host), ("%p", port), ("%r", user)):
            command = command.replace(token, value)
        return command
    if not jump:
        return ""
    *before, last = jump.split(",")
    config = [word for at, word in enumerate(words) if "-F" in (word, words[at - 1] if at else "")]
    chain = ["-J", ",".join(before)] if before else []
    checked = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    return shlex.join(["ssh", *config, *checked, *chain, "-W", f"[{host}]:{port}", last])
