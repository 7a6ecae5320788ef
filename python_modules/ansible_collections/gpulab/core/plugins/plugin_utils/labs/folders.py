"""The folders of the lab that a task is about."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ansible.vars.hostvars import HostVars

from ..records import paths
from . import former, lab, owner


class Folders(NamedTuple):
    """Where a lab's past is.

    Attributes:
        lab: The name of both folders.
        reports: The folder of its runs.
        state: The folder of what outlives them.
        notices: What a person should know of other folders.
    """

    lab: str
    reports: Path
    state: Path
    notices: tuple[str, ...]


def of(hostvars: HostVars, *, check_mode: bool = False) -> Folders:
    """Return the folders of a lab; first take over what lay there before each lab had its own.

    Args:
        hostvars: A task's ``hostvars``.
        check_mode: Change nothing: what would be taken over is read where it is.

    Raises:
        FolderError: it is not clear whether a state of before is this lab's.
    """
    here = lab.of(hostvars)
    reports, state = paths.reports_dir(here.folder), paths.state_dir(here.folder)
    if check_mode:
        state = paths.state_root() if former.pending(here) else state
    else:
        if not owner.known(here):
            former.take_reports(here)
        former.take_state(here)
        owner.note(here)
    return Folders(here.folder, reports, state, tuple(owner.relatives(here)))
