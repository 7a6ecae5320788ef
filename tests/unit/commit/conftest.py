"""A node's folder for changes, a lock of the test's own, and a systemd that only notes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.commit import lock, request, units
from ansible_collections.gpulab.core.plugins.module_utils.commit.change import Change
from ansible_collections.gpulab.core.plugins.module_utils.commit.store import Store


@dataclass
class Systemd:
    """Notes what it is told. ``active``: the ids of timers that have not fired."""

    active: set[str] = field(default_factory=set)
    applies: list[str] = field(default_factory=list)
    refuses: str = ""

    def start_timer(self, change_id: str, timeout_s: int) -> None:
        assert timeout_s > 0
        if self.refuses == "timer":
            raise units.UnitError("no bus")
        self.active.add(change_id)

    def start_apply(self, change_id: str, lifetime_s: int, after_pid: int) -> None:
        assert (lifetime_s > 0, after_pid) == (True, os.getpid())
        if self.refuses == "apply":
            raise units.UnitError("no bus")
        self.applies.append(change_id)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Systemd:
    fake = Systemd()
    runner = tmp_path / "gpulab-rollback"
    runner.touch()
    monkeypatch.setattr(units, "RUNNER", str(runner))
    monkeypatch.setattr(units, "boot_unit_is_enabled", lambda: True)
    monkeypatch.setattr(units, "start_timer", fake.start_timer)
    monkeypatch.setattr(units, "start_apply", fake.start_apply)
    monkeypatch.setattr(units, "stop_timer", fake.active.discard)
    monkeypatch.setattr(units, "timer_is_active", fake.active.__contains__)
    return fake


@pytest.fixture
def store(tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> Store:
    assert systemd.active == set()
    held = lock.held
    monkeypatch.setattr(
        lock, "held", lambda wait_s, **rest: held(wait_s, **rest, path=tmp_path / "commit.lock")
    )
    return Store(tmp_path / "commit")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A folder with a file that a change may replace."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "old").write_text("former\n")
    (folder / "old").chmod(0o640)
    return folder


Begin = Callable[..., Change]


@pytest.fixture
def begin(store: Store) -> Begin:
    """Begin a change: ``begin(files={...}, apply=[[...]])``."""

    def call(**options: Any) -> Change:
        given = {
            "subject": "network",
            "files": {},
            "persist": {},
            "undo_files": {},
            "apply": [],
            "undo": [],
            "boot": [],
            "timeout_s": 30,
            **options,
        }
        return request.begin(store, request.compare(given), lambda _: None)

    return call
