"""What the tests of shaped nodes (simulations) share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
import testinfra
from playbook_run import MITOGEN
from testinfra.host import Host

STUBS = "/srv/gpulab-stubs/stubs.py --repository cuda"
#: One node of each package manager is enough to break, and a run on both costs as one.
PAIR = ("ubuntu2404", "rocky9")
Converge = Callable[..., "subprocess.CompletedProcess[str]"]
#: Nodes with dnf.
EL = ("rocky9", "centos10")


def versions(host: Host, prefixes: tuple[str, ...]) -> dict[str, str]:
    """Read package → version and release, of the packages whose names begin so."""
    if host.backend.get_hostname() in EL:
        command = "rpm --query --all --queryformat '%{NAME} %{VERSION}-%{RELEASE}\\n'"
    else:
        # What is removed and left its configuration is not installed.
        command = "dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version}\\n'"
        command += " | sed -n 's/^installed //p'"
    rows = dict(line.split() for line in host.check_output(command).splitlines())
    return {name: version for name, version in rows.items() if name.startswith(prefixes)}


@pytest.fixture(scope="session")
def strategy() -> str:
    """Mitogen's: that both give the same is proved by tests/runs."""
    return MITOGEN


@pytest.fixture(scope="session")
def installed() -> Callable[[Host], dict[str, str]]:
    """Read package → version and release, of CUDA's and DCGM's packages."""
    prefixes = ("cuda-", "cudnn", "libcudnn", "libnccl", "datacenter-gpu")
    return lambda host: versions(host, prefixes)


@pytest.fixture(scope="session")
def driver() -> Callable[[Host], dict[str, str]]:
    """Read package → version and release, of the driver's packages."""
    return lambda host: versions(host, ("nvidia-", "libnvidia-", "cuda-drivers", "kmod-nvidia-"))


@pytest.fixture(scope="session")
def held() -> Callable[[Host], set[str]]:
    """Read the names of packages that the package manager leaves at their versions."""

    def read(host: Host) -> set[str]:
        if host.backend.get_hostname() in EL:
            lines = host.file("/etc/dnf/plugins/versionlock.list").content_string.splitlines()
            locks = [line for line in lines if line and not line.startswith("#")]
            # NAME-EPOCH:VERSION-RELEASE.*
            return {line.rsplit("-", 2)[0] for line in locks}
        return set(host.check_output("apt-mark showhold").split())

    return read


@pytest.fixture
def pair(host: Host) -> dict[str, Host]:
    """The nodes whose repositories are broken; ``host`` is only the way to them."""
    config = host.backend.ssh_config
    return {
        name: testinfra.get_host(f"ssh://{name}", ssh_config=config, sudo=True) for name in PAIR
    }


@pytest.fixture
def broken(pair: dict[str, Host]) -> Iterator[Callable[[str], None]]:
    """Build the stubs of NVIDIA's repository with a fault; afterwards they are whole again."""

    def rebuild(options: str) -> None:
        for machine in pair.values():
            machine.check_output(f"{STUBS} {options}")

    yield rebuild
    rebuild("")


@pytest.fixture
def converge_pair(converge: Converge) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Run the roles of GPU nodes on the pair alone."""
    return lambda: converge(shapes_only=",".join(PAIR))
