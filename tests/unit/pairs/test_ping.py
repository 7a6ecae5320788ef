"""What ping says, in the words of the versions that platforms have."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.pairs import ping

FIXTURES = Path(__file__).parent / "fixtures"


def output(name: str) -> str:
    return (FIXTURES / f"ping-{name}.txt").read_text()


@pytest.mark.parametrize("version", ["20210202", "20221126", "20240905"])
def test_all_answers(version: str) -> None:
    found = ping.parse(output(version))
    assert (found["sent"], found["received"], found["loss_percent"]) == (5, 5, 0)
    assert found["error"] == ""
    assert found["min_ms"] <= found["p50_ms"] <= found["p95_ms"] <= found["max_ms"]
    least, mean, most, _ = output(version).rsplit("= ", 1)[1].split("/")
    assert (found["min_ms"], found["max_ms"]) == (float(least), float(most))
    # ping counts microseconds and cuts.
    assert found["mean_ms"] == pytest.approx(float(mean), abs=0.001)


def test_quantiles_interpolate() -> None:
    found = ping.parse(output("20210202"))
    # 0.043 0.043 0.045 0.046 0.304: the 95th percentile is four fifths of the last step.
    assert found["p50_ms"] == 0.045
    assert found["p95_ms"] == pytest.approx(0.046 + 0.8 * (0.304 - 0.046))


def test_loss() -> None:
    found = ping.parse(output("20221126-loss"))
    assert (found["sent"], found["received"]) == (24, 20)
    assert found["loss_percent"] == pytest.approx(100 * 4 / 24)


def test_silence_is_a_loss_without_times() -> None:
    found = ping.parse(output("20221126-silent"))
    assert (found["loss_percent"], found["error"]) == (100, "")
    assert found["p50_ms"] is None


def test_unreachable_host() -> None:
    found = ping.parse(output("20221126-unreachable"))
    assert (found["loss_percent"], found["received"]) == (100, 0)


def test_answer_that_comes_twice_counts_once() -> None:
    text = (
        "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.100 ms\n"
        "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=9.000 ms (DUP!)\n"
        "2 packets transmitted, 1 received, +1 duplicates, 50% packet loss, time 10ms\n"
    )
    found = ping.parse(text)
    assert (found["loss_percent"], found["max_ms"], found["p95_ms"]) == (50, 0.1, 0.1)


@pytest.mark.parametrize(
    ("text", "stderr", "told"),
    [
        ("", "ping: connect: Network is unreachable\n", "Network is unreachable"),
        ("", "ping: No such file or directory", "No such file"),
        ("", "", "no summary"),
        ("0 packets transmitted, 0 received, 100% packet loss", "", "no summary"),
    ],
)
def test_what_did_not_run_has_no_loss(text: str, stderr: str, told: str) -> None:
    found = ping.parse(text, stderr)
    assert found["loss_percent"] is None
    assert told in found["error"]


def test_command_ends_by_itself_before_its_time_limit() -> None:
    words = ping.command("10.0.0.2", "10.0.0.1", 200)
    assert words[-3:] == ["-I", "10.0.0.1", "10.0.0.2"]
    deadline = int(words[words.index("-w") + 1])
    assert 200 * ping.INTERVAL_S < deadline < ping.timeout_s(200)
