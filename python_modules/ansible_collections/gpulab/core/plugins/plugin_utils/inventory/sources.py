"""The inventories of Ansible's command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants, context

from ..records import paths


def named() -> list[str]:
    """Return the inventories that were asked for, where they are not ansible.cfg's."""
    chosen: Mapping[str, Any] = context.CLIARGS
    sources = [str(source) for source in chosen.get("inventory") or ()]
    default = [str(source) for source in constants.DEFAULT_HOST_LIST]
    return [] if sources == default else [str(paths.from_here(Path(source))) for source in sources]
