"""The module ``gpulab.core.files`` on real files."""

from __future__ import annotations

import getpass
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpulab.core.plugins.modules import files

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the module; gives its result with ``rc``."""

    def call(*entries: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        mine = [{"owner": getpass.getuser(), **entry} for entry in entries]
        arguments = {
            "files": mine,
            **options,
            "_ansible_check_mode": check,
            "_ansible_tmpdir": str(tmp_path),
        }
        with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
            files.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return {"exit": ended.value.code, **result}

    return call


def test_writes_with_mode_and_parents_and_is_idempotent(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "key"
    entry = {"path": str(path), "content": "x\n", "mode": "0600", "directory_mode": "0700"}
    first = run(entry)
    assert (first["changed"], first["paths"]) == (True, [str(path)])
    assert path.read_text() == "x\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    second = run(entry)
    assert (second["changed"], second["paths"], second["diff"]) == (False, [], [])


def test_mode_alone_is_a_change(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("x\n")
    path.chmod(0o666)
    result = run({"path": str(path), "content": "x\n", "mode": "0644"})
    assert result["paths"] == [str(path)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_one_refused_file_leaves_all_as_they_were(run: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_text("old\n")
    result = run(
        {"path": str(good), "content": "x\n"},
        {"path": str(bad), "content": "nonsense\n", "validate": "grep -q sense-making %s"},
    )
    assert result["failed"]
    assert result["exit"] == 1
    assert f"{bad}: grep refuses the new content, nothing was written" in result["msg"]
    assert not good.exists()
    assert bad.read_text() == "old\n"


def test_a_validator_that_is_not_there_fails(run: Run, tmp_path: Path) -> None:
    entry = {"path": str(tmp_path / "x"), "content": "x", "validate": "no-such-command %s"}
    assert run(entry)["failed"]
    assert not (tmp_path / "x").exists()


def test_check_mode_says_what_it_could_not_validate(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(files.AnsibleModule, "warn", lambda _module, text: said.append(text))
    path = tmp_path / "x"
    entry = {"path": str(path), "content": "x", "validate": "no-such-command %s"}
    assert run(entry, check=True)["changed"]
    assert said == [f"{path} was not validated: no-such-command is not installed yet"]


def test_check_mode_validates_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    ok = run({"path": str(path), "content": "x\n", "validate": "grep -q x %s"}, check=True)
    assert ok["changed"]
    assert ok["diff"][0]["after"] == "x\n"
    assert run({"path": str(path), "content": "y\n", "validate": "grep -q x %s"}, check=True)[
        "failed"
    ]
    assert not path.exists()


def test_removes(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("x\n")
    assert run({"path": str(path), "state": "absent"}, check=True)["changed"]
    assert path.exists()
    assert run({"path": str(path), "state": "absent"})["changed"]
    assert not path.exists()
    assert not run({"path": str(path), "state": "absent"})["changed"]


def test_links_and_refuses_a_target_that_is_not_there(run: Run, tmp_path: Path) -> None:
    target, path = tmp_path / "zone", tmp_path / "localtime"
    missing = run({"path": str(path), "link": str(target)})
    assert missing["failed"]
    assert "does not exist" in missing["msg"]
    target.write_text("x\n")
    path.write_text("a file\n")
    assert run({"path": str(path), "link": str(target)})["changed"]
    assert path.readlink() == target
    assert not run({"path": str(path), "link": str(target)})["changed"]


def test_a_link_in_the_way_is_replaced_not_written_through(run: Run, tmp_path: Path) -> None:
    secret, path = tmp_path / "shadow", tmp_path / "authorized_keys"
    secret.write_text("secret\n")
    path.symlink_to(secret)
    assert run({"path": str(path), "content": "key\n"})["changed"]
    assert secret.read_text() == "secret\n"
    assert not path.is_symlink()


def test_follow_writes_through_a_link(run: Run, tmp_path: Path) -> None:
    real, path = tmp_path / "locale.conf", tmp_path / "locale"
    real.write_text("old\n")
    path.symlink_to(real)
    result = run({"path": str(path), "content": "new\n", "follow": True})
    assert result["paths"] == [str(path)]
    assert path.is_symlink()
    assert real.read_text() == "new\n"


def test_a_wrong_entry_is_refused_before_anything_is_written(run: Run, tmp_path: Path) -> None:
    result = run({"path": str(tmp_path / "x"), "content": "x"}, {"path": "relative", "content": ""})
    assert "not absolute" in result["msg"]
    assert not (tmp_path / "x").exists()


def test_keys_are_added_to_what_is_there(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "authorized_keys"
    path.write_text("# ours\nssh-ed25519 AAAAfirst ops\n")
    path.chmod(0o644)
    entry = {"path": str(path), "public_keys": ["ssh-ed25519 AAAAsecond alice"], "mode": "0600"}
    would = run(entry, check=True)
    assert would["diff"][0]["after"].splitlines()[-1] == "ssh-ed25519 AAAAsecond alice"
    assert path.read_text() == "# ours\nssh-ed25519 AAAAfirst ops\n"
    assert run(entry)["paths"] == [str(path)]
    assert path.read_text() == "# ours\nssh-ed25519 AAAAfirst ops\nssh-ed25519 AAAAsecond alice\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not run(entry)["changed"]


def test_keys_are_not_added_through_a_link(run: Run, tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "authorized_keys"
    target.write_text("secret\n")
    path.symlink_to(target)
    result = run({"path": str(path), "public_keys": ["ssh-ed25519 AAAAfirst"]})
    assert result["failed"]
    assert "is a link" in result["msg"]
    assert path.is_symlink()
    assert target.read_text() == "secret\n"


def test_an_option_is_set_through_a_link(run: Run, tmp_path: Path) -> None:
    real, path = tmp_path / "dnf.conf", tmp_path / "yum.conf"
    real.write_text("[main]\ngpgcheck=1\n")
    path.symlink_to(real)
    ini = {"section": "main", "option": "proxy", "value": "http://192.0.2.1:3142"}
    entry = {"path": str(path), "ini": ini, "follow": True}
    assert run(entry)["changed"]
    assert real.read_text() == "[main]\ngpgcheck=1\nproxy=http://192.0.2.1:3142\n"
    assert path.is_symlink()
    assert not run(entry)["changed"]


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of systemd's units, and a systemctl that writes down what it is asked."""
    tool = tmp_path / "bin" / "systemctl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n[ ! -e {tmp_path}/broken ]\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    monkeypatch.setattr(files, "UNITS", f"{tmp_path}/units/")
    return tmp_path / "units"


def test_systemd_reads_a_unit_that_changed(run: Run, units: Path, tmp_path: Path) -> None:
    unit = {"path": str(units / "x.service"), "content": "[Unit]\n"}
    other = {"path": str(tmp_path / "x.conf"), "content": "x\n"}
    run(unit, check=True, daemon_reload=True)
    run(other, daemon_reload=True)
    assert not (tmp_path / "asked").exists()
    run(unit, other, daemon_reload=True)
    run(unit, other, daemon_reload=True)
    assert (tmp_path / "asked").read_text() == "daemon-reload\n"


def test_a_systemd_that_does_not_answer_ends_it(run: Run, units: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    unit = {"path": str(units / "x.service"), "content": "[Unit]\n"}
    assert run(unit, daemon_reload=True)["failed"]
