"""Keep what Ansible packs of its modules from one run to the next.

Before a module is sent to a node for the first time, Ansible reads it and the forty files that it
imports, parses each to find what it imports in turn, and zips them: 0.1-0.3 s of CPU. It keeps the
result among the run's temporary files. This copies it there from an earlier run, as long as none of
the files has changed.

The content is Ansible's own and is not looked at here. Should another release keep it elsewhere,
nothing is found, and everything is packed as ever.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import ansible
from ansible import constants, release

from ...module_utils.atomic_write import replacing

# Those whose files are all looked at: Ansible's own modules, and this collection's.
_OURS = "ansible_collections.gpulab.core.plugins"
_KNOWN = ("ansible.modules.", f"{_OURS}.modules.")
_COLLECTION = Path(__file__).parents[2]
_ANSIBLE = Path(ansible.__file__).parent
# Of so many states of the files: two releases of Ansible in turn, a branch and another.
_KEPT = 4


def restore() -> None:
    """Give this run what an earlier one packed."""
    folder = _folder()
    if folder is None or not folder.is_dir():
        return
    used = _used()
    used.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        shutil.copyfile(file, used / file.name)


def keep() -> None:
    """Keep what this run packed, and forget what is long out of date."""
    folder = _folder()
    if folder is None or not _used().is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in _used().iterdir():
        if is_kept(file.name) and not (folder / file.name).exists():
            with replacing(folder / file.name) as fresh:
                shutil.copyfile(file, fresh)
    os.utime(folder)
    states = sorted(folder.parent.iterdir(), key=lambda state: state.stat().st_mtime)
    for state in states[:-_KEPT]:
        shutil.rmtree(state, ignore_errors=True)


def is_kept(name: str) -> bool:
    """Say whether a file is a packed module, and one whose sources are all looked at.

    Args:
        name: Its name among those of the run.
    """
    return name.startswith(_KNOWN) and not name.endswith((".lock", "-part"))


def state_of(files: Iterator[Path]) -> str:
    """Name a state of files, by where they are, their sizes and when they were changed."""
    found = hashlib.sha256()
    for file in files:
        stat = file.stat()
        found.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return found.hexdigest()[:32]


def _folder() -> Path | None:
    """Return where the present state's are kept; None where nothing can be."""
    if any(Path(path).is_dir() for path in constants.DEFAULT_MODULE_UTILS_PATH):
        # Files of any place may be packed then.
        return None
    home = Path(constants.config.get_config_value("ANSIBLE_HOME")).expanduser()
    base = home / "gpulab-payloads"
    if base.exists() and (base.stat().st_uid != os.geteuid() or base.stat().st_mode & 0o022):
        # What is kept is run on nodes, and Ansible reads it by pickle.
        return None
    releases = f"{release.__version__}-{sys.version_info.major}.{sys.version_info.minor}"
    return base / f"{releases}-{state_of(_sources())}"


def _sources() -> Iterator[Path]:
    for folder in (_ANSIBLE, _COLLECTION):
        for part in ("modules", "module_utils"):
            yield from sorted((folder / part).rglob("*.py"))


def _used() -> Path:
    return Path(constants.DEFAULT_LOCAL_TMP) / "ansiballz_cache"
