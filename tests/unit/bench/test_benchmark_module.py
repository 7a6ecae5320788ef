"""The module and the action benchmark, against interpreters that are small scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
from benchmark_actions import Run, hostvars, runner

from ansible_collections.gpulab.core.plugins.action import benchmark as action
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import ProbeError, Tree
from ansible_collections.gpulab.core.plugins.modules import benchmark
from ansible_collections.gpulab.core.plugins.plugin_utils.labs import lab
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records

FakePython = Callable[[str], str]

H100 = {"bdf": "0000:3b:00.0", "slot": "3", "name": "H100 SXM5 80GB", "vendor_id": "0x10de"}


@pytest.fixture
def bench(tmp_path: Path) -> str:
    path = tmp_path / "gpulab_bench.pyz"
    path.write_text("packed")
    return str(path)


@pytest.fixture
def run(
    bench: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    monkeypatch.setattr(benchmark, "nvidia_gpus_on_bus", list)
    monkeypatch.setenv(paths.REPORTS_VARIABLE, str(tmp_path / "reports"))
    return runner(action.ActionModule, benchmark, capsys, bench=bench)


def printing(document: dict[str, Any], status: int = 0) -> str:
    return f"import sys\nsys.stdout.write({json.dumps(document)!r})\nsys.exit({status})"


def test_a_healthy_run(run: Run, fake_python: FakePython, cpu_document: dict[str, Any]) -> None:
    answer = run(python=fake_python(printing(cpu_document)))
    assert answer["verdict"] == "pass"
    assert answer["changed"] is False
    assert answer["profile"] == "smoke"
    assert answer["result"] == cpu_document
    assert len(answer["checks"]) == 12


def test_the_benchmark_is_called_as_documented(
    run: Run, fake_python: FakePython, bench: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    program = fake_python("import os, sys; sys.exit(f'{sys.argv[1:]} {sorted(os.environ)}')")
    answer = run(python=program, device="cuda", seed=7, timeout_s=100, threads=2)
    expected = ["-I", bench, "--json", "-", "--profile", "smoke", "--preset", "auto"]
    expected += ["--device", "cuda", "--disk-folder", "/var/tmp"]  # noqa: S108  the default
    expected += ["--seed", "7", "--budget-s", "90.0"]
    assert str(expected) in answer["stderr_tail"]
    assert "OMP_NUM_THREADS" in answer["stderr_tail"]
    assert "PYTHONPATH" not in answer["stderr_tail"]


def test_profile_stages_and_ratings_reach_the_benchmark(
    run: Run, fake_python: FakePython, tmp_path: Path
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("5\n4\n")
    program = fake_python("import sys; sys.exit(f'{sys.argv[1:]}')")
    answer = run(python=program, profile="quick", stages=["train", "disk"], ratings=str(ratings))
    said = answer["stderr_tail"]
    assert "'--profile', 'quick'" in said
    assert f"'--stages', 'train,disk', '--ratings', '{ratings}'" in said
    # 120 s by default, of which the benchmark may use nine tenths.
    assert "'--budget-s', '108.0'" in said


def test_gpus_are_judged_under_load_by_the_nodes_spec(
    run: Run,
    fake_python: FakePython,
    gpu_document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(benchmark, "nvidia_gpus_on_bus", lambda: [H100])
    program = fake_python(printing(gpu_document))
    specs = {"h100": {"gpu": {"count": 1}}}
    h100 = {"node_hardware_spec": "h100", "lab_hardware_specs": specs}
    answer = run(h100, python=program)
    # Nothing was sampled in this document, which is no pass.
    load = {one["id"]: one["status"] for one in answer["checks"] if one["id"].startswith("gpu.")}
    assert load["gpu.throttle"] == load["gpu.link_load"] == "unknown"
    measured_only = run(python=program)
    assert not [one for one in measured_only["checks"] if one["id"].startswith("gpu.")]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What trainings depend on; a test may change it."""
    found = {"kernel": "6.1.0"}
    monkeypatch.setattr(benchmark, "depends_on", lambda _params: dict(found))
    return found


def keep(answer: dict[str, Any], run_id: str = "run1") -> records.Record:
    """Write node01's record of a training."""
    record = records.new(run_id, {"name": "node01", "groups": ["compute"]})
    records.add_benchmark(record, answer)
    records.save(record, paths.reports_dir(lab.of(hostvars()).folder) / run_id)
    return record


class TestEarlierTraining:
    """Limits of today judge what was measured then, without another training."""

    @pytest.fixture
    def trains(self, tmp_path: Path) -> Path:
        """A file with a line for each training that took place."""
        return tmp_path / "trains"

    @pytest.fixture
    def program(self, fake_python: FakePython, cpu_document: dict[str, Any], trains: Path) -> str:
        cpu_document["evaluation"]["exact_match"] = 0.93
        count = f"open({str(trains)!r}, 'a').write('x')\n"
        return fake_python(count + printing(cpu_document))

    def test_one_that_passed_is_not_repeated(
        self, run: Run, program: str, trains: Path, known: dict[str, str]
    ) -> None:
        first = run(python=program)
        assert first["fingerprint"] == known
        kept = keep(first)
        again = run(python=program, valid_h=1)
        assert trains.read_text() == "x"
        assert again["training"] == kept["training"]
        for what in ("verdict", "checks", "metrics", "result", "durations_s"):
            assert again[what] == first[what]

    def test_where_something_changed_it_trains(
        self, run: Run, program: str, trains: Path, known: dict[str, str]
    ) -> None:
        keep(run(python=program))
        known["kernel"] = "6.1.1"
        assert "training" not in run(python=program, valid_h=1)
        assert trains.read_text() == "xx"

    @pytest.mark.usefixtures("known")
    def test_a_stricter_limit_fails_what_was_measured_then(
        self, run: Run, program: str, trains: Path
    ) -> None:
        keep(run(python=program))
        again = run(python=program, valid_h=1, limits={"exact_match_min": 0.95})
        assert again["verdict"] == "fail"
        assert trains.read_text() == "x"

    @pytest.mark.usefixtures("known")
    def test_a_looser_limit_passes_what_failed_then(
        self, run: Run, program: str, trains: Path
    ) -> None:
        failed = run(python=program, limits={"exact_match_min": 0.95})
        assert failed["verdict"] == "fail"
        keep(failed)
        assert run(python=program, valid_h=1)["verdict"] == "pass"
        assert trains.read_text() == "x"

    @pytest.mark.usefixtures("known")
    def test_what_fails_by_both_is_trained_again(
        self, run: Run, program: str, trains: Path
    ) -> None:
        strict = {"exact_match_min": 0.95}
        keep(run(python=program, limits=strict))
        assert run(python=program, valid_h=1, limits=strict)["verdict"] == "fail"
        assert trains.read_text() == "xx"


def test_a_training_depends_on_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "fingerprint", lambda *words: words[-1])
    params = dict.fromkeys(benchmark.ASKED) | {"python": "p", "bench": "b", "ratings": None}
    assert benchmark.depends_on(params) != benchmark.depends_on({**params, "seed": 7})


def test_what_is_not_known_stands_for_nothing(
    run: Run,
    fake_python: FakePython,
    cpu_document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(benchmark, "depends_on", lambda _params: {})
    assert run(python=fake_python(printing(cpu_document)))["fingerprint"] == {}


def test_checks_can_be_set_one_by_one(
    run: Run, fake_python: FakePython, cpu_document: dict[str, Any]
) -> None:
    cpu_document["evaluation"]["exact_match"] = 0.93
    program = fake_python(printing(cpu_document))
    assert run(python=program)["verdict"] == "pass"
    answer = run(python=program, limits={"exact_match_min": 0.95})
    assert answer["verdict"] == "fail"
    assert [check["id"] for check in answer["checks"] if check["status"] == "fail"] == [
        "benchmark.exact_match"
    ]


def test_a_gpu_on_the_bus_that_was_not_used(
    run: Run,
    fake_python: FakePython,
    cpu_document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(benchmark, "nvidia_gpus_on_bus", lambda: [H100])
    answer = run(python=fake_python(printing(cpu_document)))
    assert answer["verdict"] == "fail"
    failed = next(check for check in answer["checks"] if check["id"] == "benchmark.device")
    assert failed["status"] == "fail"
    assert "0000:3b:00.0" in failed["evidence"]


def test_a_missing_interpreter(run: Run, tmp_path: Path) -> None:
    answer = run(python=str(tmp_path / "nowhere"))
    assert answer["verdict"] == "fail"
    assert "--tags frameworks" in answer["checks"][0]["action"]
    assert answer["result"] is None


def test_a_missing_pytorch(run: Run, fake_python: FakePython, cpu_document: dict[str, Any]) -> None:
    cpu_document.update(
        partial=True,
        environment=None,
        device=None,
        training=None,
        evaluation=None,
        memory=None,
        error={"kind": "framework", "message": "ModuleNotFoundError: No module named 'torch'"},
    )
    answer = run(python=fake_python(printing(cpu_document, 3)))
    assert answer["verdict"] == "fail"
    assert answer["checks"][0]["part"]["kind"] == "framework"
    assert "No module named 'torch'" in answer["checks"][0]["evidence"]


def test_a_run_that_hangs(run: Run, fake_python: FakePython) -> None:
    program = fake_python(
        "import sys, time; print('importing', file=sys.stderr, flush=True); time.sleep(60)"
    )
    answer = run(python=program, timeout_s=2)
    assert answer["verdict"] == "fail"
    assert answer["checks"][0]["observed"] == "timed out"
    assert answer["stderr_tail"] == "importing"
    assert answer["durations_s"]["total"] < 30


def test_a_run_that_is_killed(
    run: Run, fake_python: FakePython, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = iter([4, 5])
    monkeypatch.setattr(benchmark, "oom_kills", lambda: next(counter))
    program = fake_python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    answer = run(python=program)
    assert answer["checks"][0]["part"]["kind"] == "memory"
    assert "the kernel killed 1 for lack of memory" in answer["checks"][0]["evidence"]


def test_garbage_on_stdout(run: Run, fake_python: FakePython) -> None:
    answer = run(python=fake_python("print('{oops')"))
    assert answer["verdict"] == "fail"
    assert "not JSON" in answer["checks"][0]["evidence"]


def test_check_mode_skips_and_says_so(run: Run, tmp_path: Path) -> None:
    answer = run(python=str(tmp_path / "nowhere"), check=True)
    assert answer["skipped"] is True
    assert answer["verdict"] == "unknown"
    assert "nothing was trained" in answer["msg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bench": "/nowhere/bench.pyz"}, "bench: /nowhere/bench.pyz is not on the node"),
        ({"timeout_s": 0}, "timeout_s must be 1 or more, not 0"),
        ({"threads": -1}, "threads must be 1 or more, not -1"),
        ({"limits": {"speed_min": 1}}, "speed_min"),
        ({"device": "tpu"}, "device"),
        ({"ratings": "/nowhere/ratings.csv"}, "ratings: /nowhere/ratings.csv is not on the node"),
    ],
)
def test_arguments_that_make_no_sense(run: Run, arguments: dict[str, Any], message: str) -> None:
    answer = run(**arguments)
    assert answer["failed"] is True
    assert message in answer["msg"]


def test_a_spec_that_is_not_declared_is_refused_before_anything_runs(run: Run) -> None:
    answer = run({"node_hardware_spec": "h9000"})
    assert answer["failed"] is True
    assert "h9000" in answer["msg"]


def test_only_nvidia_gpus_count(monkeypatch: pytest.MonkeyPatch) -> None:
    matrox = {"bdf": "0000:01:00.0", "vendor_id": "0x102b"}
    monkeypatch.setattr(benchmark, "read_gpus", lambda _tree: [matrox, H100])
    assert benchmark.nvidia_gpus_on_bus() == [H100]


def test_a_bus_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_tree: Tree) -> list[dict[str, Any]]:
        raise ProbeError("/sys/bus is not readable")

    monkeypatch.setattr(benchmark, "read_gpus", unreadable)
    assert benchmark.nvidia_gpus_on_bus() is None
