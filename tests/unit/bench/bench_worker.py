"""A worker that needs no PyTorch: does what a script in the run's folder says of each stage.

The script is ``script.json``, stage -> list of what to do at its first, second … try: ``done``,
``skip``, ``error``, ``kill`` (SIGKILL), ``exit`` (status 3), ``hang`` (ignoring SIGTERM), ``wait``
(until SIGTERM, then a partial result), ``orphan`` (leave a child in a session of its own, and
die).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpulab_bench import worker
from gpulab_bench.children import die_with_parent


def result(status: str, **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "data": {},
        "error": None,
        "reason": "",
        "seconds": 0.1,
        "started": 1.0,
        "ended": 1.1,
        "windows": {},
        **more,
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker")
    parser.add_argument("--stages")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    die_with_parent()
    folder = arguments.folder
    script = json.loads((folder / "script.json").read_text())
    told: list[int] = []
    for stage in arguments.stages.split(","):
        tries = folder / f"{stage}.tries"
        number = len(tries.read_text()) if tries.exists() else 0
        tries.write_text("x" * (number + 1))
        plan = script.get(stage, ["done"])
        deed = plan[min(number, len(plan) - 1)]
        sys.stderr.write(f"{stage}: {deed}\n")
        sys.stderr.flush()
        if deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == "exit":
            return 3
        if deed == "orphan":
            child = subprocess.Popen(["sleep", "60"], start_new_session=True)
            (folder.parent / "orphan").write_text(str(child.pid))
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (folder / "deaf").touch()
            time.sleep(60)
        if deed == "wait":
            signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
            while not told:
                time.sleep(0.02)
        if deed == "error":
            error = {"kind": "runtime", "message": "ValueError: surprise"}
            worker.write_result(folder, stage, result("error", data=None, error=error))
            return worker.EXIT_STAGE_FAILED
        status = {"skip": "skipped", "wait": "stopped"}.get(deed, "done")
        worker.write_result(folder, stage, result(status))
        if told:
            return worker.EXIT_STOPPED
    return worker.EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
