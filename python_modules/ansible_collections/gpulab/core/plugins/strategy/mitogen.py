# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Mitogen's linear strategy, free to use every CPU of a small controller."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.strategy import StrategyBase

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
requirements: [mitogen]
author: [gpulab]
"""

INSTALL = (
    "mitogen is asked for (GPULAB_MITOGEN, or ANSIBLE_STRATEGY) and can't be imported: {error}. "
    "Install it with `GPULAB_MITOGEN=1 make setup` (in an environment of your own: pip install "
    "--require-hashes -r requirements-mitogen.txt), or run without it"
)
# Below it, mitogen's own plan (FixedPolicy in its affinity.py) has one CPU for every worker.
CPUS_TO_SHARE_OUT = 4


def share_cpus() -> None:
    """Let the kernel schedule freely where mitogen would bind all workers to a CPU or two."""
    cpus = getattr(ansible_mitogen.affinity.policy, "cpu_count", CPUS_TO_SHARE_OUT)
    if cpus < CPUS_TO_SHARE_OUT:
        ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()


if MISSING is None:
    share_cpus()
    Linear: Any = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)

    class StrategyModule(ansible_mitogen.strategy.StrategyMixin, Linear):
        """Mitogen's mixin over Ansible's linear strategy, as mitogen's own plugin composes them."""

else:

    class StrategyModule(StrategyBase):  # type: ignore[no-redef]
        """Stands for what can't be imported, and says so when it is to be used."""

        def __init__(self, *_arguments: object) -> None:
            """Refuse, in one sentence."""
            raise AnsibleError(INSTALL.format(error=MISSING))
