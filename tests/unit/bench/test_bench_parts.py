"""Small pure functions: ratings, scores, rates, /proc, fio, NCCL."""

from __future__ import annotations

import errno
import json
import os
import queue
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gpulab_bench import counters, fio, nccl, ratings, reliability
from gpulab_bench.context import DiskError
from gpulab_bench.scores import macro
from gpulab_bench.stages import inference
from gpulab_bench.stages.disk import nameless_file, size_for
from gpulab_bench.stages.inference import Request, gather, summarise
from gpulab_bench.stats import median_interval
from gpulab_bench.telemetry import Window


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[5, 4, 3.5]", [5, 4, 3.5]),
        ("5\n4\n\n3.5\n", [5, 4, 3.5]),
        ("\ufeffrating\n5\n4\n", [5, 4]),
        ('who,Rating,remark\nann,5,good\nbob,1,"slow, loud"\n', [5, 1]),
    ],
)
def test_ratings(text: str, expected: list[float], tmp_path: Path) -> None:
    file = tmp_path / "ratings"
    file.write_text(text, encoding="utf-8")
    assert ratings.parse(file) == expected
    section = ratings.summarise(expected)
    assert section == {"satisfaction": sum(expected) / len(expected), "ratings": len(expected)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it holds no ratings"),
        ("rating\n", "it holds no ratings"),
        ("[]", "it holds no ratings"),
        ("[5, 6]", "entry 2: 6 must be a number from 1 to 5"),
        ("[0]", "entry 1: 0 must be"),
        ("[true]", "entry 1: True must be"),
        ('["good"]', "entry 1: 'good' must be"),
        ("[NaN]", "entry 1: nan must be"),
        ("[5", "it is not JSON"),
        ('{"rating": 5}', "it must be an array"),
        ("5\nfive\n", "line 2: 'five' must be"),
        ("who,remark\nann,good\n", "need a header with a column 'rating'"),
        ("rating,who\n5,ann\n,bob\n", "line 3: '' must be"),
    ],
)
def test_ratings_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "ratings"
    file.write_text(text)
    with pytest.raises(ratings.RatingsError, match=message.replace("(", r"\(")) as caught:
        ratings.parse(file)
    assert str(file) in str(caught.value)


def test_a_ratings_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ratings.RatingsError, match="cannot be read"):
        ratings.parse(tmp_path / "nothing.csv")


def test_macro_scores_as_scikit_learn_gives_them() -> None:
    """Due 0 0 1 2, answered 0 1 1 3; the classes are 0 to 3, and 4 occurs nowhere.

    Precision 1, 1/2, 0, 0; recall 1/2, 1, 0, 0; F1 2/3, 2/3, 0, 0.
    """
    right, answered, due = [1, 1, 0, 0, 0], [1, 2, 0, 1, 0], [2, 1, 1, 0, 0]
    assert macro(right, answered, due) == pytest.approx((1.5 / 4, 1.5 / 4, (4 / 3) / 4))


def test_macro_of_right_and_of_no_answers() -> None:
    assert macro([3, 3], [3, 3], [3, 3]) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="no class occurs"):
        macro([0], [0], [0])


def one_launch(ended: str, returncode: int | None = 0, tail: str = "") -> reliability.Launch:
    return reliability.launch(
        "single", ["train"], ended, stage=None, returncode=returncode, seconds=1.0, tail=tail
    )


def test_rates() -> None:
    launches = [one_launch(ended) for ended in ("crashed", "failed", "hung", "done", "stopped")]
    found = reliability.summarise(launches, 2, operations=200, errors=3)
    assert (found["attempted"], found["failed"], found["crash_rate"]) == (5, 3, 0.6)
    assert (found["restarts"], found["error_rate"]) == (2, 0.015)


def test_rates_of_nothing_are_null() -> None:
    found = reliability.summarise([], 0, operations=0, errors=0)
    assert (found["crash_rate"], found["error_rate"]) == (None, None)


def test_operations_are_steps_and_requests() -> None:
    results: dict[str, Any] = {
        "train": {"data": {"training": {"steps_done": 150, "nonfinite_steps": 1}}},
        "inference": {"data": {"loads": [{"requests": 20, "failed": 2}]}},
    }
    assert reliability.operations(results) == (170, 3)
    assert reliability.operations({"train": {"data": None}}) == (0, 0)


@pytest.mark.parametrize(
    ("returncode", "tail", "signal"),
    [
        (0, "", None),
        (-9, "", "SIGKILL"),
        (-50, "", "signal 50"),
        (None, "", None),
        (1, "  traceback : Signal 9 (SIGKILL) received by PID 4711\n====", "SIGKILL"),
        (1, "ValueError: surprise", None),
    ],
)
def test_what_ended_a_launch(returncode: int | None, tail: str, signal: str | None) -> None:
    assert one_launch("crashed", returncode, tail)["signal"] == signal


MEMINFO = "MemTotal:       16384 kB\nMemFree:  1000 kB\nMemAvailable:   12288 kB\nHugePages: 0\n"
DISKSTATS = """\
   8       0 sda 100 0 2000 10 50 0 4000 20 0 30 30
   8       1 sda1 90 0 1900 10 50 0 4000 20 0 30 30
 253       0 dm-0 100 0 2000 10 50 0 4000 20 0 30 30
 259       0 nvme0n1 1 0 8 0 1 0 16 0 0 0 0 0 0 0 0 0 0
"""
NETDEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:  999       1    0    0    0     0          0         0      999       1    0    0
  eth0: 5000      10    0    0    0     0          0         0     7000      12    0    0
  ib0:6000 10 0 0 0 0 0 0 8000 12 0 0
"""


def test_counters_of_the_machine() -> None:
    assert counters.parse_memory(MEMINFO) == (16384 * 1024, 4096 * 1024)
    assert counters.parse_memory("MemTotal: 1 kB\n") is None
    disks = counters.physical_disks(["sda", "dm-0", "nvme0n1", "loop0", "md127"])
    assert disks == {"sda", "nvme0n1"}
    # A partition or a volume on top of a disk is not counted again.
    assert counters.parse_disks(DISKSTATS, disks) == {
        "sda": (2000 * 512, 4000 * 512),
        "nvme0n1": (8 * 512, 16 * 512),
    }
    assert counters.parse_network(NETDEV) == {"eth0": (5000, 7000), "ib0": (6000, 8000)}


def test_interfaces_come_and_go_with_containers() -> None:
    before = {"eth0": (100, 100), "veth1": (5000, 5000), "veth2": (900, 900)}
    after = {"eth0": (150, 110), "veth2": (30, 40), "veth3": (7, 8)}
    # eth0 grew by 50 and 10, veth2 was made again, veth3 is new, veth1 has gone.
    assert counters.grown(before, after) == (87, 58)


def test_usage_is_what_was_added_since(tmp_path: Path) -> None:
    for folder in ("proc/net", "sys/block/sda"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/diskstats").write_text(DISKSTATS)
    (tmp_path / "proc/net/dev").write_text(NETDEV)
    usage = counters.Usage(str(tmp_path))
    (tmp_path / "proc/meminfo").write_text(MEMINFO.replace("12288", "8192"))
    usage.observe()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/diskstats").write_text(DISKSTATS.replace("0 2000 10", "0 2100 10"))
    (tmp_path / "proc/net/dev").write_text(NETDEV.replace(" 7000 ", " 7500 "))
    found = usage.summarise()
    assert found["host_memory"] == {"total_bytes": 16384 * 1024, "used_max_bytes": 8192 * 1024}
    assert found["disk"] == {"read_bytes": 100 * 512, "written_bytes": 0}
    assert found["network"] == {"received_bytes": 0, "sent_bytes": 500}


def reading(at: float, read: int, sent: int) -> counters.Reading:
    return counters.Reading(at, {"sda": (read, 0)}, {"eth0": (0, sent)})


def test_what_a_training_moves_is_told_apart_from_the_rest() -> None:
    """The disk's own stage reads a thousand times as much a second later; that is no training."""
    readings = [
        reading(9.9, 0, 0),
        reading(10.1, 100, 10),
        reading(12.1, 300, 50),
        reading(12.3, 900_000, 60),
    ]
    window = Window("train", 10.0, 12.2, ("cpu",))
    assert counters.growth(readings, [window]) == {
        "seconds": pytest.approx(2.0),
        "disk": {"read_bytes": 200, "written_bytes": 0},
        "network": {"received_bytes": 0, "sent_bytes": 40},
    }
    # Two trainings, of the task and for speed, are added up.
    again = [*readings, reading(20.0, 0, 60), reading(21.0, 7, 61)]
    found = counters.growth(again, [window, Window("train", 20.0, 21.0, ("cpu",))])
    assert found is not None
    assert (found["seconds"], found["disk"]["read_bytes"]) == (pytest.approx(3.0), 207)


def test_a_window_without_two_readings_is_not_known() -> None:
    readings = [reading(10.0, 0, 0), reading(10.2, 5, 5)]
    assert counters.growth(readings, []) is None
    assert counters.growth(readings, [Window("train", 10.1, 10.3, ())]) is None
    lost = [readings[0]._replace(disk=None), readings[1]]
    found = counters.growth(lost, [Window("train", 9.0, 11.0, ())])
    assert found is not None
    assert (found["disk"], found["network"]) == (None, {"received_bytes": 0, "sent_bytes": 5})


def test_a_bond_is_not_counted_beside_its_cards_and_rdma_counts(tmp_path: Path) -> None:
    ports = tmp_path / "sys/class/infiniband/mlx5_0/ports/1/counters"
    for folder in ("proc/net", "sys/block", "sys/class/net/bond0"):
        (tmp_path / folder).mkdir(parents=True)
    for card, kind in (("eth0", "1"), ("eth1", "1"), ("ib0", "32")):
        (tmp_path / f"sys/class/net/{card}/device").mkdir(parents=True)
        (tmp_path / f"sys/class/net/{card}/type").write_text(f"{kind}\n")
    ports.mkdir(parents=True)

    def set_counters(sent: int, words: int) -> None:
        lines = [
            f"{name}: 0 0 0 0 0 0 0 0 {sent * share} 0"
            for name, share in (("bond0", 2), ("eth0", 1), ("eth1", 1), ("ib0", 1))
        ]
        (tmp_path / "proc/net/dev").write_text("\n".join(["head", "head", *lines]))
        (ports / "port_rcv_data").write_text("0\n")
        (ports / "port_xmit_data").write_text(f"{words}\n")

    set_counters(0, 0)
    usage = counters.Usage(str(tmp_path))
    set_counters(1000, 50)
    # Both cards, and the port's words of four bytes; not the bond, nor what IPoIB sent by the port.
    assert usage.summarise()["network"] == {"received_bytes": 0, "sent_bytes": 2000 + 200}
    usage.observe()
    windows = usage.during([Window("ddp", 0.0, time.monotonic(), ())])
    assert windows["train"] is None
    assert windows["ddp"]["network"] == {"received_bytes": 0, "sent_bytes": 2200}


def test_usage_that_cannot_be_read_is_null(tmp_path: Path) -> None:
    found = counters.Usage(str(tmp_path)).summarise()
    assert (found["host_memory"], found["disk"], found["network"]) == (None, None, None)


def fio_output(direction: str, rate: object) -> str:
    idle = {"bw_bytes": 0}
    job = {"jobname": "gpulab", "read": dict(idle), "write": dict(idle)}
    job[direction] = {"io_bytes": 1, "bw_bytes": rate, "bw": 1}
    return (
        f"fio: this platform does not support process shared mutexes\n{json.dumps({'jobs': [job]})}"
    )


def test_fio_tells_bytes_per_second() -> None:
    assert fio.parse_fio(fio_output("write", 1_572_864_000), "write") == 1572.864


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks jobs"),
        ("{", "lacks jobs"),
        ('{"jobs": []}', "lacks jobs"),
        ('{"jobs": [{"read": 5}]}', "lacks jobs"),
        (fio_output("write", 1), "moved nothing in the direction read"),
        (fio_output("read", None), "moved nothing"),
    ],
)
def test_fio_that_tells_nothing(text: str, message: str) -> None:
    with pytest.raises(fio.FioError, match=message):
        fio.parse_fio(text, "read")


def test_fio_goes_past_the_page_cache_and_stays_within_its_bounds() -> None:
    argv = fio.fio_command("fio", "/proc/1/fd/3", 1024**3, 2.0, "write")
    assert {"--direct=1", "--size=1073741824", "--runtime=2", "--rw=write"} < set(argv)


NCCL_LOG = """\
gpu01:4711:4801 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB [RO]; OOB eth0:10.0.0.1
gpu01:4711:4801 [0] NCCL INFO Channel 00/16 : 0 1 2 3
gpu01:4711:4801 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA
gpu01:4711:4801 [0] NCCL INFO Channel 01/0 : 0[0] -> 8[0] [send] via NET/IB/1/GDRDMA
gpu01:4711:4801 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read
gpu01:4711:4801 [0] NCCL INFO Channel 00 : 0[1b000] -> 1[1c000] via SHM/direct/direct
"""


def test_the_ways_that_nccl_took() -> None:
    assert nccl.transports(NCCL_LOG.splitlines()) == ["NET/IB", "P2P", "SHM"]


def test_sockets_are_told_apart_although_infiniband_is_named() -> None:
    """NCCL names the adapters that it found even where it then does not use them."""
    log = NCCL_LOG.replace("via NET/IB/0/GDRDMA", "via NET/Socket/0").replace(
        "via NET/IB/1/GDRDMA", "via NET/Socket/0"
    )
    assert nccl.transports(log.splitlines()) == ["NET/Socket", "P2P", "SHM"]


def test_nccls_files_are_read_from_the_runs_folder(tmp_path: Path) -> None:
    assert nccl.read_transports(tmp_path) == []
    (tmp_path / "nccl.gpu01.4711.log").write_text(NCCL_LOG)
    assert nccl.read_transports(tmp_path) == ["NET/IB", "P2P", "SHM"]
    assert nccl.debug_environment(tmp_path)["NCCL_DEBUG_FILE"].startswith(str(tmp_path))


def test_response_times() -> None:
    found = summarise(8, [0.010, 0.020, 0.030], failed=1, seconds=0.5)
    assert (found["requests"], found["failed"], found["requests_per_s"]) == (4, 1, 6.0)
    assert found["response_ms"]["mean"] == pytest.approx(20)
    assert found["response_ms"]["p50"] == pytest.approx(20)
    assert found["response_ms"]["p99"] == pytest.approx(29.8)


def test_the_rate_is_that_of_the_median_round() -> None:
    """A pause of a second in one round of ten moves the mean, and neither rate nor interval."""
    ends = [0.01 * (n + 1) + (1.0 if n >= 20 else 0.0) for n in range(80)]
    found = summarise(8, [0.01] * 80, failed=0, seconds=1.8, ends_s=ends)
    assert (found["rounds"], found["round_requests"]) == (10, 8)
    assert found["requests_per_s"] == pytest.approx(100)
    assert found["requests_per_s_95"] == pytest.approx([100, 100])
    assert found["response_ms_95"] == pytest.approx([10, 10])


def test_few_rounds_have_no_interval() -> None:
    found = summarise(1, [0.01] * 40, 0, 0.4, [0.01 * (n + 1) for n in range(40)])
    assert (found["rounds"], found["requests_per_s_95"]) == (5, None)


@pytest.mark.parametrize(
    ("n", "interval"),
    # Ranks as tables of the sign test's interval have them: of 10 values the 2nd to the 9th.
    [(5, None), (6, [1, 6]), (9, [2, 8]), (10, [2, 9]), (20, [6, 15]), (100, [40, 61])],
)
def test_the_interval_of_a_median(n: int, interval: list[int] | None) -> None:
    assert median_interval([float(n - rank) for rank in range(n)]) == interval


def test_a_batch_waits_for_all_clients_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: queue.Queue[Any] = queue.Queue()
    prompt: Any = None  # there is no server that would look at it
    first, second = Request(prompt), Request(prompt)
    monkeypatch.setattr(inference, "QUEUE_DELAY_S", 30.0)
    waiting.put(first)
    threading.Timer(0.05, waiting.put, [second]).start()
    assert gather(waiting, 2) == [first, second]
    monkeypatch.setattr(inference, "QUEUE_DELAY_S", 0.001)
    waiting.put(first)
    assert gather(waiting, 8) == [first]
    waiting.put(None)
    assert gather(waiting, 8) == [None]


def test_no_answers_have_no_response_time() -> None:
    assert summarise(1, [], failed=4, seconds=0.5)["response_ms"] is None


def test_the_disks_file_is_bounded_and_has_no_name(tmp_path: Path) -> None:
    assert size_for(10**15) == 1024**3
    assert size_for(100 * 1024**2) == 10 * 1024**2
    with pytest.raises(DiskError, match="bytes are free"):
        size_for(1000)
    with nameless_file(tmp_path) as (file, _):
        assert file > 0
        assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_nameless_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = os.open

    def without(path: Any, flags: int, mode: int = 0o777) -> int:  # noqa: ANN401  as os.open's
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return honest(path, flags, mode)

    monkeypatch.setattr(os, "open", without)
    with nameless_file(tmp_path) as (file, _):
        assert os.write(file, b"") == 0
        assert list(tmp_path.iterdir()) == []
