"""playbooks/gpu_upgrade.yml on simulations of Ubuntu and EL, with a simulation of Slurm.

After the other tests, which look at what the scenario's own run left. Each test goes on where the
one before it ended; the last ones leave the version that the scenario began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playbook_run import Play
from testinfra.host import Host

Machine = Callable[[str], Host]
Driver = Callable[[Host], dict[str, str]]
Held = Callable[[Host], set[str]]
Has = Callable[[Host, str], bool]
Slurm = Callable[..., Host]
PLAYBOOK = "playbooks/gpu_upgrade.yml"
#: In the order of the inventory's group.
NAMES = ("ubuntu2404", "rocky9", "centos10")
FIRST, LATER, OTHER = "580.95.05", "580.105.08", "590.44.01"
STUBS = "/srv/gpulab-stubs/stubs.py --repository cuda"
SLURM = "/srv/gpulab-slurm"
#: The first of the group controllers, which is asked.
HEAD = "ubuntu2404"
# A node's state and reason are files, and so is each look at its jobs.
SCONTROL = f"""#!/bin/sh
# Simulation of Slurm's scontrol for gpulab's tests; the scenario slurm has a real one.
cd {SLURM}
node=${{2#nodename=}}
case "$*" in
  '--oneliner show nodes')
    for node in $(ls); do
      reason=$(cat $node/reason)
      echo "NodeName=$node Arch=x86_64 State=$(cat $node/state) Partitions=gpu" \
        "${{reason:+Reason=$reason [root@2026-12-01T00:00:00]}}"
    done ;;
  'update nodename='*' state=drain '*)
    echo "$*" >> $node/calls; echo IDLE+DRAIN > $node/state; echo "${{4#reason=}}" > $node/reason ;;
  'update nodename='*' state=resume')
    echo "$*" >> $node/calls; echo IDLE > $node/state; : > $node/reason ;;
  *) exit 1 ;;
esac
"""
SQUEUE = f"""#!/bin/sh
# Simulation of Slurm's squeue for gpulab's tests: each look takes a line, the last one stays.
cd {SLURM}/${{2#--nodelist=}}
echo "squeue" >> calls
head -n 1 jobs
[ "$(wc -l < jobs)" -lt 2 ] || sed -i 1d jobs
"""
#: Such as ``calls("rocky9")``: what a simulated Slurm was told of a node.
Told = Callable[[str], list[str]]


def module(host: Host) -> str:
    return host.check_output("modinfo -F version /lib/modules/*/updates/dkms/nvidia.ko")


@pytest.fixture
def calls(machine: Machine) -> Told:
    """What was asked of Slurm about a node, without what only reads all of them."""

    def told(name: str) -> list[str]:
        return machine(HEAD).file(f"{SLURM}/{name}/calls").content_string.splitlines()

    return told


@pytest.fixture
def state(machine: Machine) -> Callable[[str], str]:
    """A node's state in Slurm."""

    def read(name: str) -> str:
        return machine(HEAD).file(f"{SLURM}/{name}/state").content_string.strip()

    return read


@pytest.fixture
def has(driver: Driver, held: Held) -> Has:
    """Tell whether module, NVML and packages are of one version, and the packages are held."""

    def tell(host: Host, version: str) -> bool:
        packages = {k: v for k, v in driver(host).items() if "pinning" not in k}
        libraries = "find /usr/lib/x86_64-linux-gnu /usr/lib64 -name 'libnvidia-ml.so.*'"
        assert {found.rpartition("-")[0] for found in packages.values()} == {version}
        assert host.check_output(libraries).endswith(f"libnvidia-ml.so.{version}")
        assert module(host) == version
        assert set(driver(host)) - held(host) == set()
        return True

    return tell


@pytest.fixture
def slurm(machine: Machine, put: Callable[..., None]) -> Iterator[Slurm]:
    """Make a node a node of a simulated Slurm on the head; afterwards there is none."""
    head = machine(HEAD)

    def make(name: str, state: str = "IDLE", reason: str = "", jobs: str = "") -> Host:
        for file, text in (("state", state), ("reason", reason), ("jobs", jobs), ("calls", "")):
            put(head, f"{SLURM}/{name}/{file}", text and f"{text}\n")
        put(head, "/usr/local/bin/scontrol", SCONTROL, "0755")
        put(head, "/usr/local/bin/squeue", SQUEUE, "0755")
        return machine(name)

    yield make
    head.check_output(f"rm -r {SLURM} /usr/local/bin/scontrol /usr/local/bin/squeue")


@pytest.fixture(scope="module", autouse=True)
def published(machine: Machine) -> Iterator[None]:
    """Publish a later version of the branch; afterwards it is gone again."""
    for name in NAMES:
        machine(name).check_output(f"{STUBS} --later")
    yield
    for name in NAMES:
        machine(name).check_output(STUBS)


def test_check_mode_says_what_it_would_do_and_drains_nothing(
    play: Play, driver: Driver, slurm: Slurm, calls: Told
) -> None:
    node = slurm("rocky9")
    before = driver(node)
    run = play(PLAYBOOK, "--check", "--tags=gpu_upgrade", "--limit=rocky9")
    assert run.returncode == 0, run.stdout
    assert f"rocky9: {FIRST} → the newest of branch 580" in run.said
    assert "Would install and hold nvidia-open" in run.said
    assert set(calls("rocky9")) <= {"squeue"}
    assert driver(node) == before


def test_a_refusal_says_how_to_go_on(play: Play, driver: Driver, slurm: Slurm, calls: Told) -> None:
    node = slurm("rocky9")
    before = driver(node)
    run = play(PLAYBOOK, "--limit=rocky9", nvidia_driver_branch="999")
    assert run.returncode != 0
    assert f"rocky9 had {FIRST}: Nothing was changed:" in run.said
    assert "999 is not a branch that is known" in run.said
    assert "Upgraded: none; left as they were: none. When it is mended, go on with" in run.said
    assert calls("rocky9") == []
    assert driver(node) == before


def test_a_node_that_slurm_does_not_know_is_not_upgraded(
    play: Play, driver: Driver, slurm: Slurm, machine: Machine
) -> None:
    slurm("centos10")
    node = machine("rocky9")
    before = driver(node)
    run = play(PLAYBOOK, "--limit=rocky9", group_names=["nvidia", "slurm"])
    assert run.returncode != 0
    assert "Slurm does not know a node rocky9" in run.said
    assert driver(node) == before


def test_jobs_that_do_not_end_leave_the_machine_drained(
    play: Play, driver: Driver, slurm: Slurm, state: Callable[[str], str]
) -> None:
    node = slurm("rocky9", jobs="77 of ada")
    before = driver(node)
    run = play(PLAYBOOK, "--limit=rocky9", gpu_upgrade_drain_timeout_s=2, gpu_upgrade_poll_s=1)
    assert run.returncode != 0
    assert "after 2 s jobs still run on it (77 of ada): wait for them" in run.said
    assert "It stays drained." in run.said
    assert "scontrol update nodename=rocky9 state=resume" in run.said
    assert state("rocky9") == "IDLE+DRAIN"
    assert driver(node) == before


def test_the_first_failure_stops_it(
    machine: Machine,
    play: Play,
    has: Has,
    slurm: Slurm,
    calls: Told,
    state: Callable[[str], str],
) -> None:
    # The first waits for a job that ends; the second's repository is signed by another key.
    first = slurm("ubuntu2404", jobs="78 of ada\n")
    second = slurm("rocky9")
    second.check_output(f"{STUBS} --later --signer somebody-else")
    run = play(PLAYBOOK, f"--limit={','.join(NAMES)}", gpu_upgrade_poll_s=1)
    assert run.returncode != 0
    assert has(first, LATER)
    told = calls("ubuntu2404")
    assert [call for call in told if call != "squeue"] == [
        "update nodename=ubuntu2404 state=drain reason=gpulab: driver upgrade",
        "update nodename=ubuntu2404 state=resume",
    ]
    assert told.index("squeue", 2)
    assert has(second, FIRST)
    assert state("rocky9") == "IDLE+DRAIN"
    assert has(machine("centos10"), FIRST)
    assert "TASK [Say what was upgraded]" in run.stdout
    assert f"rocky9 had {FIRST}:" in run.said
    assert "It stays drained. Upgraded: ubuntu2404; left as they were: centos10." in run.said
    assert f"{PLAYBOOK} --limit rocky9,centos10`" in run.said


def test_it_goes_on_where_it_stopped(play: Play, has: Has, slurm: Slurm, calls: Told) -> None:
    # The one was drained by the run before, the other was taken down by hand.
    ours = slurm("rocky9", "IDLE+DRAIN", "gpulab: driver upgrade")
    theirs = slurm("centos10", "DOWN", "GPU 3 not found")
    ours.check_output(f"{STUBS} --later")
    run = play(PLAYBOOK, "--limit=rocky9,centos10")
    assert run.returncode == 0, run.stdout
    assert has(ours, LATER)
    assert has(theirs, LATER)
    assert "update nodename=rocky9 state=resume" in calls("rocky9")
    assert set(calls("centos10")) == {"squeue"}
    assert f"rocky9: {FIRST} → {LATER}" in run.said
    assert f"centos10: {FIRST} → {LATER} (still out of service: GPU 3 not found)" in run.said


def test_a_plain_run_does_not_change_the_branch(
    machine: Machine, converge: Play, driver: Driver
) -> None:
    before = {name: driver(machine(name)) for name in NAMES}
    run = converge("--tags=driver", shapes_only=",".join(NAMES), nvidia_driver_branch="590")
    for name in NAMES:
        assert f"fatal: [{name}]: FAILED!" in run.stdout
        assert driver(machine(name)) == before[name]
    assert run.said.count("Nothing was changed: 580.105.08 is installed") >= len(NAMES)
    assert "changes by playbooks/gpu_upgrade.yml alone" in run.said


def test_another_branch(machine: Machine, play: Play, driver: Driver, has: Has) -> None:
    run = play(PLAYBOOK, "--limit=ubuntu2404,centos10", nvidia_driver_branch="590")
    assert run.returncode == 0, run.stdout
    for name in ("ubuntu2404", "centos10"):
        assert has(machine(name), OTHER)
    assert "nvidia-driver-pinning-580" not in driver(machine("ubuntu2404"))


def test_the_old_version_is_put_back(machine: Machine, play: Play, has: Has) -> None:
    run = play(PLAYBOOK, f"--limit={','.join(NAMES)}", nvidia_driver_version=FIRST)
    assert run.returncode == 0, run.stdout
    for name in NAMES:
        assert has(machine(name), FIRST)


def test_a_plain_run_stays_with_it(
    machine: Machine, converge: Play, driver: Driver, has: Has
) -> None:
    # The repositories have a later one, and the declaration names the branch alone.
    run = converge("--tags=driver", shapes_only=",".join(NAMES))
    assert run.returncode == 0, run.stdout
    for name in NAMES:
        assert has(machine(name), FIRST)
    pinning = {name for name in driver(machine("ubuntu2404")) if "pinning" in name}
    assert pinning == {"nvidia-driver-pinning-580"}


def test_a_reboot_by_hand_leaves_a_controller_drained(
    play: Play, slurm: Slurm, has: Has, state: Callable[[str], str]
) -> None:
    node = slurm("ubuntu2404")
    # A container never has a reboot due: its host's kernel runs.
    run = play(
        PLAYBOOK,
        "--limit=ubuntu2404",
        nvidia_driver_version=FIRST,
        nvidia_driver_pending=["the loaded NVIDIA module is 580.65.06"],
    )
    assert run.returncode != 0
    assert "a reboot by hand is due: the loaded NVIDIA module is 580.65.06" in run.said
    assert state("ubuntu2404") == "IDLE+DRAIN"
    assert has(node, FIRST)
