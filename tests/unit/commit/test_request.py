"""What a node answers: to a change, to a second one, and to a confirmation."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.commit import (
    guard,
    lock,
    request,
    runner,
    session,
    units,
)
from ansible_collections.gpulab.core.plugins.module_utils.commit.change import ChangeError
from ansible_collections.gpulab.core.plugins.module_utils.commit.session import Session
from ansible_collections.gpulab.core.plugins.module_utils.commit.store import Store
from ansible_collections.gpulab.core.plugins.module_utils.file_lock import LockedError

from .conftest import Begin, Systemd


def connected(monkeypatch: pytest.MonkeyPatch, started: float | None) -> None:
    found = None if started is None else Session(started, "192.0.2.9", "192.0.2.1", 22)
    monkeypatch.setattr(session, "find", lambda _: found)


class TestBegin:
    def test_a_timer_comes_before_the_change(self, begin: Begin, systemd: Systemd) -> None:
        change = begin(apply=[["true"]])
        assert (systemd.active, systemd.applies) == ({change.id}, [change.id])

    @pytest.mark.parametrize("refuses", ["timer", "apply"])
    def test_without_systemd_nothing_is_under_way(
        self, store: Store, begin: Begin, systemd: Systemd, refuses: str
    ) -> None:
        systemd.refuses = refuses
        with pytest.raises(request.RequestError, match=r"nothing was changed: .*no bus"):
            begin(apply=[["true"]])
        assert (store.under_way(), systemd.active) == ([], set())

    def test_without_a_way_back_nothing_is_begun(
        self, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(units, "boot_unit_is_enabled", lambda: False)
        with pytest.raises(request.RequestError, match="apply the role commit first"):
            begin(apply=[["true"]])

    def test_no_space_for_the_copies_means_no_change(
        self, store: Store, begin: Begin, systemd: Systemd, etc: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(request.disk, "save", full)
        with pytest.raises(request.RequestError, match=r"nothing was changed.*No space left"):
            begin(files={str(etc / "old"): {"content": "new"}})
        assert (store.under_way(), systemd.active) == ([], set())
        assert list(store.folder("network").iterdir()) == []

    def test_a_second_change_is_refused_until_the_first_is_over(
        self, store: Store, begin: Begin, systemd: Systemd
    ) -> None:
        change = begin(subject="firewall", apply=[["true"]])
        with pytest.raises(request.RequestError, match=rf"firewall \({change.id}\).* in (29|30) s"):
            request.make_way(store)
        systemd.active.clear()
        assert "an earlier run left it without a timer" in request.make_way(store)
        assert request.make_way(store) == ""

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"files": {"etc/x": {"content": ""}}}, "no absolute path"),
            ({"files": {"/etc/../x": {"content": ""}}}, "no absolute path"),
            ({"files": {"/x": {}}}, "exactly one of content and link"),
            ({"files": {"/x": {"content": "", "link": "/y"}}}, "exactly one"),
            ({"files": {"/x": {"content": "", "mode": "rw"}}}, "octal number"),
            ({"files": {"/x": {"text": ""}}}, "give content or link"),
            ({"files": {"/x": None}, "persist": {"/x": None}}, "files and persist both have /x"),
            ({"apply": ["nft -f x"]}, "apply: 'nft -f x' is no list of words"),
            ({"undo": [[]]}, "undo: .* is no list of words"),
            ({"undo_files": {"../x": ""}}, "no name of a file"),
            ({"files": {"/etc": {"content": ""}}}, "/etc is a directory"),
        ],
    )
    def test_mistakes_are_named(self, begin: Begin, options: dict[str, object], says: str) -> None:
        with pytest.raises(ChangeError, match=says):
            begin(**options)


class TestConfirm:
    def test_a_connection_from_before_the_change_is_refused(
        self, store: Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change = begin(apply=[["true"]])
        guard.apply(store, change)
        connected(monkeypatch, guard.now() - 5)
        answer = request.confirm(store, "network", change.id, 0)
        assert (answer.again, answer.confirmed) == (True, False)
        assert "opened before" in answer.text
        assert len(store.under_way()) == 1

    def test_a_new_one_wins(
        self, store: Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change = begin(apply=[["true"]])
        guard.apply(store, change)
        connected(monkeypatch, guard.now() + 0.01)
        looked = request.confirm(store, "network", change.id, 0, only_look=True)
        assert (looked.confirmed, len(store.under_way())) == (True, 1)
        answer = request.confirm(store, "network", change.id, 0)
        assert (answer.confirmed, answer.proved, store.under_way()) == (True, True, [])
        again = request.confirm(store, "network", change.id, 0)
        assert again.confirmed, "the answer to the first may have been lost"

    def test_without_ssh_it_wins_and_proves_nothing(
        self, store: Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change = begin(apply=[["true"]])
        guard.apply(store, change)
        connected(monkeypatch, None)
        answer = request.confirm(store, "network", change.id, 0)
        assert (answer.confirmed, answer.proved) == (True, False)

    def test_while_its_commands_run_it_is_too_early(self, store: Store, begin: Begin) -> None:
        change = begin(apply=[["true"]])
        assert request.confirm(store, "network", change.id, 0).again

    def test_what_is_undone_has_lost(
        self, store: Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change = begin(apply=[["true"]])
        guard.apply(store, change)
        assert runner.main(["expired", change.id], store) == 0
        connected(monkeypatch, guard.now() + 1)
        answer = request.confirm(store, "network", change.id, 0)
        assert (answer.confirmed, answer.again) == (False, False)
        assert answer.text == "nobody confirmed it within 30 s; the former state is back"

    def test_an_unknown_change_is_none(self, store: Store) -> None:
        answer = request.confirm(store, "network", "cafe", 0)
        assert answer.text == "this node knows nothing of the change cafe"

    def test_giving_up_says_why(self, store: Store, begin: Begin) -> None:
        change = begin(apply=[["true"]])
        said = request.give_up(store, "network", change.id, "node01 could not get in")
        assert said == "node01 could not get in; the former state is back"


class TestRace:
    @pytest.mark.parametrize("round_", range(20))
    def test_confirmation_and_timer_agree(
        self, store: Store, begin: Begin, etc: Path, monkeypatch: pytest.MonkeyPatch, round_: int
    ) -> None:
        connected(monkeypatch, None)
        change = begin(
            files={str(etc / "old"): {"content": "new\n"}},
            persist={str(etc / "kept"): {"content": "new\n"}},
        )
        guard.apply(store, change)
        start = threading.Barrier(2)
        answers: list[request.Answer] = []

        def confirm() -> None:
            start.wait()
            time.sleep(0.001 * (round_ % 2))
            answers.append(request.confirm(store, "network", change.id, 0))

        thread = threading.Thread(target=confirm)
        thread.start()
        start.wait()
        # Each is the first about as often.
        time.sleep(0.01 * (1 - round_ % 2))
        assert runner.main(["expired", change.id], store) == 0
        thread.join()
        won = answers[0].confirmed
        assert (etc / "old").read_text() == ("new\n" if won else "former\n")
        assert (etc / "kept").exists() is won
        assert store.under_way() == []

    def test_the_timer_does_not_wait_for_a_holder_that_hangs(self, tmp_path: Path) -> None:
        # Locks of one process' descriptors exclude each other, as those of two processes do.
        path = tmp_path / "lock"
        with lock.held(0, path=path):
            with (
                pytest.raises(LockedError, match="has been changing this node"),
                lock.held(0.1, path=path),
            ):
                pytest.fail("two hold the lock")
            # Its own process would be ended; another's number, reused, never is.
            path.write_text("1 0")
            with (
                pytest.raises(LockedError, match="cannot be ended"),
                lock.held(0.1, by_force=True, path=path),
            ):
                pytest.fail("two hold the lock")


class TestRunner:
    def test_status(self, store: Store, begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
        assert runner.main(["status"], store) == 0
        change = begin(apply=[["true"]])
        assert runner.main(["status"], store) == 1
        said = capsys.readouterr().out
        assert "No change is under way." in said
        assert f"network: change {change.id} waits for its confirmation" in said

    def test_boot_undoes_without_the_commands_for_a_running_network(
        self, store: Store, begin: Begin, etc: Path, systemd: Systemd
    ) -> None:
        change = begin(
            files={str(etc / "old"): {"content": "new\n"}},
            undo=[["touch", str(etc / "undo")]],
            boot=[["touch", str(etc / "boot")]],
        )
        guard.apply(store, change)
        systemd.active.clear()
        assert runner.main(["boot"], store) == 0
        assert (etc / "old").read_text() == "former\n"
        assert ((etc / "boot").exists(), (etc / "undo").exists()) == (True, False)

    def test_boot_by_hand_on_a_running_node_undoes_what_runs(
        self, store: Store, begin: Begin, etc: Path
    ) -> None:
        change = begin(undo=[["touch", str(etc / "undo")]], boot=[["touch", str(etc / "boot")]])
        guard.apply(store, change)
        assert runner.main(["boot"], store) == 0
        assert ((etc / "boot").exists(), (etc / "undo").exists()) == (False, True)

    def test_now(self, store: Store, begin: Begin) -> None:
        begin(apply=[["true"]])
        assert runner.main(["now"], store) == 0
        assert store.under_way() == []

    @pytest.mark.parametrize("words", [[], ["help"], ["now", "x"], ["apply", "x"]])
    def test_usage(
        self, store: Store, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert runner.main(words, store) == 2
        assert "usage: gpulab-rollback" in capsys.readouterr().err
