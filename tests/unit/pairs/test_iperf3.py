"""What iperf3 says, in the words of the versions that platforms have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.pairs import iperf3

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = ("3.9", "3.12", "3.18")
# What each version says on stderr, beside its document.
REFUSED = {"3.9": "iperf3: error - unable to send control message: Bad file descriptor\n"}
BUSY = {"3.9": "iperf3: error - unable to send control message: Connection reset by peer\n"}


def document(version: str, what: str) -> str:
    return (FIXTURES / f"iperf3-{version}-{what}.json").read_text()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", ["forward", "reverse"])
def test_transfer(version: str, way: str) -> None:
    text = document(version, way)
    end = json.loads(text)["end"]
    found = iperf3.parse(text)
    assert found["error"] == ""
    assert found["gbps"] == end["sum_received"]["bits_per_second"] / 1e9
    assert 10 < found["gbps"] < 60
    assert found["bytes"] == end["sum_received"]["bytes"]
    assert found["retransmits"] == end["sum_sent"]["retransmits"]
    assert found["seconds"] == pytest.approx(1, abs=0.1)
    # On a loopback it is the sender that works hardest: here, or with --reverse at the other end.
    assert found["sender_cpu"] > found["receiver_cpu"]


@pytest.mark.parametrize("version", VERSIONS)
def test_refused_connection(version: str) -> None:
    found = iperf3.parse(document(version, "refused"), REFUSED.get(version, ""))
    assert found["gbps"] is None
    assert "Connection refused" in found["error"] or "Bad file descriptor" in found["error"]
    assert not found["error"].startswith("iperf3: error")
    assert not iperf3.is_busy(found)


@pytest.mark.parametrize("version", VERSIONS)
def test_busy_server(version: str) -> None:
    found = iperf3.parse(document(version, "busy"), BUSY.get(version, ""))
    assert found["gbps"] is None
    assert iperf3.is_busy(found)


def test_sums_beside_an_error_are_no_result() -> None:
    told = json.loads(document("3.12", "forward"))
    told["error"] = "the server has terminated"
    found = iperf3.parse(json.dumps(told))
    assert (found["gbps"], found["error"]) == (None, "the server has terminated")


@pytest.mark.parametrize("text", ["", "iperf3: command not found", "[]", "{}", '{"end": 3}'])
def test_no_document_is_no_zero(text: str) -> None:
    found = iperf3.parse(text)
    assert found["gbps"] is None
    assert found["error"]


def test_processes_add_up() -> None:
    one = iperf3.parse(document("3.12", "forward"))
    both = iperf3.together([one, one])
    assert both["gbps"] == 2 * one["gbps"]
    assert both["retransmits"] == 2 * one["retransmits"]
    assert both["sender_cpu"] == one["sender_cpu"]


def test_one_failed_process_spoils_the_sum() -> None:
    one = iperf3.parse(document("3.12", "forward"))
    both = iperf3.together([one, iperf3.failed("no route to host")])
    assert (both["gbps"], both["error"]) == (None, "no route to host")


def test_command() -> None:
    options = {"source": "10.0.0.1", "seconds": 3, "omit_s": 1, "streams": 4}
    words = iperf3.client_command("10.0.0.2", 5202, reverse=False, **options)
    assert " ".join(words).startswith("iperf3 --client 10.0.0.2 --port 5202 --bind 10.0.0.1 --json")
    assert "--reverse" not in words
    assert iperf3.client_command("10.0.0.2", 5202, reverse=True, **options)[-1] == "--reverse"
