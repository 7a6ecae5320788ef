"""Upgrade, refused upgrades, going back and removal: each test goes on from the one before.

Last (order.txt): it leaves nodes from which both frameworks were removed. `molecule converge -s
frameworks` brings them back.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playbook_run import MITOGEN, changes_in, environment, failures_in
from testinfra.host import Host

TARGETS = ["node01"]

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "roles/pytorch/files/requirements-cpu.txt"
PREFIX = "/opt/gpulab/pytorch"
FOLDER = "/srv/gpulab/www/wheelhouse"
UNIT = "gpulab-wheelhouse"
MESSAGE = "/etc/profile.d/gpulab-frameworks.sh"
JOB = "gpulab-test-job"
FILELOCK = re.compile(r"^filelock==.* \\$", re.M)
NUMPY = re.compile(r"^numpy==(\S+) ; python_full_version >= '3.11'(?: \\\n    --hash=\S+)+", re.M)
LOCKED = "".join(NUMPY.findall(LOCK.read_text()))
# The release before the lock's, for CPython 3.11 on x86_64 (PyPI).
OTHER_NUMPY = """\
numpy==2.4.5 ; python_full_version >= '3.11' \\
    --hash=sha256:07ce7e74da92d7c71b5df157b9758bcdd53d7fea10602154de3afd2b3ddc34dd"""


@dataclass(frozen=True)
class Run:
    """What a playbook run said: exit status, and of each node its failure and its changes."""

    code: int
    failures: dict[str, str]
    changed: dict[str, int]


def play(*arguments: str, **options: Any) -> Run:
    """Run playbooks/frameworks.yml on the scenario's nodes with these role options.

    What the scenario declares of TensorFlow is left out, unless the options say otherwise: these
    tests are of what both frameworks share.
    """
    options = {"lab_software": {}} | options
    inventory = os.environ.get("GPULAB_INVENTORY")
    if inventory is None:
        inventory = f"{os.environ['MOLECULE_SCENARIO_DIRECTORY']}/inventory"
    done = subprocess.run(
        [
            *[str(Path(sys.executable).with_name("ansible-playbook")), "--inventory", inventory],
            *["playbooks/frameworks.yml", "--extra-vars", json.dumps(options), *arguments],
        ],
        cwd=ROOT,
        env=environment(MITOGEN)
        | {
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            # Instead of the project's: a refused upgrade of a test is nobody's failed run.
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.default",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert "PLAY RECAP" in done.stdout, done.stdout + done.stderr
    return Run(done.returncode, failures_in(done.stdout), changes_in(done.stdout))


def numpy_of(node: Host) -> str:
    """The numpy that the environment in use imports, beside a torch that works."""
    program = "import numpy, torch; torch.ones(2, 2) @ torch.ones(2, 2); print(numpy.__version__)"
    return str(node.check_output("%s/bin/python -c %s", PREFIX, program))


def environments(node: Host) -> list[str]:
    """The environments of PyTorch that are there, sorted."""
    return sorted(node.file(f"{PREFIX}-versions").listdir())


@pytest.fixture(scope="module")
def head(host: Host) -> Host:
    """The node that serves the wheels."""
    found: Host = host.get_host("ssh://head01", ssh_config=host.backend.ssh_config, sudo=True)
    return found


@pytest.fixture
def no_way_out(host: Host) -> Iterator[None]:
    """Leave the node its own networks only."""
    route = host.check_output("ip route show default")
    host.check_output("ip route del default")
    assert host.run("ip route get 192.0.2.1").failed
    yield
    host.check_output(f"ip route add {route}")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lock with another numpy."""
    changed, count = NUMPY.subn(lambda _: OTHER_NUMPY, LOCK.read_text())
    assert count == 1
    lock = tmp_path_factory.mktemp("locks") / "requirements-cpu.txt"
    lock.write_text(changed)
    return lock


def test_a_wrong_hash_is_refused_by_the_controller(host: Host, other: Path) -> None:
    wrong = other.with_name("wrong.txt")
    wrong.write_text(other.read_text().replace("07ce7e74", "00000000"))
    before = host.file(PREFIX).linked_to
    run = play(pytorch_lock_cpu=str(wrong))
    assert run.code != 0
    assert "DO NOT MATCH THE HASHES" in run.failures["head01"]
    assert "make lock" in run.failures["head01"]
    # The node is told that its wheels are not there, and keeps what it has.
    assert "answers 404" in run.failures["node01"]
    assert host.file(PREFIX).linked_to == before
    assert numpy_of(host) == LOCKED


def test_an_unreachable_head_is_named_with_the_fix(host: Host, head: Host, other: Path) -> None:
    head.check_output("systemctl stop %s", UNIT)
    run = play("--limit", "node01", pytorch_lock_cpu=str(other))
    head.check_output("systemctl start %s", UNIT)
    message = run.failures["node01"]
    assert re.search(
        r"http://[\d.]+:8008/pytorch-cpu-cp311-x86_64-\S+\.json does not answer", message
    )
    assert "systemctl status gpulab-wheelhouse" in message
    assert numpy_of(host) == LOCKED


def test_too_little_space_is_said_before_anything_is_touched(host: Host, other: Path) -> None:
    run = play(
        "--limit",
        "node01",
        pytorch_lock_cpu=str(other),
        pytorch_disk_gib={"cpu": 1e6, "cuda": 1e6},
    )
    assert "needs 1000000.0 GiB of free space" in run.failures["node01"]
    assert run.changed["node01"] == 0
    assert numpy_of(host) == LOCKED


def test_a_wheel_that_was_tampered_with_on_the_way_is_refused_by_the_node(
    host: Host, head: Host, other: Path
) -> None:
    """Same wheels under another key: the lock allows a file more, which nobody has."""
    lock = other.with_name("tampered.txt")
    text, count = FILELOCK.subn(rf"\g<0>\n    --hash=sha256:{'0' * 64} \\\\", LOCK.read_text())
    assert count == 1
    lock.write_text(text)
    missing = play("--limit", "node01", pytorch_lock_cpu=str(lock)).failures["node01"]
    key = re.search(r"8008/(\S+)\.json answers 404", missing)
    assert key is not None, missing
    served = host.file(PREFIX).linked_to.rpartition("/")[2]
    head.check_output("cp -r %s/%s %s/%s", FOLDER, served, FOLDER, key[1])
    head.check_output("cp %s/%s.json %s/%s.json", FOLDER, served, FOLDER, key[1])
    head.check_output(f"sh -c 'echo x >> $(ls {FOLDER}/{key[1]}/filelock-*.whl)'")

    run = play("--limit", "node01", pytorch_lock_cpu=str(lock))
    assert "DO NOT MATCH THE HASHES" in run.failures["node01"]
    assert f"{PREFIX} is unchanged ({served})" in run.failures["node01"]
    assert host.file(f"{PREFIX}-versions").listdir() == [served]
    assert numpy_of(host) == LOCKED
    head.check_output("rm -r %s/%s %s/%s.json", FOLDER, key[1], FOLDER, key[1])


@pytest.mark.usefixtures("no_way_out")
def test_an_upgrade_needs_nothing_but_the_head_and_keeps_the_one_before(
    host: Host, head: Host, other: Path
) -> None:
    before = host.file(PREFIX).linked_to
    run = play(pytorch_lock_cpu=str(other))
    assert run.code == 0, run.failures
    now = host.file(PREFIX).linked_to
    assert now != before
    assert numpy_of(host) == "2.4.5"
    assert environments(host) == sorted([before.rpartition("/")[2], now.rpartition("/")[2]])
    # The head needs the wheels before no more.
    served = [name for name in head.file(FOLDER).listdir() if name.startswith("pytorch-")]
    key = now.rpartition("/")[2]
    assert sorted(served) == [key, f"{key}.json"]
    again = play(pytorch_lock_cpu=str(other))
    assert (again.code, again.changed) == (0, {"head01": 0, "node01": 0})


def test_going_back_asks_nobody_and_removes_nothing_that_runs(host: Host) -> None:
    """A job was started through the link, and has the new environment loaded."""
    newer = host.file(PREFIX).linked_to
    program = "import numpy, pathlib, time; pathlib.Path('/run/loaded').touch(); time.sleep(900)"
    host.check_output(
        "systemd-run --quiet --collect --unit=%s %s/bin/python -c %s", JOB, PREFIX, program
    )
    host.check_output("timeout 60 sh -c 'until [ -e /run/loaded ]; do sleep 0.2; done'")
    pid = host.check_output("systemctl show --property=MainPID --value %s", JOB)

    # The head does not take part, and does not serve the wheels of this lock any more.
    run = play("--limit", "node01", pytorch_keep=0)
    assert run.code == 0, run.failures
    assert numpy_of(host) == LOCKED
    assert newer.rpartition("/")[2] in environments(host)
    refused = play("--limit", "node01", pytorch_state="absent").failures["node01"]
    assert f"{newer} is in use by the processes {pid}: end them" in refused
    assert host.service(JOB).is_running
    assert numpy_of(host) == LOCKED


def test_a_later_run_removes_what_has_ended(host: Host) -> None:
    host.check_output("systemctl stop %s", JOB)
    run = play("--limit", "node01", pytorch_keep=0)
    assert (run.code, run.changed) == (0, {"node01": 1})
    assert environments(host) == [host.file(PREFIX).linked_to.rpartition("/")[2]]


def test_what_was_altered_is_mended_and_what_is_broken_is_named(host: Host) -> None:
    kernel = "/usr/local/share/jupyter/kernels/gpulab-pytorch/kernel.json"
    good = host.file(kernel).content_string
    host.check_output("sh -c 'echo broken > %s'", kernel)
    site = host.check_output("sh -c 'echo %s/lib/python3*/site-packages'", PREFIX)
    host.check_output(f"sh -c 'mv {site}/filelock-*.dist-info /run/gone.dist-info'")
    run = play("--limit", "node01")
    version = re.search(r"^filelock==(\S+)", LOCK.read_text(), re.M)
    assert version is not None
    assert f"filelock is missing, the lock says {version[1]}" in run.failures["node01"]
    assert host.file(kernel).content_string == good
    name = f"filelock-{version[1]}.dist-info"
    host.check_output("mv /run/gone.dist-info %s", f"{site}/{name}")


def test_removing_one_framework_leaves_the_other(host: Host, head: Host) -> None:
    assert play(pytorch_state="absent").code == 0
    assert host.file("/opt/gpulab").listdir() == ["tensorflow", "tensorflow-versions"]
    assert host.file("/etc/gpulab/frameworks").listdir() == ["tensorflow"]
    assert host.file(MESSAGE).exists
    assert host.file("/usr/local/share/jupyter/kernels").listdir() == ["gpulab-tensorflow"]
    assert {name.partition("-")[0] for name in head.file(FOLDER).listdir()} == {"tensorflow"}
    assert head.service(UNIT).is_running


def test_removal_leaves_nothing_and_is_quiet_the_second_time(host: Host, head: Host) -> None:
    assert play(pytorch_state="absent", tensorflow_state="absent").code == 0
    assert host.file("/opt/gpulab").listdir() == []
    assert not host.file("/etc/gpulab/frameworks").exists
    assert not host.file(MESSAGE).exists
    assert host.file("/usr/local/share/jupyter/kernels").listdir() == []
    assert not head.file(FOLDER).exists
    assert not head.file(f"/etc/systemd/system/{UNIT}.service").exists
    assert not head.file("/etc/gpulab-wheelhouse.conf").exists
    assert ":8008" not in head.check_output("ss -Hltn")
    again = play(pytorch_state="absent", tensorflow_state="absent")
    assert (again.code, again.changed) == (0, {"head01": 0, "node01": 0})
