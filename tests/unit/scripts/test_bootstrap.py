"""scripts/bootstrap.sh on machines as users have them, played by stand-ins for the system's tools.

The stand-ins (apt-get, dnf, id, sudo, python3) only record how they were called; the script, its
shell and coreutils are real, and the checkout's path has a space in it.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COREUTILS = [
    "sh",
    "basename",
    "cat",
    "cksum",
    "dirname",
    "env",
    "grep",
    "mkdir",
    "paste",
    "rm",
    "sort",
    "tr",
    "cp",
    "chmod",
]
#: A Python that can make an environment which holds itself, and notes how its modules are called.
PYTHON = """\
case "$1" in
    -c) exit 0 ;;
    --version) echo "Python 3.11.0" ;;
    -m) shift
        if [ "$1" = venv ]; then mkdir -p "$2/bin"; cp "$0" "$2/bin/python"; echo "venv" >>"$LOG"
        else echo "$*" >>"$LOG"; case "$FAILS" in "$1") exit 1 ;; esac; fi ;;
esac
"""
COMPILE = "compileall -qq -j 0 .venv/lib"


@dataclass
class Machine:
    """A checkout on a machine whose PATH has nothing but what a test puts there."""

    root: Path
    tools: Path
    log: Path

    def tool(self, name: str, body: str) -> None:
        file = self.tools / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def bootstrap(self, purpose: str = "lab", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(self.root / "scripts/bootstrap.sh"), purpose],
            env={"PATH": str(self.tools), "LOG": str(self.log), "HOME": "/nonexistent", **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian-like machine, run by root, where all that is needed is installed."""
    root, tools = tmp_path / "my lab", tmp_path / "bin"
    (root / "scripts").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / "scripts/bootstrap.sh", root / "scripts")
    for lock in ROOT.glob("requirements*.txt"):
        shutil.copy(lock, root)
    for name in COREUTILS:
        (tools / name).symlink_to(shutil.which(name) or name)
    made = Machine(root, tools, tmp_path / "log")
    made.tool("id", "echo 0")
    made.tool("apt-get", 'echo "apt-get $*" >>"$LOG"')
    made.tool("python3", PYTHON)
    for name in ("ssh-keygen", "podman", "runc", "mmdebstrap"):
        made.tool(name, "exit 0")
    # Where the host has docker's client, an engine must not be found by accident.
    made.tool("docker", "exit 1")
    return made


def test_a_machine_without_podman_gets_it_by_one_update_and_one_install(machine: Machine) -> None:
    (machine.tools / "podman").unlink()
    (machine.tools / "mmdebstrap").unlink()
    done = machine.bootstrap()
    assert done.returncode == 0, done.stderr
    update, install = [call for call in machine.calls if call.startswith("apt-get")]
    assert update.startswith("apt-get update")
    assert install.startswith("apt-get install -y -q --no-install-recommends ")
    assert {"podman", "mmdebstrap"} <= set(install.split())
    assert "runc" not in install.split()


def test_a_browser_is_installed_for_the_tests_alone(machine: Machine) -> None:
    assert machine.bootstrap("lab").returncode == 0
    assert not any("chromium" in call for call in machine.calls)
    assert machine.bootstrap("test").returncode == 0
    (install,) = [call for call in machine.calls if "chromium" in call]
    assert install.startswith("apt-get install -y -q --no-install-recommends ")


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome", "my-browser"])
def test_any_browser_of_the_kind_will_do(machine: Machine, name: str) -> None:
    machine.tool(name, "exit 0")
    chosen = {"CHROMIUM": name} if name == "my-browser" else {}
    assert machine.bootstrap("test", **chosen).returncode == 0
    assert not any("chromium" in call for call in machine.calls)


@pytest.mark.parametrize("sudo", [None, "exit 1"])
def test_without_root_and_sudo_it_says_what_to_install_and_touches_nothing(
    machine: Machine, sudo: str | None
) -> None:
    (machine.tools / "podman").unlink()
    machine.tool("id", "echo 1000")
    if sudo:
        machine.tool("sudo", sudo)
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "apt-get install -y" in done.stderr
    assert "podman" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert machine.calls == []
    assert not (machine.root / ".venv").exists()


def test_without_root_and_sudo_nothing_is_begun_even_when_all_packages_are_there(
    machine: Machine,
) -> None:
    machine.tool("dnf", "exit 0")
    (machine.tools / "apt-get").unlink()
    machine.tool("id", "echo 1000")
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "needs root or sudo" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert not (machine.root / ".venv").exists()


def test_sudo_is_used_where_the_user_is_not_root(machine: Machine) -> None:
    (machine.tools / "podman").unlink()
    machine.tool("id", "echo 1000")
    machine.tool("sudo", 'case "$1" in -n) exit 0 ;; esac; echo "sudo $*" >>"$LOG"')
    assert machine.bootstrap().returncode == 0
    assert any(call.startswith("sudo apt-get update") for call in machine.calls)
    assert any(call.startswith("sudo env DEBIAN_FRONTEND=noninteractive") for call in machine.calls)


def test_dnf_is_used_where_that_is_what_there_is(machine: Machine) -> None:
    (machine.tools / "apt-get").unlink()
    (machine.tools / "podman").unlink()
    machine.tool("dnf", 'echo "dnf $*" >>"$LOG"')
    assert machine.bootstrap().returncode == 0
    assert [call for call in machine.calls if call.startswith("dnf")] == [
        "dnf install -y -q podman"
    ]


def test_a_system_without_apt_and_dnf_is_told_what_is_needed(machine: Machine) -> None:
    (machine.tools / "apt-get").unlink()
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "neither apt-get nor dnf" in done.stderr


def test_a_second_run_installs_nothing(machine: Machine) -> None:
    assert machine.bootstrap().returncode == 0
    pip = [call for call in machine.calls if call.startswith("pip")]
    assert len(pip) == 1
    assert "--require-hashes" in pip[0]
    before = [call for call in machine.calls if not call.startswith("apt-get")]
    assert machine.bootstrap().returncode == 0
    assert [call for call in machine.calls if not call.startswith("apt-get")] == before


def test_what_is_installed_is_compiled_once(machine: Machine) -> None:
    assert machine.bootstrap(GPULAB_MITOGEN="1").returncode == 0
    locks = [call.rpartition(" ")[2] for call in machine.calls if call.startswith("pip")]
    assert locks == ["requirements.txt", "requirements-mitogen.txt"]
    assert machine.calls[-1] == COMPILE
    assert machine.bootstrap(GPULAB_MITOGEN="1").returncode == 0
    assert machine.calls.count(COMPILE) == 1


def test_an_environment_of_before_is_compiled(machine: Machine) -> None:
    machine.bootstrap()
    (machine.root / ".venv/.compiled").unlink()
    before = machine.calls
    assert machine.bootstrap().returncode == 0
    assert machine.calls == [*before, COMPILE]


def test_a_file_that_does_not_compile_stops_nothing(machine: Machine) -> None:
    assert machine.bootstrap(FAILS="compileall").returncode == 0
    assert machine.bootstrap(FAILS="compileall").returncode == 0
    assert machine.calls.count(COMPILE) == 1


def test_a_changed_lock_is_installed_into_the_same_environment(machine: Machine) -> None:
    machine.bootstrap()
    with (machine.root / "requirements.txt").open("a") as lock:
        lock.write("# another\n")
    machine.bootstrap()
    assert machine.calls.count("venv") == 1
    assert len([call for call in machine.calls if call.startswith("pip")]) == 2
    assert machine.calls.count(COMPILE) == 2


def test_an_interrupted_installation_is_completed(machine: Machine) -> None:
    assert machine.bootstrap(FAILS="pip").returncode != 0
    assert machine.bootstrap().returncode == 0
    assert len([call for call in machine.calls if call.startswith("pip")]) == 2


def test_a_half_made_environment_is_made_anew(machine: Machine) -> None:
    half = machine.root / ".venv/bin"
    half.mkdir(parents=True)
    (half / "leftover").write_text("")
    assert machine.bootstrap().returncode == 0
    assert not (half / "leftover").exists()


def test_the_environments_own_python_is_not_taken_for_the_hosts(machine: Machine) -> None:
    assert machine.bootstrap().returncode == 0
    (machine.root / ".venv/bin/python3").symlink_to("python")
    (machine.root / ".venv/.created").unlink()
    done = machine.bootstrap(PATH=f"{machine.root}/.venv/bin:{machine.tools}")
    assert done.returncode == 0, done.stderr
    assert (machine.root / ".venv/bin/python").exists()
