#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: benchmark_ddp
author: The gpulab maintainers
version_added: 0.1.0
short_description: Train a model together with other nodes
description:
  - Runs this node's part of a data-parallel training by torchrun. It must run on all of the nodes
    at the same time, as one task of a play does when C(forks) is at least their number.
  - The controller judges how it went. Where the node's hardware spec declares
    C(infiniband.ports_min), NCCL must go by it. A bad verdict does not fail the task; the report
    does.
  - Changes nothing on the node. At its time's end it leaves no process behind.
options:
  python:
    description: Interpreter of the framework's environment.
    type: path
    default: /opt/gpulab/pytorch/bin/python
  bench:
    description: The packed benchmark on the node.
    type: path
    default: /opt/gpulab/bench/gpulab_bench.pyz
  plan:
    description: Where the nodes meet, from the filter P(gpulab.core.ddp_plan#filter).
    type: dict
    required: true
    suboptions:
      nodes:
        description: Names of the nodes, in the order of their ranks.
        type: list
        elements: str
        required: true
      address:
        description: The first node's address in the zone of the exchange.
        type: str
        required: true
      interfaces:
        description: Each node's network interface in that zone.
        type: dict
        required: true
  node:
    description: This node's name in the plan.
    type: str
    required: true
  port:
    description:
      - TCP port of the rendezvous on the first node. The exchange itself takes any free ports.
    type: int
    default: 29500
  preset:
    description: Model and task to train.
    type: str
    default: xs
  parallel:
    description:
      - Whether each process holds the whole model (V(replicated)) or all of them share it
        (V(sharded), FSDP). V(auto) shares it where one GPU does not hold it.
    type: str
    choices: [auto, replicated, sharded]
    default: auto
  device:
    description: Where to train. V(auto) takes all GPUs of the node's PCI bus, or else its CPU.
    type: str
    choices: [auto, cpu, cuda]
    default: auto
  processes:
    description: Processes on this node; by default one for each GPU, or one on a CPU.
    type: int
  seed:
    description: Seed of the data and of the weights.
    type: int
    default: 1234
  rendezvous_s:
    description: Seconds to wait for the other nodes.
    type: int
    default: 60
  timeout_s:
    description: Seconds that this node's part may take, waiting included.
    type: int
    default: 300
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
- name: Train on all nodes at once
  gpulab.core.benchmark_ddp:
    plan: "{{ ansible_play_hosts | gpulab.core.ddp_plan(hostvars, 'fabric') }}"
    node: "{{ inventory_hostname }}"
  register: ddp
"""

RETURN = r"""
verdict:
  description: What the findings amount to, C(pass), C(warn), C(fail) or C(unknown).
  type: str
  returned: always
  sample: pass
checks:
  description: Findings, C(ddp.run) first; the first node has the others.
  type: list
  elements: dict
  returned: always
metrics:
  description:
    - C(ddp.tokens_per_s) and C(ddp.efficiency) of the fleet, on the first node; of each node, what
      its disks and network moved meanwhile.
  type: list
  elements: dict
  returned: always
result:
  description: What C(gpulab_bench ddp) printed, or null.
  type: dict
  returned: always
stderr_tail:
  description: Last lines that the benchmark printed on stderr.
  type: str
  returned: always
"""

import os
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.benchmark.environment import restricted_environment
from ..module_utils.benchmark.options import DDP_OPTIONS
from ..module_utils.hardware.pci import is_nvidia, read_gpus
from ..module_utils.hardware.sysfs import ProbeError, Tree
from ..module_utils.process import run_group

# The benchmark ends itself after this share of its time, and so can say where it was.
BUDGET_SHARE = 0.9


def count_gpus() -> int:
    """Return the number of NVIDIA GPUs on the bus; 0 where it cannot be read."""
    try:
        return sum(map(is_nvidia, read_gpus(Tree())))
    except ProbeError:
        return 0


def command(module: AnsibleModule) -> list[str]:
    """Return the command of this node's part."""
    params, plan = module.params, module.params["plan"]
    gpus = count_gpus() if params["device"] != "cpu" else 0
    device = params["device"] if params["device"] != "auto" else "cuda" if gpus else "cpu"
    argv = [params["python"], "-I", params["bench"], "ddp"]
    argv += ["--nodes", str(len(plan["nodes"])), "--node-name", params["node"]]
    argv += ["--node-rank", str(plan["nodes"].index(params["node"]))]
    argv += ["--address", plan["address"], "--port", str(params["port"])]
    argv += ["--interface", plan["interfaces"][params["node"]]]
    argv += ["--processes", str(params["processes"] or max(gpus, 1))]
    argv += ["--preset", params["preset"], "--device", device, "--seed", str(params["seed"])]
    if params["parallel"] != "auto":
        argv += ["--parallel", params["parallel"]]
    argv += ["--rendezvous-s", str(params["rendezvous_s"])]
    return [*argv, "--budget-s", str(params["timeout_s"] * BUDGET_SHARE)]


def check_arguments(module: AnsibleModule) -> None:
    """Refuse what makes no sense, by name."""
    params, plan = module.params, module.params["plan"]
    for name in ("rendezvous_s", "timeout_s", "processes", "port"):
        if params[name] is not None and params[name] < 1:
            module.fail_json(msg=f"{name} must be 1 or more, not {params[name]}")
    if params["node"] not in plan["nodes"] or params["node"] not in plan["interfaces"]:
        module.fail_json(msg=f"node: the plan has no {params['node']}: {plan['nodes']}")
    if not Path(params["bench"]).is_file():
        module.fail_json(
            msg=f"bench: {params['bench']} is not on the node: playbooks/benchmark_ddp.yml "
            "brings it"
        )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=DDP_OPTIONS, supports_check_mode=False)
    check_arguments(module)
    ended = run_group(
        command(module), restricted_environment(os.environ, None), module.params["timeout_s"]
    )
    module.exit_json(changed=False, outcome=asdict(ended))


if __name__ == "__main__":
    main()
