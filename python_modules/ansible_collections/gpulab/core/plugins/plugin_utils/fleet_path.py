"""Let plugins that run on the controller import gpulab_fleet, which lies beside the collections.

Ansible imports collections by a finder of its own and leaves ``sys.path`` alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

# This file lies in python_modules/ansible_collections/gpulab/core/plugins/plugin_utils.
PYTHON_MODULES = Path(__file__).resolve().parents[5]


def add() -> None:
    """Put ``python_modules`` at the end of ``sys.path``, once."""
    if str(PYTHON_MODULES) not in sys.path:
        sys.path.append(str(PYTHON_MODULES))
