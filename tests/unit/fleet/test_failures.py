"""What a failed task means: the message that says it, and the next action."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import failures


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("ssh: connect to host 10.0.0.3 port 22: No route to host", "check the power"),
        ("ssh: connect to host 10.0.0.3 port 22: Connection timed out", "check the power"),
        ("ssh: connect to host 10.0.0.3 port 22: Connection refused", "no SSH there"),
        ("n1: Permission denied (publickey).", "refuses the key"),
        ("Could not resolve hostname n1: Name or service not known", "ansible_host of n1"),
        ("Host key verification failed.", "compare the fingerprint"),
        (
            "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nPermission denied",
            "compare the fingerprint",
        ),
        # As preflight knows it, not "check the power".
        ("kex_exchange_identification: read: Connection reset by peer", "journalctl"),
        ("System is booting up. … see pam_nologin(8).", "wait"),
        ("Connection timed out during banner exchange", "restart sshd"),
        ("Unable to negotiate with 10.0.0.3 port 22: no matching cipher found.", "update OpenSSH"),
        ("channel 0: open failed: administratively prohibited: open failed", "AllowTcpForwarding"),
        ("words that nobody knows", "check the power"),
    ],
)
def test_unreachable(message: str, told: str) -> None:
    assert told in failures.next_action(message, "n1", unreachable=True, rerun="again")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by 812", "wait"),
        ("apt-get: waiting for process with pid 812 to finish", "wait"),
        ("OSError: [Errno 28] No space left on device: '/opt/x'", "free space on n1"),
        ("At least 120MB more space needed; disk: not enough free space", "free space on n1"),
        ("Missing sudo password", "--ask-become-pass"),
        ("sudo: a password is required", "--ask-become-pass"),
        ("Failed to fetch http://deb.test/x.deb", "DNS, route and proxy"),
        ("Temporary failure resolving 'deb.test'", "DNS, route and proxy"),
        ("deserialization failed: /bin/sh: 1: python3.13: not found", "no usable Python on n1"),
        ("pyenv: python3.13: command not found", "no usable Python on n1"),
        ("sshd -t: bad option", "fix what the message says, then: again"),
    ],
)
def test_failed(message: str, told: str) -> None:
    assert told in failures.next_action(message, "n1", unreachable=False, rerun="again")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"msg": "no such user"}, "no such user"),
        ({"msg": "non-zero return code", "stderr": "a\nbad option"}, "bad option"),
        ({"msg": "non-zero return code", "stdout": "only here\n"}, "only here"),
        (
            {"msg": "MODULE FAILURE", "module_stderr": "Traceback (most recent):\nKeyError: 'x'"},
            "KeyError: 'x'",
        ),
        (
            {
                "msg": "Module result deserialization failed: No start of json char found",
                "module_stderr": "sh: python3: not found\nsee the manual",
            },
            "sh: python3: not found",
        ),
        ({"stderr": "alone"}, "alone"),
        (
            {
                "msg": "One or more items failed",
                "results": [{"msg": "fine"}, {"failed": True, "msg": "item 2 is bad"}],
            },
            "item 2 is bad",
        ),
        ({"censored": "the output has been hidden"}, "the output has been hidden"),
        ({}, "the task failed without a message"),
    ],
)
def test_message(result: dict[str, Any], message: str) -> None:
    assert failures.message_of(result).endswith(message)


def test_an_action_that_the_message_brings_along_is_kept() -> None:
    message = "n1: sudo: refused -> fix sudoers\nn1: free /: 1 GiB -> free space"
    told = failures.next_action(message, "n1", unreachable=True, rerun="again")
    assert told == "fix sudoers; free space, then: again"


def test_rerun_command_can_be_pasted() -> None:
    command = failures.rerun_command("site.yml", "node01", ["my lab"], ["base", "ssh"])
    assert command == "ansible-playbook -i 'my lab' site.yml --limit node01 --tags base,ssh"
    # All nodes.
    assert failures.rerun_command("site.yml", "", [], []) == "ansible-playbook site.yml"
