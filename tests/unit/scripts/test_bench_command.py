"""What a command took: also of the processors, and by what outlives it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bench_command
import pytest

SCRIPTS = Path(bench_command.__file__).parent
#: Half a second of work by a process whose parent does not wait for it.
LEFT = """
import os, time
if os.fork() == 0:
    os.setsid()
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    open({done!r}, "w").close()
    time.sleep({sleep})
    os._exit(0)
while not os.path.exists({done!r}):
    time.sleep(0.01)
"""
ASK = """
import contextlib, json, sys
import bench_command
command, counting = json.loads(sys.argv[1])
with bench_command.counting_all() if counting else contextlib.nullcontext():
    took = [bench_command.timed(command), bench_command.timed(["true"])]
print(json.dumps([took[0].cpu_s, took[1].cpu_s]))
"""


# One that still runs is counted as well as one that has ended, and neither again.
@pytest.mark.parametrize("sleep", [0, 3])
@pytest.mark.parametrize("counting", [True, False])
def test_what_outlives_a_command_is_counted(tmp_path: Path, sleep: int, counting: bool) -> None:
    left = LEFT.format(done=str(tmp_path / "done"), sleep=sleep)
    asked = json.dumps([[sys.executable, "-c", left], counting])
    # In a process of its own: it waits for whatever ends.
    done = subprocess.run(
        [sys.executable, "-c", ASK, asked], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    first, second = json.loads(done.stdout.splitlines()[-1])
    assert (first > 0.5) is counting
    assert second < 0.3


def test_a_command_that_fails_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="failed: false"):
        bench_command.timed(["false"])
