"""A stub of NVIDIA's repository is broken: the run says so, and the next one repairs what it can.

After the other tests, which look at what the scenario's own run left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from testinfra.host import Host

Converge = Callable[..., "subprocess.CompletedProcess[str]"]
Installed = Callable[[Host], dict[str, str]]
Held = Callable[[Host], set[str]]
FAILED = "fatal: [{}]: FAILED!"
#: How a toolkit goes where the repositories are broken by the tests below.
REMOVE = {
    "ubuntu2404": "apt-get purge --yes --allow-change-held-packages cuda-toolkit-13-0",
    "rocky9": "sh -c 'dnf versionlock clear; dnf --assumeyes remove cuda-toolkit-13-0'",
}


@pytest.mark.on("ubuntu2404")
def test_a_package_that_was_renamed_ends_the_run(
    pair: dict[str, Host], broken: Callable[[str], None], converge_pair: Converge
) -> None:
    for name, machine in pair.items():
        machine.check_output(REMOVE[name])
    broken("--rename cuda-toolkit-13-0=cuda-tools-13-0")
    run = converge_pair()
    for name in pair:
        assert FAILED.format(name) in run.stdout
    assert run.said.count("cuda-toolkit-13-0") >= 2
    assert "Check lab_software.cuda in the inventory" in run.said


@pytest.mark.on("ubuntu2404")
def test_another_signer_ends_the_run(
    pair: dict[str, Host],
    broken: Callable[[str], None],
    converge_pair: Converge,
    installed: Installed,
) -> None:
    broken("--signer somebody-else")
    run = converge_pair()
    for name, machine in pair.items():
        assert FAILED.format(name) in run.stdout
        assert "cuda-toolkit-13-0" not in installed(machine)
    assert run.said.count("not signed by the key that is pinned") >= 2


@pytest.mark.on("ubuntu2404")
def test_the_next_run_mends_it(
    pair: dict[str, Host], converge_pair: Converge, installed: Installed, held: Held
) -> None:
    run = converge_pair()
    assert run.returncode == 0, run.stdout
    for machine in pair.values():
        assert "cuda-toolkit-13-0" in installed(machine)
        assert set(installed(machine)) <= held(machine)
