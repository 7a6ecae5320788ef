"""Which engine, which limits, and what its failures say."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import engine as engine_module
from ansible_collections.gpulab.core.plugins.module_utils.sandbox import images
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import (
    Engine,
    cgroups_are_unified,
    find_engine,
    parse_version,
    ulimit_args,
)
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError


@pytest.mark.parametrize(
    ("text", "version"),
    [("podman version 4.3.1", (4, 3)), ("5.0.0-rc1", (5, 0)), ("podman version 3.4.4\n", (3, 4))],
)
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_a_text_without_a_version_is_refused() -> None:
    with pytest.raises(SandboxError, match="no version number"):
        parse_version("podman: not found")


def test_limits_never_exceed_what_this_process_may_set(tmp_path: Path) -> None:
    pid_max = tmp_path / "pid_max"
    pid_max.write_text("1234\n")
    values = dict(argument.split("=") for argument in ulimit_args(pid_max)[1::2])
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    expected = 1234 if hard == resource.RLIM_INFINITY else min(1234, hard)
    assert values["nproc"] == f"{expected}:{expected}"


def test_a_hybrid_cgroup_tree_is_told_from_a_unified_one(tmp_path: Path) -> None:
    assert not cgroups_are_unified(tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    assert cgroups_are_unified(tmp_path)


def test_a_ctrl_c_does_not_reach_the_engine() -> None:
    engine = Engine("podman", ("sh",), "")
    process, group, session = engine.run("-c", "ps -o pid=,pgid=,sid= -p $$").stdout.split()
    assert group == process
    assert int(session) == os.getsid(0)


def test_a_failing_engine_says_what_it_was_asked_and_what_it_answered() -> None:
    broken = Engine("podman", ("sh", "-c", "echo no space left >&2; exit 125", "podman"), "")
    with pytest.raises(SandboxError, match=r"podman network create .* \(125\): no space left"):
        broken.run("network", "create", "x")


def test_a_hanging_engine_is_given_up() -> None:
    hanging = Engine("podman", ("sleep", "30"), "")
    with pytest.raises(SandboxError, match="took longer than"):
        hanging.run("0", timeout_s=0.2)


def tools(folder: Path, **scripts: str) -> None:
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)


def test_podman_comes_before_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools(tmp_path, podman="echo podman version 4.3.1", docker="exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(engine_module.os, "geteuid", lambda: 0)
    assert find_engine().name == "podman"


def test_docker_serves_where_podman_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(tmp_path, podman="echo podman version 3.4.4", docker="exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(engine_module.os, "geteuid", lambda: 0)
    assert find_engine().name == "docker"


def test_a_host_without_an_engine_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(tmp_path, docker="exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine_module.os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine_module.shutil, "which", lambda name: name == "docker" or None)
    with pytest.raises(SandboxError, match=r"install podman 4\.0 or newer"):
        find_engine()


def test_a_user_without_root_or_sudo_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(tmp_path, sudo="exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(engine_module.os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="run as root, or allow this user sudo"):
        find_engine()


def test_sudo_is_used_where_it_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(tmp_path, sudo='shift; exec "$@"', podman="echo podman version 5.4.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(engine_module.os, "geteuid", lambda: 1000)
    assert find_engine().command == ("sudo", "-n", "podman")


def test_only_the_sandboxs_own_images_are_listed_for_removal() -> None:
    listing = "echo localhost/gpulab-sandbox-debian-12:aa; echo docker.io/library/debian:12; "
    more = "echo localhost/gpulab-sandbox-vm-debian-12:bb; echo '<none>:<none>'"
    engine = Engine("podman", ("sh", "-c", listing + more, "podman"), "")
    assert images.cached(engine) == [
        "localhost/gpulab-sandbox-debian-12:aa",
        "localhost/gpulab-sandbox-vm-debian-12:bb",
    ]
