# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The callback ``gpulab.core.engine``: a run's results, for less work of the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: engine
type: aggregate
short_description: Spend the controller's time on what concerns nodes
description:
  - Loads the plugins that tasks use once, before workers are forked, instead of in each worker.
  - Lets Ansible's own process finish the tasks that no node takes part in, such as a skipped
    one, an include, C(ansible.builtin.assert) or C(ansible.builtin.set_fact), for which Ansible
    forks a worker per host.
  - Lets the lookup C(ansible.builtin.template) read the variables that there are, instead of a deep
    copy of all of them for each file.
  - Keeps what Ansible packs of its modules and of this collection's from one run to the next, below
    C(gpulab-payloads) of Ansible's home folder.
  - Ends the Pythons that the connection C(gpulab.core.ssh) keeps on nodes; without it they end a
    minute later.
  - The results are those of a run without it. Where the inside of Ansible is not one that this was
    written for, workers are forked as ever.
  - docs/performance.md says what it saves.
version_added: "0.2.0"
author:
  - The gpulab maintainers
requirements:
  - to be enabled in C(callbacks_enabled) of ansible.cfg
"""

import contextlib
import gc
from typing import TYPE_CHECKING

from ansible.plugins.callback import CallbackBase

from ..plugin_utils.engine import (
    inline,
    payload_cache,
    preload,
    resident_client,
    shared_variables,
)

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.playbook import Playbook


class CallbackModule(CallbackBase):
    """Lives in the process that forks the workers."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpulab.core.engine"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, _playbook: Playbook) -> None:
        """Make ready, after the playbook was read and before anything is forked."""
        preload.load_plugins()
        shared_variables.install()
        with contextlib.suppress(OSError):
            payload_cache.restore()
        if not inline.install():
            self._display.v("gpulab.core.engine: an unknown ansible-core; every task gets a worker")
        # What is loaded by now stays to the end: it need not be looked through again and again.
        gc.collect()
        gc.freeze()

    def v2_playbook_on_stats(self, _stats: AggregateStats) -> None:
        """End what was kept on the nodes, and keep what the next run can use."""
        resident_client.end_all(resident_client.folder())
        with contextlib.suppress(OSError):
            payload_cache.keep()
