"""Let the lookup `template` read the variables that there are, instead of a deep copy of them all.

For each file, `ansible.builtin.template` copies every variable of the node with all that is in it:
its facts, and the names of all nodes in each group and play. With fifty nodes that is a third of a
worker's time, and it grows with their number for each of them.

The copy protects the variables from a template that changes one. Since ansible-core 2.19 a template
gets what it reads in containers of its own, so that a copy of the outermost mapping is enough: the
lookup adds the template's own variables to it. Where the plugin does not make its copy as in the
releases that this was written for (2.19 to 2.21), nothing is changed.
"""

from __future__ import annotations

import copy
from types import ModuleType

from ansible.plugins.lookup import template


def install() -> bool:
    """Let the lookup do so; return whether it does."""
    return share(template)


def share(module: ModuleType) -> bool:
    """Let a lookup's module copy the outermost mapping only.

    Args:
        module: That of the lookup.

    Returns:
        Whether it does now.
    """
    if getattr(module, "deepcopy", None) not in (copy.deepcopy, copy.copy):
        return False
    module.deepcopy = copy.copy  # type: ignore[attr-defined]
    return True
