# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Mitogen's linear strategy, free to use every CPU of a small controller."""

from __future__ import annotations

import sys
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.strategy import StrategyBase
from ansible.utils.context_objects import CLIArgs

try:
    import ansible_mitogen.affinity
    import ansible_mitogen.loaders
    import ansible_mitogen.strategy
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

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

INSTALL = (
    "mitogen is asked for (GPULAB_MITOGEN, or ANSIBLE_STRATEGY) and can't be imported: {error}. "
    "Install it with `GPULAB_MITOGEN=1 make setup` (in an environment of your own: pip install "
    "--require-hashes -r requirements-mitogen.txt), or run without it"
)
# It takes the path for words of a command line, and fails in the middle of a run.
SPACE = (
    "mitogen cannot start {interpreter}: the path has a space. Run without GPULAB_MITOGEN and "
    "ANSIBLE_STRATEGY, or move the checkout"
)
# Below it, mitogen's own plan (FixedPolicy in its affinity.py) has one CPU for every worker.
CPUS_TO_SHARE_OUT = 4


def share_cpus() -> None:
    """Let the kernel schedule freely where mitogen would bind all workers to a CPU or two."""
    cpus = getattr(ansible_mitogen.affinity.policy, "cpu_count", CPUS_TO_SHARE_OUT)
    if cpus < CPUS_TO_SHARE_OUT:
        ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()


def use_its_connection() -> None:
    """Name the connection as mitogen knows it; it has one of its own in its place."""
    if context.CLIARGS.get("connection") == "gpulab.core.ssh":
        context.CLIARGS = CLIArgs({**context.CLIARGS, "connection": "ssh"})


def refusal() -> str:
    """Return why it can't be used; "" where it can."""
    if MISSING is not None:
        return INSTALL.format(error=MISSING)
    return SPACE.format(interpreter=sys.executable) if " " in sys.executable else ""


if not refusal():
    share_cpus()
    use_its_connection()
    Linear: Any = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)

    class StrategyModule(ansible_mitogen.strategy.StrategyMixin, Linear):
        """Mitogen's mixin over Ansible's linear strategy, as mitogen's own plugin composes them."""

else:

    class StrategyModule(StrategyBase):  # type: ignore[no-redef]
        """Stands for what can't be used, and says so."""

        def __init__(self, *_arguments: object) -> None:
            """Refuse, in one sentence."""
            raise AnsibleError(refusal())
