"""The packed file: the same bytes everywhere, and it runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gpulab_bench import pack

MODULES = Path(__file__).parents[3] / "python_modules"


def test_two_packs_are_the_same_bytes(tmp_path: Path) -> None:
    """Neither the files' times nor their modes nor the folder's place may show in the archive."""
    copy = tmp_path / "elsewhere" / "gpulab_bench"
    shutil.copytree(MODULES / "gpulab_bench", copy)
    shutil.copytree(MODULES / "ansible_collections", copy.parent / "ansible_collections")
    for number, file in enumerate(sorted(copy.rglob("*.py"))):
        os.utime(file, (number, number))
        file.chmod(0o700)
    pack.pack(tmp_path / "one.pyz")
    subprocess.run(
        [sys.executable, "-m", "gpulab_bench.pack", str(tmp_path / "two.pyz")],
        env={**os.environ, "PYTHONPATH": str(copy.parent), "TZ": "Asia/Tokyo"},
        check=True,
        timeout=60,
    )
    assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()


def test_the_packed_file_runs_alone(tmp_path: Path) -> None:
    target = tmp_path / "bench.pyz"
    pack.pack(target)
    done = subprocess.run(
        [sys.executable, "-I", str(target), "--help"],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "exit status:" in done.stdout
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_the_archive_holds_the_package_and_the_schema_in_order(tmp_path: Path) -> None:
    target = tmp_path / "bench.pyz"
    pack.pack(target)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == sorted(names)
    wanted = {"__main__.py", "gpulab_bench/train.py", "gpulab_bench/stages/train.py"}
    assert wanted < set(names)
    assert "gpulab_bench/schemas/result.schema.json" in names
    assert "gpulab_bench/pack.py" not in names


def test_a_pack_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bench.pyz"
    target.write_text("old")

    def disk_full(*_arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", disk_full)
    with pytest.raises(OSError, match="No space left"):
        pack.pack(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
