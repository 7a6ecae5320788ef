"""Command line: run a profile's stages, progress on stderr, one JSON document at the end.

The process that is started this way supervises; the work is done by workers, which are this program
again with ``--worker``. ``ddp`` as the first word is one node's part of a training over several
nodes, ``tensorflow`` a run with TensorFlow, ``evaluate`` an evaluation of the user's own model: see
`ddp_node`, `tensorflow_backend.run` and `service.run`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from gpulab_bench import ddp_node, ratings, reliability, telemetry, worker
from gpulab_bench.config import AUTO, CPU_PRESET, GPU_PRESET, PRESETS, SPEED_MODES
from gpulab_bench.context import Order
from gpulab_bench.counters import Usage
from gpulab_bench.gpu_source import open_source
from gpulab_bench.memory import REPLICATED, SHARDED
from gpulab_bench.profiles import GROUP, PLAIN, PROFILES, SINGLE, WORKERS, Profile
from gpulab_bench.result import Report, to_json
from gpulab_bench.sampler import Sampler
from gpulab_bench.service import run as service_run
from gpulab_bench.stop import Stop
from gpulab_bench.supervisor import Supervisor
from gpulab_bench.tensorflow_backend import run as tensorflow_run

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


def make_parser() -> argparse.ArgumentParser:
    """The command line; a wrong one exits with 2."""
    parser = argparse.ArgumentParser(
        prog="gpulab_bench",
        description=__doc__,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", choices=sorted(PROFILES), default="smoke")
    parser.add_argument(
        "--preset",
        choices=[AUTO, *sorted(PRESETS)],
        default=AUTO,
        help=f"{AUTO}: {GPU_PRESET} on a GPU that holds it, else {CPU_PRESET} (default)",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument(
        "--budget-s", type=positive, metavar="SECONDS", help="stop after this much wall time"
    )
    parser.add_argument(
        "--json", default="-", metavar="PATH", help="where the document goes (default: - = stdout)"
    )
    parser.add_argument(
        "--stages", type=stage_names, metavar="A,B", help="of the profile, only these stages"
    )
    parser.add_argument(
        "--disk-folder",
        default="/var/tmp",  # noqa: S108  a disk, where /tmp may be memory; the file has no name
        metavar="PATH",
        help="where the stage disk writes and reads (default: %(default)s)",
    )
    parser.add_argument(
        "--mode",
        choices=(*SPEED_MODES, "both"),
        default="both",
        help="how the stage speed runs the model (default: %(default)s)",
    )
    parser.add_argument(
        "--parallel",
        choices=("auto", REPLICATED, SHARDED),
        default="auto",
        help="whether the processes of the stage ddp share one model (default: where they must)",
    )
    parser.add_argument(
        "--ratings", type=Path, metavar="FILE", help="users' ratings, 1 to 5, as CSV or JSON"
    )
    # For the supervisor itself.
    parser.add_argument("--worker", choices=(SINGLE, GROUP, PLAIN), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser


def stage_names(text: str) -> list[str]:
    """Argument type: names of stages, with commas between.

    Raises:
        argparse.ArgumentTypeError: one of them is none.
    """
    names = text.split(",")
    for name in names:
        if name not in WORKERS:
            msg = f"no such stage: {name!r} (there are {', '.join(WORKERS)})"
            raise argparse.ArgumentTypeError(msg)
    return names


def supervise(arguments: argparse.Namespace, profile: Profile) -> int:
    """Run the profile and print its document.

    Returns:
        The exit status.
    """
    started = time.perf_counter()
    stop = Stop(arguments.budget_s or profile.budget_s, started)
    stop.listen()
    # Until the probe has seen the device: without one, nothing else is trained either.
    asked = CPU_PRESET if arguments.preset == AUTO else arguments.preset
    report = Report(PRESETS[asked], profile, arguments.seed, arguments.device)
    if arguments.ratings is not None:
        report.user = ratings.summarise(ratings.parse(arguments.ratings))
    folder = Path(tempfile.mkdtemp(prefix="gpulab_bench."))
    try:
        Order(
            preset=arguments.preset,
            profile=profile.name,
            device=arguments.device,
            seed=arguments.seed,
            disk_folder=arguments.disk_folder,
            mode=arguments.mode,
            parallel=arguments.parallel,
        ).write(folder)
        supervisor = Supervisor(profile, folder, stop, progress)
        usage = Usage()
        sampler = Sampler(open_source(), usage)
        sampler.start()
        supervisor.run()
        report.telemetry, report.usage = sampler.stop(supervisor.results)
        report.usage["windows"] = usage.during(telemetry.windows_of(supervisor.results))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.results = supervisor.results
    report.preset = PRESETS[(report.data("probe") or {}).get("preset", asked)]
    report.error = supervisor.core_error()
    report.stopped_by = stop.reason() if supervisor.unfinished() else None
    report.reliability = reliability.summarise(
        supervisor.launches, supervisor.restarts, *reliability.operations(report.results)
    )
    write(to_json(report.document(time.perf_counter() - started)), arguments.json)
    if report.error is not None:
        progress(f"{report.error['kind']}: {report.error['message']}")
    return exit_status(report)


def exit_status(report: Report) -> int:
    """The exit status that belongs to a report."""
    if report.stopped_by is not None:
        return EXIT_BUDGET if report.stopped_by == "budget" else EXIT_SIGNAL
    if report.error is None:
        return EXIT_COMPLETE
    by_kind = {"framework": EXIT_NO_FRAMEWORK, "device": EXIT_NO_DEVICE}
    return by_kind.get(report.error["kind"], EXIT_ERROR)


def write(text: str, target: str) -> None:
    """Put the document on stdout (``-``) or into a file."""
    if target == "-":
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    else:
        Path(target).write_text(f"{text}\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Supervise, or be a worker.

    Returns:
        The exit status.
    """
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["ddp"]:
        return ddp_node.main(words[1:], progress)
    if words[:1] == ["evaluate"]:
        return service_run.main(words[1:], progress)
    if words[:1] == ["tensorflow"]:
        return tensorflow_run.main(words[1:], progress)
    parser = make_parser()
    arguments = parser.parse_args(words)
    if arguments.worker is not None:
        return worker.work(arguments.stages, arguments.folder, worker.say)
    profile = PROFILES[arguments.profile]
    try:
        return supervise(arguments, profile.only(arguments.stages) if arguments.stages else profile)
    except (ratings.RatingsError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
