"""The command line where PyTorch does not import, which is how a broken node looks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gpulab_bench.stop import Stop

MODULES = Path(__file__).parents[3] / "python_modules"


def bench(*arguments: str, torch: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line with a stand-in for PyTorch in front of the path."""
    return subprocess.run(
        [sys.executable, "-m", "gpulab_bench", *arguments],
        env={**os.environ, "PYTHONPATH": f"{torch}:{MODULES}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def broken_torch(tmp_path: Path) -> Path:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libcudart.so.13: no such file')\n")
    return tmp_path


def test_a_broken_pytorch_leaves_a_valid_document(
    broken_torch: Path, schema: dict[str, Any]
) -> None:
    done = bench(torch=broken_torch)
    document = json.loads(done.stdout)
    assert done.returncode == 3
    assert document["error"] == {
        "kind": "framework",
        "message": "OSError: libcudart.so.13: no such file",
    }
    assert document["partial"] is True
    jsonschema.validate(document, schema)
    assert "libcudart" in done.stderr


def test_the_document_can_go_to_a_file(broken_torch: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    done = bench("--json", str(target), torch=broken_torch)
    assert done.stdout == ""
    assert json.loads(target.read_text())["preset"] == "xs"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--preset", "huge"), "invalid choice: 'huge'"),
        (("--device", "tpu"), "invalid choice: 'tpu'"),
        (("--budget-s", "0"), "must be a number of seconds above 0, not '0'"),
        (("--budget-s", "soon"), "must be a number of seconds above 0, not 'soon'"),
        (("--budget-s", "nan"), "must be a number of seconds above 0, not 'nan'"),
    ],
)
def test_wrong_arguments_exit_with_2(
    arguments: tuple[str, ...], complaint: str, broken_torch: Path
) -> None:
    done = bench(*arguments, torch=broken_torch)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the test run's own signal handlers back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_stops_politely_and_the_second_for_good(number: signal.Signals) -> None:
    stop = Stop(None, time.perf_counter())
    stop.listen()
    assert stop.reason() is None
    os.kill(os.getpid(), number)
    assert stop.reason() == number.name
    assert signal.getsignal(number) == signal.SIG_DFL


def test_the_budget_counts_from_the_start_of_the_run() -> None:
    now = time.perf_counter()
    assert Stop(60, now).reason() is None
    assert Stop(60, now - 61).reason() == "budget"
