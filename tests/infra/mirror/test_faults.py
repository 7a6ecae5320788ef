"""What the mirror can't give or can't keep ends the run, and the run says why.

After the other tests, which look at what the scenario's own run left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playbook_run import Play
from testinfra.host import Host

FAILED = "fatal: [{}]: FAILED!"
NODES = ("ubuntu2404", "rocky9")


@pytest.mark.on("head01")
@pytest.mark.usefixtures("host")
def test_a_second_run_changes_nothing(play: Play) -> None:
    run = play("playbooks/mirror.yml", mirror_offline=True)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("changed=0 ") == 3


@pytest.mark.on("head01")
@pytest.mark.usefixtures("host")
def test_a_package_that_was_not_kept_is_an_error_that_says_so(play: Play) -> None:
    software = {
        "mirror": True,
        "nvidia_driver": {"branch": "580", "source": "nvidia"},
        "cuda": {"versions": ["12.9"]},
    }
    run = play("playbooks/gpu.yml", lab_software=software)
    for name in NODES:
        last = run.said.split(FAILED.format(name))[-1].split("fatal: [")[0]
        # dnf fetches several at once and ends at the first that fails.
        assert re.search("cuda-(nvcc|toolkit)-12-9", last)
        assert "The head does not keep it, and it asks nobody or reaches nobody" in last
        assert "run playbooks/mirror.yml with mirror_offline: false" in last


@pytest.fixture
def past_the_head(machine: Callable[[str], Host]) -> Iterator[None]:
    """Give each node a source that nobody could keep, as fresh installations have them."""
    ubuntu, rocky = (machine(name) for name in NODES)
    source = "deb https://archive.test/ubuntu noble main"
    ubuntu.check_output(f"echo '{source}' > /etc/apt/sources.list.d/past.list")
    lines = "[extras]\\nname=extras\\nmirrorlist=https://mirrors.test/list?repo=extras\\n"
    rocky.check_output(f"printf '{lines}' > /etc/yum.repos.d/past.repo")
    yield
    ubuntu.check_output("rm /etc/apt/sources.list.d/past.list")
    rocky.check_output("rm /etc/yum.repos.d/past.repo")


@pytest.mark.on("head01")
@pytest.mark.usefixtures("past_the_head")
def test_sources_that_go_past_the_head_are_refused_by_name(play: Play) -> None:
    run = play("playbooks/mirror.yml", mirror_offline=True)
    for name in NODES:
        assert run.said.split(FAILED.format(name))[-1].count("Nothing was changed")
    assert "fetches from https://archive.test/ubuntu" in run.said
    assert "extras (/etc/yum.repos.d/past.repo) chooses a server by its mirrorlist" in run.said
    assert run.stdout.count("changed=0 ") == 3


@pytest.mark.on("head01")
@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("head99", "which is no machine of the inventory. Nothing was changed"),
        ("rocky9", "rocky9 has Rocky 9.6, and what keeps the packages, apt-cacher-ng, is packaged"),
        ("", "and no machine is in the group controllers. Nothing was changed"),
    ],
)
def test_a_head_that_can_not_be_one_is_refused_by_all(play: Play, name: str, words: str) -> None:
    run = play("playbooks/mirror.yml", mirror_head=name)
    for machine in ("head01", *NODES):
        assert words in run.said.split(FAILED.format(machine))[-1]
    assert run.stdout.count("changed=0 ") == 3


@pytest.fixture
def side_by_side(machine: Callable[[str], Host]) -> Iterator[None]:
    """Have dnf overlook modules, so that all branches lie side by side, as on EL 10."""
    rocky = machine("rocky9")
    file = "/etc/yum.repos.d/gpulab-nvidia.repo"
    rocky.check_output("dnf --quiet versionlock clear")
    rocky.check_output("dnf --assumeyes --quiet remove nvidia-open")
    rocky.check_output(f"echo module_hotfixes=1 >> {file}")
    yield
    rocky.check_output(f"sed -i /module_hotfixes/d {file}")


@pytest.mark.on("head01")
@pytest.mark.usefixtures("side_by_side")
def test_what_is_listed_keeps_to_the_branch_of_a_lock(play: Play) -> None:
    for lock, version in {"": "590.44.01", "*nvidia*580*": "580.95.05"}.items():
        run = play("molecule/mirror/list_driver.yml", lock=lock)
        found = set(re.findall(r"x86_64/(\S*nvidia\S*)-\d+\.noarch\.rpm''?", run.stdout))
        assert len(found) == 5, run.stdout
        assert {name.rsplit("-", 1)[1] for name in found} == {version}
