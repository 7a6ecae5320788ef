"""Read what lies at a path: the edge of the modules that write files."""

from __future__ import annotations

from pathlib import Path

from .plan import Present


def look(path: Path) -> Present:
    """Read what lies at ``path`` without following a link there."""
    if path.is_symlink():
        return Present("link", target=str(path.readlink()))
    if path.is_dir():
        return Present("directory")
    if not path.exists():
        return Present("absent")
    return Present("file", content=path.read_bytes())
