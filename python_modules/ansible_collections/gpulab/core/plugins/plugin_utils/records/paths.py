"""Where runs are kept, and how a file is put there without ever being half written.

Each lab has its own folder in ``reports/`` and in ``state/`` (`labs.lab.Lab.folder`): what is known
of one lab's node01 is never taken for another's.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from ansible import constants

from ...module_utils.atomic_write import replace_link, replacing

RUN_ID_VARIABLE = "GPULAB_RUN_ID"
REPORTS_VARIABLE = "GPULAB_REPORTS_DIR"
STATE_VARIABLE = "GPULAB_STATE_DIR"
LATEST = "latest"
# A run id and a node's name both become a path component, so both are held to this.
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class FolderError(ValueError):
    """A run id, a node's name or a folder that cannot be used; the text says what to change."""


def reports_root() -> Path:
    """Return the folder of all labs' runs.

    It is ``$GPULAB_REPORTS_DIR``, else ``reports/`` of the project.

    The project is the folder of the ``ansible.cfg`` in use. Without one, or with one of the whole
    node or of a user's home, it is the working folder.
    """
    chosen = os.environ.get(REPORTS_VARIABLE)
    return Path(chosen) if chosen else _project() / "reports"


def _project() -> Path:
    config = Path(constants.CONFIG_FILE or "")
    shared = (Path("/etc/ansible"), Path.home())
    return config.parent if config.name and config.parent not in shared else Path.cwd()


def state_root() -> Path:
    """Return the folder of what outlives the runs, of all labs.

    ``$GPULAB_STATE_DIR``, else ``state/`` beside the folder of all labs' runs.
    """
    chosen = os.environ.get(STATE_VARIABLE)
    return Path(chosen) if chosen else reports_root().parent / "state"


def reports_dir(lab: str) -> Path:
    """Return the folder of a lab's runs; ``lab`` is `Lab.folder`, as in all of this file."""
    return reports_root() / lab


def state_dir(lab: str) -> Path:
    """Return the folder of what outlives a lab's runs, their history and the nodes' admission."""
    return state_root() / lab


def state_of(folder: Path) -> Path:
    """Return the folder of what outlives the runs of the lab that a run's folder belongs to.

    Raises:
        FolderError: the run is of before each lab had a folder of its own.
    """
    runs = folder.resolve().parent
    if runs == reports_root().resolve():
        msg = (
            f"{folder} lies in no lab's folder, as runs did until 2026-11: any stage of its lab "
            "takes it over, such as ansible-playbook playbooks/report.yml (docs/state.md)"
        )
        raise FolderError(msg)
    return state_dir(runs.name)


def run_folder(lab: str, run_id: str) -> Path:
    """Return the folder of one run, which need not exist yet.

    Raises:
        FolderError: the run id is empty or cannot be a folder's name.
    """
    if not run_id:
        msg = (
            f"there is no run id: keep gpulab.core.summary in callbacks_enabled of ansible.cfg, "
            f"or set the environment variable {RUN_ID_VARIABLE}"
        )
        raise FolderError(msg)
    return reports_dir(lab) / safe_name(run_id, f"the run id in {RUN_ID_VARIABLE}")


def safe_name(name: str, what: str) -> str:
    """Return ``name`` if it can be a file's name on its own.

    Raises:
        FolderError: it holds a character outside ``A-Z a-z 0-9 . _ -`` or starts with a sign.
    """
    if not _SAFE_NAME.fullmatch(name):
        msg = f"{what} is {name!r}: use letters, digits, '.', '_' and '-', starting with a letter"
        raise FolderError(msg)
    return name


def from_here(path: Path) -> Path:
    """Return the path as seen from the working folder, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def latest_run(reports: Path) -> str:
    """Return the id of the run that ``latest`` points at, or "" where there is none."""
    link = reports / LATEST
    return link.readlink().name if link.is_symlink() and link.is_dir() else ""


def point_latest(folder: Path) -> None:
    """Make ``latest`` point at ``folder``, beside it and, for the newest of all labs, one above.

    Raises:
        FolderError: ``latest`` is a real file or folder, which somebody else made.
    """
    lab = folder.parent
    for link, target in ((lab / LATEST, folder.name), (lab.parent / LATEST, _below(folder))):
        if link.exists() and not link.is_symlink():
            msg = f"{link} is not a link: move it away, it is where the newest report is linked"
            raise FolderError(msg)
        replace_link(link, target)


def _below(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o644)  # a report is there to be read, whoever wrote it


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON, atomically.

    Raises:
        ValueError: ``value`` holds NaN or an infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
