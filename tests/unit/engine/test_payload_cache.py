"""What a run packed is used by the next, until one of its files changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.gpulab.core.plugins.plugin_utils.engine import payload_cache

PING = "ansible.modules.ping-ZIP_DEFLATED-none"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ansible's home folder, and sources of one file each."""
    for folder in ("ansible", "collection"):
        for part in ("modules", "module_utils/sub"):
            (tmp_path / folder / part).mkdir(parents=True)
            (tmp_path / folder / part / "one.py").write_text("1\n")
    monkeypatch.setattr(payload_cache, "_ANSIBLE", tmp_path / "ansible")
    monkeypatch.setattr(payload_cache, "_COLLECTION", tmp_path / "collection")
    monkeypatch.setattr(constants, "DEFAULT_MODULE_UTILS_PATH", [])
    monkeypatch.setattr(
        constants.config, "get_config_value", {"ANSIBLE_HOME": str(tmp_path / "home")}.__getitem__
    )
    return tmp_path


def run(home: Path, monkeypatch: pytest.MonkeyPatch, number: int, **packs: str) -> dict[str, str]:
    """A run that packs these; return what it had before."""
    temporary = home / f"run{number}"
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(temporary))
    payload_cache.restore()
    used = temporary / "ansiballz_cache"
    had = {file.name: file.read_text() for file in used.iterdir()} if used.exists() else {}
    used.mkdir(parents=True, exist_ok=True)
    for name, content in packs.items():
        (used / name).write_text(content)
    payload_cache.keep()
    return had


def test_the_next_run_has_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "ansible_collections.gpulab.core.plugins.modules.files-ZIP_DEFLATED-none"
    assert run(home, monkeypatch, 1, **{PING: "packed", f"{PING}.lock": ""}) == {}
    assert run(home, monkeypatch, 2, **{other: "packed, too"}) == {PING: "packed"}
    assert run(home, monkeypatch, 3) == {PING: "packed", other: "packed, too"}


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
@pytest.mark.parametrize("file", ["ansible/modules/one.py", "collection/module_utils/sub/one.py"])
def test_a_changed_file_makes_it_stale(
    home: Path, monkeypatch: pytest.MonkeyPatch, file: str, change: str
) -> None:
    run(home, monkeypatch, 1, **{PING: "packed"})
    if change == "removed":
        (home / file).unlink()
    elif change == "added":
        (home / file).with_name("two.py").write_text("")
    else:
        (home / file).write_text("2\n")
    assert run(home, monkeypatch, 2) == {}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (PING, True),
        (f"{PING}.lock", False),
        (f"{PING}-part", False),
        ("ansible.legacy.mine-ZIP_DEFLATED-none", False),
        ("ansible_collections.community.general.plugins.modules.ini_file-ZIP-none", False),
        ("ansible_collections.gpulab.core.plugins.modules.files-ZIP-none", True),
    ],
)
def test_only_what_is_known_is_kept(name: str, kept: bool) -> None:
    assert payload_cache.is_kept(name) is kept


def test_states_that_are_long_gone_are_forgotten(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        (home / "ansible/modules/one.py").write_text("x" * number)
        run(home, monkeypatch, number, **{PING: str(number)})
        for age, state in enumerate(sorted((home / "home/gpulab-payloads").iterdir())):
            if state.stat().st_mtime > 1e9:
                os.utime(state, (number * 10, number * 10))
            assert age < payload_cache._KEPT
    assert run(home, monkeypatch, 9) == {PING: "7"}


def test_modules_from_any_place_are_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(home, monkeypatch, 1, **{PING: "packed"})
    monkeypatch.setattr(constants, "DEFAULT_MODULE_UTILS_PATH", [str(home)])
    assert run(home, monkeypatch, 2) == {}


def test_a_folder_that_others_write_to_is_not_believed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(home, monkeypatch, 1, **{PING: "packed"})
    (home / "home/gpulab-payloads").chmod(0o777)
    assert run(home, monkeypatch, 2) == {}
