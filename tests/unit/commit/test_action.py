"""The action: each try over a connection of its own, and what is told of the tries."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.gpulab.core.plugins.action import commit
from ansible_collections.gpulab.core.plugins.plugin_utils.commit.advice import next_action

WON = {"changed": False, "again": False, "proved": True}
LOST = {**WON, "failed": True, "msg": "nobody confirmed it within 30 s; the former state is back"}
OLD = {**WON, "again": True, "proved": False}


class Connection:
    """Counts how often it was closed, and remembers its options."""

    def __init__(self) -> None:
        """Start open."""
        self.resets, self.options = 0, {"timeout": 15}
        self.tried: list[int] = []

    def reset(self) -> None:
        self.resets += 1

    def has_option(self, name: str) -> bool:
        return name in self.options

    def get_option(self, name: str) -> int:
        return self.options[name]

    def set_option(self, name: str, value: int) -> None:
        self.options[name] = value
        self.tried.append(value)


class Action(commit.ActionModule):
    """The action on a node that answers as it is told."""

    def __init__(self, *answers: dict[str, Any] | str) -> None:
        """Answer so, one after the other; a text is a connection that fails."""
        self._connection, self._answers = Connection(), list(answers)

    def _execute_module(self, name: str, arguments: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert (name, arguments["state"]) == ("gpulab.core.commit", "confirmed")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, str):
            raise AnsibleConnectionFailure(answer)
        return answer


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only sleeping moves, and every try by five seconds."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def tick() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(commit.time, "sleep", sleep)
    monkeypatch.setattr(commit.time, "monotonic", tick)


def confirm(*answers: dict[str, Any] | str) -> tuple[dict[str, Any], Action]:
    action = Action(*answers)
    arguments = {"subject": "firewall", "state": "confirmed", "id": "cafe", "timeout_s": 30}
    return action._confirm(arguments, {}), action


def test_the_connection_is_closed_before_the_first_try() -> None:
    found, action = confirm(WON)
    assert action._connection.resets == 1
    assert action._connection.options["timeout"] == 5
    assert found["msg"].startswith("Reached over a new SSH connection after")


def test_an_old_connection_is_closed_and_another_one_tried() -> None:
    found, action = confirm(OLD, OLD, WON)
    assert action._connection.resets == 3
    assert "failed" not in found


def test_a_way_in_that_comes_back_too_late_is_told_in_seconds() -> None:
    found, _ = confirm("Connection timed out", "Connection timed out", LOST)
    assert found["failed"]
    assert "the former state is back. No new connection could be opened for" in found["msg"]
    assert "(Connection timed out), and now one can." in found["msg"]
    assert "-> correct lab_zones or lab_flows" in found["msg"]


def test_a_plugin_that_keeps_its_connection_is_told() -> None:
    found, _ = confirm(OLD, OLD, LOST)
    assert "2 connections were refused because they were older than the change" in found["msg"]


def test_a_connection_that_is_not_ssh_proves_nothing() -> None:
    found, _ = confirm({**WON, "proved": False})
    assert "proves nothing about the way in by SSH" in found["msg"]


def test_a_node_that_has_gone_back_may_take_its_time_to_answer() -> None:
    """An emulated one's sshd took more than five seconds; there is no hurry any more."""
    found, action = confirm(*["Connection timed out"] * 20, LOST)
    tried = action._connection.tried
    assert tried == sorted(tried)
    assert {tried[0], tried[-1]} == {5, 15}
    assert "and now one can" in found["msg"]


def test_a_node_that_never_comes_back_is_unreachable() -> None:
    with pytest.raises(AnsibleConnectionFailure, match="`gpulab-rollback status` at its console"):
        confirm("No route to host")


DISCONNECTED = "Received disconnect from 10.0.0.2 port 22:2: "
NEGOTIATE = "Unable to negotiate with 10.0.0.2 port 22: "
UNKNOWN = "No ED25519 host key is known for 10.0.0.2 and you have requested strict checking.\r\n"


# What ssh of OpenSSH 9.2 and 10.0 prints.
@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (f"{DISCONNECTED}Too many authentication failures", "ssh-add -l"),
        (f"{UNKNOWN}Host key verification failed.", "known_hosts"),
        (
            f"{NEGOTIATE}no matching host key type found. Their offer: ssh-ed25519",
            "ssh_algorithms.hostkeyalgorithms",
        ),
        (f"{NEGOTIATE}no matching key exchange method found. Their offer: x", "ssh -Q"),
        (f"{NEGOTIATE}no matching cipher found. Their offer: x", "ssh -Q"),
        ("ops@10.0.0.2: Permission denied (publickey).", "ssh_allow_users"),
        ("ssh: connect to host 10.0.0.2 port 22: Connection refused", "ssh_ports"),
        ("ssh: connect to host 10.0.0.2 port 22: Connection timed out", "ssh_ports"),
        ("", "journal"),
        ("kex_exchange_identification: read: Connection reset by peer", "journal"),
    ],
)
def test_what_helps_after_a_change_of_the_ssh_server(error: str, helps: str) -> None:
    assert helps in next_action("ssh", error)


def test_a_firewall_and_a_network_are_corrected_where_they_are_declared() -> None:
    assert "lab_flows" in next_action("firewall", "Connection refused")
    assert "node_interfaces" in next_action("network", "Permission denied")
