# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Mitogen's linear strategy, free to use every CPU of a small controller."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import ansible_mitogen.affinity
import ansible_mitogen.loaders
import ansible_mitogen.strategy
from ansible import context
from ansible.errors import AnsibleError
from ansible.utils.context_objects import CLIArgs

if TYPE_CHECKING:
    from ansible.executor.task_queue_manager import TaskQueueManager

DOCUMENTATION = """
name: mitogen
short_description: Runs tasks through mitogen, an opt-in
description:
  - The linear strategy as mitogen speeds it up, one Python kept alive on each node. The results are
    those of C(ansible.builtin.linear).
  - Mitogen reserves one CPU for its multiplexer and binds all workers to the others. On a
    controller of two or three CPUs that leaves most of the work to a single one, so there the
    kernel schedules freely instead (on two CPUs, a second C(site.yml) of the sandbox took 28 s
    instead of 42 s).
  - Mitogen has connections of its own in the place of P(gpulab.core.ssh#connection).
requirements: [mitogen]
author: [gpulab]
"""

# Below it, mitogen's own plan (FixedPolicy in its affinity.py) has one CPU for every worker.
CPUS_TO_SHARE_OUT = 4

if getattr(ansible_mitogen.affinity.policy, "cpu_count", CPUS_TO_SHARE_OUT) < CPUS_TO_SHARE_OUT:
    ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()

# Mitogen knows Ansible's connections by their names.
if context.CLIARGS.get("connection") == "gpulab.core.ssh":
    context.CLIARGS = CLIArgs({**context.CLIARGS, "connection": "ssh"})


Linear: Any = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, Linear):
    """Mitogen's mixin over Ansible's linear strategy, as mitogen's own plugin composes them."""

    def __init__(self, tqm: TaskQueueManager) -> None:
        """Refuse what would fail in the middle of a run.

        Args:
            tqm: Ansible's, of this run.

        Raises:
            AnsibleError: mitogen cuts the controller's interpreter's path at a space.
        """
        if " " in sys.executable:
            msg = (
                f"mitogen cannot start {sys.executable}: the path has a space. Run without "
                "GPULAB_MITOGEN and ANSIBLE_STRATEGY, or move the checkout"
            )
            raise AnsibleError(msg)
        super().__init__(tqm)
