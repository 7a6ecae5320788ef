"""A change wins whole or loses whole, whatever fails and whoever is interrupted."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.commit import disk, guard, request
from ansible_collections.gpulab.core.plugins.module_utils.commit.change import Change, Entry
from ansible_collections.gpulab.core.plugins.module_utils.commit.store import (
    CONFIRMED,
    ROLLED_BACK,
    STUCK,
    Store,
)

from .conftest import Begin, Systemd


def state(folder: Path) -> dict[str, str]:
    """Everything below a folder: path → content, or where a link points, with the mode."""
    return {
        str(path.relative_to(folder)): (
            f"-> {path.readlink()}"
            if path.is_symlink()
            else f"{path.stat().st_mode & 0o7777:o} {path.read_text()}"
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def changed_files(etc: Path) -> dict[str, object]:
    return {
        str(etc / "old"): {"content": "new\n", "mode": "0600"},
        str(etc / "deep/er/fresh"): {"content": "fresh\n"},
        str(etc / "link"): {"link": "/dev/null"},
    }


class TestApply:
    def test_begin_touches_nothing_but_its_own_folder(self, begin: Begin, etc: Path) -> None:
        before = state(etc)
        begin(files=changed_files(etc))
        assert state(etc) == before

    def test_files_then_commands(self, store: Store, begin: Begin, etc: Path) -> None:
        change = begin(
            files=changed_files(etc),
            apply=[["sh", "-c", f"cat {etc}/old > {etc}/seen"]],
        )
        assert guard.apply(store, change) is None
        assert state(etc) == {
            "deep/er/fresh": "644 fresh\n",
            "link": "-> /dev/null",
            "old": "600 new\n",
            "seen": f"{0o666 & ~_umask():o} new\n",
        }
        (waiting,) = store.under_way()
        assert waiting.applied_at is not None
        assert store.waits(waiting)

    def test_the_staged_folder_has_full_paths(self, store: Store, begin: Begin, etc: Path) -> None:
        change = begin(
            persist={str(etc / "rules"): {"content": "rules\n"}},
            undo_files={"former": "x\n"},
            apply=[
                ["cp", f"{{stage}}{etc}/rules", str(etc / "seen")],
                ["cp", "{undo}/former", str(etc / "undo")],
            ],
        )
        assert guard.apply(store, change) is None
        assert (etc / "seen").read_text() == "rules\n"
        assert (etc / "undo").read_text() == "x\n"
        assert not (etc / "rules").exists(), "only the confirmation writes it"

    def test_a_command_that_fails_undoes_all_at_once(
        self, store: Store, begin: Begin, etc: Path, systemd: Systemd
    ) -> None:
        before = state(etc)
        change = begin(
            files=changed_files(etc),
            apply=[["true"], ["sh", "-c", "echo broken >&2; exit 3"]],
            undo=[["touch", str(etc / "undone")]],
        )
        outcome = guard.apply(store, change)
        assert outcome is not None
        assert outcome.outcome == ROLLED_BACK
        assert "exit status 3: broken" in outcome.reason
        assert (etc / "undone").exists()
        (etc / "undone").unlink()
        assert state(etc) == before
        assert not (etc / "deep").exists(), "folders made for it go, too"
        assert (store.under_way(), systemd.active) == ([], set())

    def test_a_command_that_hangs_is_ended(self, store: Store, begin: Begin, etc: Path) -> None:
        change = begin(files=changed_files(etc), apply=[["sleep", "60"]], timeout_s=1)
        outcome = guard.apply(store, change)
        assert outcome is not None
        assert "sleep 60: it did not end within" in outcome.reason

    def test_a_full_disk_installs_none_of_the_files(
        self, store: Store, begin: Begin, etc: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = state(etc)
        change = begin(files=changed_files(etc), apply=[["touch", str(etc / "ran")]])
        prepare = disk.prepare

        def full(entry: Entry, folder: Path) -> None:
            if entry.path.endswith("old"):
                raise OSError(28, "No space left on device")
            prepare(entry, folder)

        monkeypatch.setattr(disk, "prepare", full)
        outcome = guard.apply(store, change)
        assert outcome is not None
        assert "No space left on device" in outcome.reason
        assert state(etc) == before


class TestConfirm:
    def test_it_writes_what_stays_and_ends_the_change(
        self, store: Store, begin: Begin, etc: Path, systemd: Systemd
    ) -> None:
        change = begin(persist={str(etc / "rules"): {"content": "rules\n", "mode": "0600"}})
        guard.apply(store, change)
        assert systemd.active == {change.id}
        outcome = guard.confirm(store, change)
        assert outcome.outcome == CONFIRMED
        assert state(etc) == {"old": "640 former\n", "rules": "600 rules\n"}
        assert (store.under_way(), systemd.active) == ([], set())
        assert state(store.folder("network")).keys() == {"outcome.json"}, "no copy stays"

    def test_a_full_disk_lets_it_lose_whole(
        self, store: Store, begin: Begin, etc: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = state(etc)
        change = begin(
            files={str(etc / "old"): {"content": "new\n"}},
            persist={str(etc / name): {"content": name} for name in ("a", "b")},
        )
        assert guard.apply(store, change) is None
        install = disk.install

        def full(entry: Entry) -> None:
            if entry.path.endswith("b"):
                raise OSError(5, "Input/output error")
            install(entry)

        monkeypatch.setattr(disk, "install", full)
        outcome = guard.confirm(store, change)
        assert outcome.outcome == ROLLED_BACK
        assert "could not be made permanent" in outcome.reason
        assert state(etc) == before

    def test_power_that_fails_in_the_middle_of_it_is_a_rollback_at_boot(
        self, store: Store, begin: Begin, etc: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = state(etc)
        change = begin(
            persist={str(etc / "rules"): {"content": "rules\n"}},
            undo=[["touch", str(etc / "undo")]],
            boot=[["touch", str(etc / "boot")]],
        )
        guard.apply(store, change)

        def dies(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(store, "end", dies)
        with pytest.raises(KeyboardInterrupt):
            guard.confirm(store, change)
        assert (etc / "rules").exists()
        monkeypatch.undo()
        again = Store(store.root)
        (found,) = again.under_way()
        outcome = guard.undo(again, found, "the node rebooted", booting=True)
        assert outcome.outcome == ROLLED_BACK
        assert state(etc).pop("boot", None) is not None, "not undo: the network has not started"
        (etc / "boot").unlink()
        assert state(etc) == before


class TestUndo:
    def test_it_puts_back_owner_mode_links_and_absence(
        self, store: Store, begin: Begin, etc: Path
    ) -> None:
        (etc / "pointer").symlink_to("old")
        if os.getuid() == 0:
            os.chown(etc / "old", 12, 34)
        before, owner = state(etc), (etc / "old").stat()
        change = begin(
            files={
                str(etc / "old"): None,
                str(etc / "pointer"): {"content": "a file now\n"},
                str(etc / "fresh"): {"content": "x"},
            }
        )
        guard.apply(store, change)
        assert set(state(etc)) == {"fresh", "pointer"}
        guard.undo(store, change, "x")
        after = (etc / "old").stat()
        assert state(etc) == before
        assert (after.st_uid, after.st_gid, after.st_mtime_ns) == (
            owner.st_uid,
            owner.st_gid,
            owner.st_mtime_ns,
        )

    def test_what_cannot_be_undone_is_told_and_kept(
        self, store: Store, begin: Begin, etc: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guard, "_UNDO_PAUSE_S", 0)
        change = begin(
            files={str(etc / "old"): {"content": "new\n"}},
            undo=[["false"], ["touch", str(etc / "after")]],
        )
        guard.apply(store, change)
        outcome = guard.undo(store, change, "nobody confirmed it")
        assert outcome.outcome == STUCK
        assert (etc / "old").read_text() == "former\n", "the files are back nevertheless"
        assert (etc / "after").exists(), "and the other commands were run"
        told = guard.told(outcome, store.folder("network"), "by-hand.sh")
        assert "NOT wholly back: false: exit status 1" in told
        assert "by-hand.sh" in told
        (left,) = store.under_way()
        assert not store.waits(left), "and nobody can confirm it any more"
        assert request.confirm(store, "network", left.id, 0).confirmed is False
        assert store.under_way() == [left]

    def test_a_command_that_fails_once_is_tried_again(
        self, store: Store, begin: Begin, etc: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guard, "_UNDO_PAUSE_S", 0)
        script = f"test -e {etc}/tried || {{ touch {etc}/tried; exit 1; }}"
        change = begin(undo=[["sh", "-c", script]])
        assert guard.undo(store, change, "x").outcome == ROLLED_BACK

    def test_a_person_can_do_it_by_hand(self, store: Store, begin: Begin, etc: Path) -> None:
        before = state(etc)
        change = begin(
            files={**changed_files(etc), str(etc / "it's"): {"content": "quoted"}},
            undo=[["touch", str(etc / "undone")]],
        )
        guard.apply(store, change)
        subprocess.run(["sh", "-e", store.folder("network") / "by-hand.sh"], check=True)
        (etc / "undone").unlink()
        assert state(etc) == before
        assert store.under_way() == []


def test_another_releases_record_is_not_touched(store: Store, begin: Begin) -> None:
    begin(apply=[["true"]])
    file = store.folder("network") / "change.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 99}))
    with pytest.raises(ValueError, match="form 99"):
        store.under_way()


def test_seconds_left() -> None:
    change = Change("id", "network", 30, armed_at=100.0)
    assert (change.left_s(110.0), change.left_s(200.0)) == (20.0, 0.0)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
