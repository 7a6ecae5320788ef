"""Command line: run a preset, progress on stderr, one JSON document on stdout or in a file."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
import warnings
from pathlib import Path

from gpulab_bench.config import PRESETS
from gpulab_bench.result import Report, to_json
from gpulab_bench.stop import Stop

EXIT_COMPLETE = 0
EXIT_ERROR = 1  # the document's "error" says what happened; 2 is argparse's usage error
EXIT_NO_FRAMEWORK = 3
EXIT_NO_DEVICE = 4
EXIT_BUDGET = 5
EXIT_SIGNAL = 6

EXIT_CODES = f"""exit status:
  {EXIT_COMPLETE}  complete
  {EXIT_ERROR}  failed while it ran; "error" in the document says how
  2  wrong arguments (no document)
  {EXIT_NO_FRAMEWORK}  PyTorch does not import
  {EXIT_NO_DEVICE}  the device that was asked for is not there
  {EXIT_BUDGET}  the time budget ran out; the document is partial
  {EXIT_SIGNAL}  SIGTERM or Ctrl-C; the document is partial
"""


def progress(line: str) -> None:
    """Say something to a person, on stderr."""
    sys.stderr.write(f"gpulab_bench: {line}\n")
    sys.stderr.flush()


def positive(text: str) -> float:
    """Argument type: a number above zero.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        msg = f"must be a number of seconds above 0, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line; exits with 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="gpulab_bench",
        description=__doc__,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="xs")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument(
        "--budget-s", type=positive, metavar="SECONDS", help="stop after this much wall time"
    )
    parser.add_argument(
        "--json", default="-", metavar="PATH", help="where the document goes (default: - = stdout)"
    )
    return parser.parse_args(argv)


class Stopwatch:
    """Splits the run's wall time into named parts."""

    def __init__(self, started: float, into: dict[str, float]) -> None:
        """Count from ``started`` and write seconds into ``into``."""
        self._last = started
        self._into = into

    def lap(self, name: str) -> None:
        """Give the time since the last lap to ``name``."""
        now = time.perf_counter()
        self._into[name] = now - self._last
        self._last = now


def run(report: Report, stop: Stop, watch: Stopwatch) -> int:
    """Run the preset and fill in the report as far as it gets.

    Returns:
        The exit status.
    """
    # cuBLAS repeats its sums only with a fixed workspace, chosen before CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # PyTorch works without NumPy here, and says so on every import.
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    try:
        import torch
    except Exception as error:  # a broken build raises OSError and RuntimeError too
        report.error = {"kind": "framework", "message": f"{type(error).__name__}: {error}"}
        return EXIT_NO_FRAMEWORK
    watch.lap("import")
    report.environment = {
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "torch": torch.__version__,
        "cuda_build": torch.version.cuda,
        "visible_gpus": torch.cuda.device_count(),
    }
    progress(f"PyTorch {torch.__version__} imported in {report.durations_s['import']:.1f} s")

    from gpulab_bench.device import DeviceUnavailableError
    from gpulab_bench.session import run_on_device

    try:
        run_on_device(report, stop, watch.lap, progress)
    except DeviceUnavailableError as error:
        report.error = {"kind": "device", "message": str(error)}
        return EXIT_NO_DEVICE
    except (torch.OutOfMemoryError, MemoryError) as error:
        report.error = {"kind": "out_of_memory", "message": str(error)}
        return EXIT_ERROR
    except Exception as error:  # whatever breaks must still leave a document
        traceback.print_exc()
        report.error = {"kind": "runtime", "message": f"{type(error).__name__}: {error}"}
        return EXIT_ERROR
    report.stopped_by = stop.reason() if report.evaluation is None else None
    if report.stopped_by is None:
        return EXIT_COMPLETE
    return EXIT_BUDGET if report.stopped_by == "budget" else EXIT_SIGNAL


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and print its document.

    Returns:
        The exit status.
    """
    started = time.perf_counter()
    arguments = parse_arguments(sys.argv[1:] if argv is None else argv)
    stop = Stop(arguments.budget_s, started)
    stop.listen()
    report = Report(PRESETS[arguments.preset], arguments.seed, arguments.device)
    status = run(report, stop, Stopwatch(started, report.durations_s))
    text = to_json(report.document(time.perf_counter() - started)) + "\n"
    if arguments.json == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        Path(arguments.json).write_text(text, encoding="utf-8")
    if report.error is not None:
        progress(f"{report.error['kind']}: {report.error['message']}")
    return status


if __name__ == "__main__":
    sys.exit(main())
