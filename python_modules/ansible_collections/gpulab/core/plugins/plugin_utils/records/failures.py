"""What a failed task means to the person who reads of it: one line, and the next action."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import formatting
from ..preflight.symptoms import diagnose


class Rule(NamedTuple):
    """Words that a message holds, and what to do about it; ``{host}`` is filled in."""

    pattern: re.Pattern[str]
    action: str


def _rule(pattern: str, action: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), action)


# Messages of OpenSSH, pyinfra, apt, dnf and the kernel's error texts; the first match decides.
_UNREACHABLE = (
    _rule(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|"
        r"Host key for .* does not match",
        "its host key is not the known one: compare the fingerprint at the console of {host}, and "
        "only if it is right replace the old key (ssh-keygen -R ADDRESS)",
    ),
    _rule(
        r"No host key for .* found in known_hosts",
        "its host key is not known: compare the fingerprint at the console of {host} with what "
        "`ssh` shows, and accept it there",
    ),
    _rule(
        r"Permission denied|Authentication failed|Too many authentication failures",
        "it refuses the key or the user: check ansible_user and that your public key is on {host}",
    ),
    _rule(
        r"Could not resolve hostname|Name or service not known",
        "its name does not resolve: set ansible_host of {host} in the inventory",
    ),
    _rule(
        r"Connection refused",
        "it answers but has no SSH there: check sshd on {host} and ansible_port",
    ),
)
_UNREACHABLE_ELSE = (
    "check the power, the network cable and sshd of {host}, and its entry in known_hosts"
)
_FAILED = (
    _rule(
        r"Could not get lock|is locked by|lock-frontend|waiting for process with pid|"
        r"another app is currently holding|Failed to lock",
        "another package run holds the lock on {host}: wait until it ends",
    ),
    _rule(
        r"No space left on device|not enough free space|Disk quota exceeded|"
        r"needs? [\d.]+ ?[kMGT]?i?B more space",
        "its disk is full: free space on {host} (df -h)",
    ),
    _rule(
        r"Missing sudo password|sudo: a (terminal|password) is required|Incorrect sudo password",
        "sudo asks for a password on {host}: run with --ask-become-pass",
    ),
    _rule(
        r"python[\d.]*: ((command )?not found|No such file)|No such file or directory: '?\S*python|"
        r"Failed to (discover|locate) .*interpreter|No python interpreters found|"
        r"Python [\d.]+ is older than",
        "no usable Python on {host}: install python3, or set ansible_python_interpreter",
    ),
    _rule(
        r"Temporary failure in name resolution|Temporary failure resolving|Could not resolve host|"
        r"Failed to fetch|Failed to download|Cannot download|Connection timed out",
        "{host} cannot reach what it downloads from: check its DNS, route and proxy",
    ),
)

# Ansible's own words for "look at the output".
_SAYS_NOTHING = ("non-zero return code", "MODULE FAILURE", "Module result deserialization failed")


def next_action(message: str, host: str, *, unreachable: bool, rerun: str) -> str:
    """Return what to do about a failed task, in one line that ends with the command to go on with.

    Args:
        message: The whole message; it may have several lines.
        host: The node.
        unreachable: Ansible could not connect, so nothing ran there.
        rerun: The command that runs this again.
    """
    # Preflight's own messages carry their action behind an arrow, one a line.
    told = [line.partition(" -> ")[2] for line in message.splitlines() if " -> " in line]
    if told:
        return f"{'; '.join(told)}, then: {rerun}"
    otherwise = _of_ssh(message, host) if unreachable else "fix what the message says"
    return f"{remedy(message, host, unreachable=unreachable) or otherwise}, then: {rerun}"


def _of_ssh(message: str, host: str) -> str:
    """What helps against what ssh says, as preflight knows it; else what to look at."""
    found = diagnose(message, reached=False, address=host, user="its login")
    return found.action if found.specific else _UNREACHABLE_ELSE.format(host=host)


def remedy(message: str, host: str, *, unreachable: bool = False) -> str:
    """Return what is known to help against what a message says, or ""."""
    rules = _UNREACHABLE if unreachable else _FAILED
    actions = (rule.action for rule in rules if rule.pattern.search(message))
    return next(actions, "").format(host=host)


def rerun_command(
    playbook: str, limit: str, inventories: Sequence[str], tags: Sequence[str]
) -> str:
    """Return the command that repeats a run, ready to be pasted into a shell.

    Args:
        playbook: What was run.
        limit: A node, or what ``--limit`` was; "" for all nodes.
        inventories: Those of the command line.
        tags: Those of the command line.
    """
    words_ = ["ansible-playbook"]
    for inventory in inventories:
        words_ += ["-i", inventory]
    words_ += [playbook, *(["--limit", limit] if limit else [])]
    if tags:
        words_ += ["--tags", ",".join(tags)]
    return shlex.join(words_)


def message_of(result: Mapping[str, Any]) -> str:
    """Return what a task's result says went wrong, all of it.

    A loop's own message ("One or more items failed") says nothing, so the first failed item's is
    taken. A result that ``no_log`` hides stays hidden: Ansible has removed everything but that.
    """
    items = result.get("results")
    if isinstance(items, list):
        bad = [item for item in items if isinstance(item, Mapping) and item.get("failed")]
        if bad:
            return message_of(bad[0])
    message = str(result.get("msg") or "")
    if message and not message.startswith(_SAYS_NOTHING):
        return message
    for key, line in (("stderr", -1), ("module_stderr", 0), ("stdout", -1), ("module_stdout", -1)):
        detail = str(result.get(key) or "").strip().splitlines()
        if detail:
            # A traceback's last line is the error; a shell's first line is ("command not found").
            told = detail[-1 if detail[0].startswith("Traceback") else line]
            return f"{message}: {told}" if message else told
    return message or str(result.get("censored") or "the task failed without a message")


def failure(
    *,
    host: str,
    stage: str,
    playbook: str,
    play: str,
    task: str,
    message: str,
    unreachable: bool,
    every_host: bool,
    rerun: str,
    time: str,
) -> dict[str, Any]:
    """Return one entry of ``failures.json`` (``schemas/failures.schema.json``)."""
    return {
        "host": host,
        "stage": stage,
        "playbook": playbook,
        "play": play,
        "task": task,
        "message": formatting.one_line(message, 400),
        "unreachable": unreachable,
        "every_host": every_host,
        "action": next_action(message, host, unreachable=unreachable, rerun=rerun),
        "time": time,
    }
