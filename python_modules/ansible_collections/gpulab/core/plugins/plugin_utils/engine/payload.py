"""Recognise what Ansible is about to run on a node. Pure: a command and a program go in.

Ansible sends a module as one Python program, the same hundred kilobytes for each host and task but
for its arguments, to the standard input of an interpreter.
"""

from __future__ import annotations

import copy
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...module_utils.engine import resident

if TYPE_CHECKING:
    from ansible.plugins.become import BecomeBase
    from ansible.plugins.shell import ShellBase

_BEGIN = b"zip_data='"
_END = b"',\n)\n"
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+\Z")
# NAME=value before it is the task's `environment`.
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PYTHON = re.compile(r"/\S*/python3?(\.\d+)?\Z")
_AFTER = "sleep 0"


@dataclass(frozen=True)
class Module:
    """A module's program, and apart from it what is the same for each call."""

    program: bytes
    payload: bytes


def split(program: bytes) -> Module | None:
    """Take the payload out of a module's program.

    Args:
        program: What Ansible would send to the interpreter.

    Returns:
        None where it does not look as expected.
    """
    begin = program.rfind(_BEGIN)
    if begin < 0 or not program.endswith(_END):
        return None
    payload = program[begin + len(_BEGIN) : -len(_END)]
    if not _BASE64.match(payload):
        return None
    name = f"zip_data={resident.PAYLOAD_NAME},\n)\n".encode()
    return Module(program[:begin] + name, payload)


def interpreter(
    command: str, become: BecomeBase | None, shell: ShellBase, executable: str
) -> str | None:
    """Find the interpreter in the command that is to read a program from its standard input.

    Args:
        command: What Ansible would give to ssh.
        become: The become plugin, or None.
        shell: The shell plugin.
        executable: The shell that the command is for.

    Returns:
        The interpreter behind its environment, as a shell's words; None where the command is not
        exactly one that starts an interpreter.
    """
    try:
        words = shlex.split(command)
        script = words[2] if len(words) == 3 else ""
        inner = script.removesuffix(f" {shell._SHELL_AND} {_AFTER}")
        wrapped_in = None
        if become is not None and become.success and become.success in inner:
            wrapped_in = become
            inner = shlex.split(inner)[-1].partition(f"{become.success} {shell.COMMAND_SEP} ")[2]
        *environment, python = shlex.split(inner) or [""]
    except ValueError:
        return None
    if not _PYTHON.match(python) or not all(_ASSIGNMENT.match(word) for word in environment):
        return None
    return inner if wrapped(inner, wrapped_in, shell, executable) == command else None


def wrapped(inner: str, become: BecomeBase | None, shell: ShellBase, executable: str) -> str:
    """Compose a command as Ansible's actions do.

    Args:
        inner: What to run.
        become: The become plugin, which stays as it is; None to run it as the connecting user.
        shell: The shell plugin.
        executable: The shell that the command is for.
    """
    if become is not None:
        own = copy.copy(become)
        inner = own.build_become_command(inner, shell)
        # Each command has a mark of its own.
        inner = inner.replace(own.success, become.success).replace(own._id, become._id)
    return f"{executable} -c {shlex.quote(shell.append_command(inner, _AFTER))}"
