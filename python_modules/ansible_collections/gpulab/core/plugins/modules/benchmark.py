#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: benchmark
author: The gpulab maintainers
version_added: 0.1.0
short_description: Train a small model on the node and judge how it went
description:
  - Runs C(gpulab_bench.pyz) under the interpreter that has PyTorch, in a process group of its own
    and with a minimal environment, and ends the whole group when its time is up.
  - The controller judges the result by its checks, and by the node's hardware spec, as
    M(gpulab.core.hardware_verify) chooses it. A bad verdict does not fail the task; the report
    does. A crash, a time-out, or a missing interpreter is a finding that says what to do next.
  - Changes nothing on the node.
  - With O(valid_h), a node that has passed lately, and on which nothing has changed that a training
    depends on, is not trained again; what the earlier run measured is judged by today's limits, and
    the result says so.
options:
  python:
    description: Interpreter of the framework's environment.
    type: path
    default: /opt/gpulab/pytorch/bin/python
  bench:
    description: The packed benchmark on the node.
    type: path
    default: /opt/gpulab/bench/gpulab_bench.pyz
  preset:
    description:
      - Model and task to train. V(auto) takes C(japanese-small), one of the hardware guide's own,
        on a GPU that holds it (V100 with 16 GB and up), and C(xs) elsewhere.
    type: str
    default: auto
  profile:
    description:
      - Which stages run. V(smoke) accepts a node, in two to four minutes on a GPU; V(quick) takes
        less than a minute on two CPU cores; V(soak) keeps every GPU busy for a quarter of an hour.
    type: str
    choices: [smoke, quick, soak]
    default: smoke
  stages:
    description:
      - Of the profile, only these stages, such as V([train, evaluation]). What another stage
        stands on is added.
    type: list
    elements: str
  disk_folder:
    description: Folder on the node in which the disk is measured; the file has no name.
    type: path
    default: /var/tmp
  ratings:
    description:
      - File on the node with users' ratings, numbers from 1 to 5, as a JSON array, a CSV file with
        a column C(rating), or one per line. Without one the satisfaction is null.
    type: path
  device:
    description:
      - Where to train. V(auto) takes the first GPU, and the CPU only if the node has none; a GPU
        that is on the PCI bus but that PyTorch does not see fails a check.
    type: str
    choices: [auto, cpu, cuda]
    default: auto
  seed:
    description: Seed of the data and of the weights.
    type: int
    default: 1234
  threads:
    description: CPU threads; the benchmark's preset decides when this is not given.
    type: int
  timeout_s:
    description:
      - Seconds that the benchmark may take. It stops itself after nine tenths of them with a
        partial result; after all of them it is ended.
      - By default 270 for V(smoke), 120 for V(quick) and 1400 for V(soak).
    type: int
  valid_h:
    description:
      - For how many hours a training that passed stands for a new one, as long as installation,
        boot, kernel, driver, GPUs, processor, memory, the framework's environment, the benchmark
        and the other options are what they were. How GPUs are set (power limit, clocks,
        MIG) is not looked at. With V(0) the node is trained in any case.
      - Looked for in the records of earlier runs, on the controller. Limits (O(limits), the spec)
        may have changed, and the earlier measurement is judged again. One that passed then but
        fails now is not repeated; one that failed then stands if it passes now.
    type: float
    default: 0
  may_train:
    description:
      - Without it, only an earlier training is judged; where none stands for a new one, the
        result is C(skipped). For a node that somebody else's job has.
    type: bool
    default: true
    version_added: 0.2.0
  limits:
    description: Limits of the checks, where they differ from the module's own.
    type: dict
    default: {}
    suboptions:
      loss_ratio_max:
        description: Highest ratio of the last loss to the first.
        type: float
      exact_match_min:
        description: Lowest share of held-out items answered right.
        type: float
      nonfinite_steps_max:
        description: Most steps with a loss or gradient that is not finite.
        type: int
      step_jitter_max:
        description:
          - Highest ratio of the 95th percentile of the step time to its median; on a CPU, a pause
            of 0.1 s is allowed on top. Gives a warning.
        type: float
attributes:
  check_mode:
    description: Skips the run and says so.
    support: partial
    details: Nothing is trained, so there is no verdict.
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Train the smallest model
  gpulab.core.benchmark:
  register: benchmark

- name: Train on the CPU of a node whose GPU belongs to somebody else
  gpulab.core.benchmark:
    device: cpu
    timeout_s: 60
    limits:
      exact_match_min: 0.95
  register: benchmark
"""

RETURN = r"""
verdict:
  description: What the findings amount to, C(pass), C(warn), C(fail) or C(unknown).
  type: str
  returned: always
  sample: pass
profile:
  description: The profile that was used.
  type: str
  returned: always
  sample: smoke
checks:
  description: Findings, C(benchmark.run) first; the others are there if there is a result.
  type: list
  elements: dict
  returned: always
  sample:
    - id: benchmark.exact_match
      part: {kind: gpu, name: NVIDIA H100 80GB HBM3, serial: "", bdf: "0000:3b:00.0", slot: "3"}
      observed: 1.0
      expected: 0.9
      unit: ""
      source: gpulab_bench
      severity: fail
      status: pass
      action: ""
      evidence: 100.0% of 512 held-out items
metrics:
  description: Numbers of the run; the scope is the GPU's UUID, or C(cpu).
  type: list
  elements: dict
  returned: always
  sample:
    - {id: train.step_s, scope: cpu, value: 0.0173, unit: s, n: 190, p50: 0.0173, p95: 0.0196,
       p99: null, baseline: null, z: null}
fingerprint:
  description: What the training depends on; empty where a part of it could not be read.
  type: dict
  returned: where nothing is skipped
  sample: {kernel: 6.1.0-55-amd64, driver: none, processor: 2 x AMD EPYC 9554}
training:
  description:
    - Of an earlier training that stands for this one, RV(training.run_id), when it was
      (RV(training.at)) and its RV(fingerprint).
  type: dict
  returned: where an earlier training stands for this one
measured:
  description: How the program ended and what it was asked, without RV(result); the record keeps it.
  type: dict
  returned: where the node was trained
result:
  description: Document of gpulab_bench by its published schema, or null if there is none.
  type: dict
  returned: always
stderr_tail:
  description: Last lines that the benchmark printed on stderr.
  type: str
  returned: always
durations_s:
  description: Seconds of the whole run (C(total)) and of its parts.
  type: dict
  returned: always
  sample: {total: 8.5, import: 2.0, probe: 3.9, train: 3.6, evaluation: 0.3}
"""

import os
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.benchmark.environment import parse_oom_kills, restricted_environment
from ..module_utils.benchmark.fingerprint import fingerprint
from ..module_utils.benchmark.options import OPTIONS, TIMEOUTS_S
from ..module_utils.hardware.pci import is_nvidia, read_gpus
from ..module_utils.hardware.sysfs import ProbeError, Tree
from ..module_utils.process import Outcome, run_group

# The benchmark stops itself after this share of its time, so that a slow node leaves numbers.
BUDGET_SHARE = 0.9

# The options that decide what is trained.
ASKED = (
    "preset",
    "profile",
    "stages",
    "device",
    "seed",
    "threads",
    "timeout_s",
    "disk_folder",
)


def nvidia_gpus_on_bus() -> list[dict[str, Any]] | None:
    """Return the NVIDIA GPUs that the PCI bus shows, or None if it can't be read."""
    try:
        return [gpu for gpu in read_gpus(Tree()) if is_nvidia(gpu)]
    except ProbeError:
        return None


def oom_kills() -> int | None:
    """Return how many processes the kernel has killed for memory since boot, or None."""
    try:
        return parse_oom_kills(Path("/proc/vmstat").read_text(encoding="ascii"))
    except OSError:
        return None


def depends_on(params: dict[str, Any]) -> dict[str, str]:
    """Return what a training with these options depends on."""
    asked = {name: params[name] for name in ASKED}
    asked["ratings"] = ratings_digest(params["ratings"])
    return fingerprint(Tree(), params["python"], params["bench"], asked)


def ratings_digest(path: str | None) -> str | None:
    """Return what tells one ratings file from another; None without one."""
    return sha256(Path(path).read_bytes()).hexdigest() if path else None


def run(argv: list[str], threads: int | None, timeout_s: float) -> Outcome:
    """Run the benchmark and count the kernel's kills for memory meanwhile."""
    before = oom_kills()
    ended = run_group(argv, restricted_environment(os.environ, threads), timeout_s)
    after = oom_kills()
    if before is None or after is None:
        return ended
    return replace(ended, oom_kills=after - before)


def check_arguments(module: AnsibleModule) -> None:
    """Refuse numbers that make no sense, by name."""
    for name in ("timeout_s", "threads"):
        value = module.params[name]
        if value is not None and value < 1:
            module.fail_json(msg=f"{name} must be 1 or more, not {value}")
    ratings = module.params["ratings"]
    if ratings and not Path(ratings).is_file():
        module.fail_json(
            msg=f"ratings: {ratings} is not on the node; copy it there first, or leave the option "
            "out where nobody was asked"
        )
    if not Path(module.params["bench"]).is_file():
        module.fail_json(
            msg=f"bench: {module.params['bench']} is not on the node; copy it there first "
            "(playbooks/benchmark.yml does: python -m gpulab_bench.pack makes the file)"
        )


def command(params: dict[str, Any], budget_s: float) -> list[str]:
    """Return the benchmark's command line."""
    # -I: neither the user's site-packages nor PYTHON* variables reach the benchmark.
    argv = [params["python"], "-I", params["bench"], "--json", "-"]
    argv += ["--profile", params["profile"]]
    argv += ["--preset", params["preset"], "--device", params["device"]]
    argv += ["--disk-folder", params["disk_folder"]]
    if params["stages"]:
        argv += ["--stages", ",".join(params["stages"])]
    if params["ratings"]:
        argv += ["--ratings", params["ratings"]]
    return [*argv, "--seed", str(params["seed"]), "--budget-s", str(budget_s)]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=False)
    params = module.params
    check_arguments(module)
    if params["timeout_s"] is None:
        params["timeout_s"] = TIMEOUTS_S[params["profile"]]
    found = depends_on(params)
    if found and found == params["passed"]:
        # The action puts the earlier measurement in this one's place.
        module.exit_json(changed=False, stands=True, fingerprint=found)
    if not params["may_train"]:
        module.exit_json(changed=False, skipped=True, msg="it is due, and does not train now")
    budget_s = params["timeout_s"] * BUDGET_SHARE
    bus_gpus = nvidia_gpus_on_bus()
    ended = asdict(run(command(params, budget_s), params["threads"], params["timeout_s"]))
    module.exit_json(
        changed=False,
        fingerprint=found,
        document=ended.pop("stdout"),
        measured={
            "python": params["python"],
            "device": params["device"],
            "budget_s": budget_s,
            "bus_gpus": bus_gpus,
            "outcome": ended,
        },
    )


if __name__ == "__main__":
    main()
