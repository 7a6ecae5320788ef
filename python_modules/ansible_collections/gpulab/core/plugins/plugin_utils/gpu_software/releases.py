"""What a distribution's release can have, from NVIDIA's repository and from its own archive.

docs/gpu-software.md says how these tables are brought up to date.

Sources (read 2026-12-01):
    NVIDIA's repositories: the lists of files under `REPOSITORIES`, and for Debian 13's drivers
        https://github.com/NVIDIA/cuda-repo-management/issues/38 (no 580 in August 2026).
    Ubuntu's own: https://packages.ubuntu.com/, linux-modules-nvidia-<branch>-server-generic of
        each release; what is a transitional package there is another branch, and not in the table.
    Debian's own: `DEBIAN_BRANCHES`, and https://packages.debian.org/nvidia-cuda-toolkit.
    DCGM: https://docs.nvidia.com/datacenter/dcgm/latest/user-guide/getting-started.html, "Supported
        Linux Distributions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils.gpu_software.catalogue import (
    BRANCHES,
    DEBIAN_BRANCHES,
    branch_number,
    version_key,
)

REPOSITORIES = "https://developer.download.nvidia.com/compute/cuda/repos/"
DEBIAN, UBUNTU, EL = "Debian", "Ubuntu", "EL"
_EL = frozenset({"redhat", "rocky", "centos", "almalinux"})


@dataclass(frozen=True)
class Release:
    """A release, by its distribution and major version.

    Attributes:
        first_branch: first driver branch in NVIDIA's repository; "" where it has all that
            `catalogue.BRANCHES` has.
        default_branch: the branch to take from there where none is declared; "" for the usual one.
        first_toolkit: first CUDA toolkit in NVIDIA's repository.
        own_branches: driver branches of the distribution itself.
        own_toolkit: the distribution's own toolkit, "" for none.
        dcgm: whether NVIDIA lists the release for DCGM.
        unconfirmed: whether the repository's list of files could not be read.
    """

    first_branch: str
    default_branch: str
    first_toolkit: str
    own_branches: tuple[str, ...]
    own_toolkit: str
    dcgm: bool
    unconfirmed: bool = False


# Of 26.04, NVIDIA's repository began with branch 595 in April 2026, and had no toolkit before 13.3.
RELEASES = {
    (UBUNTU, "22"): Release("", "", "11.8", ("535", "580", "595"), "11.5", dcgm=True),
    (UBUNTU, "24"): Release("", "", "12.5", ("535", "580", "595"), "12.0", dcgm=True),
    (UBUNTU, "26"): Release("595", "595", "13.3", ("580", "595"), "", dcgm=False),
    (DEBIAN, "12"): Release("", "", "12.3", (DEBIAN_BRANCHES["12"],), "11.8", dcgm=True),
    (DEBIAN, "13"): Release("590", "595", "13.1", (DEBIAN_BRANCHES["13"],), "12.4", dcgm=False),
    (EL, "9"): Release("", "", "11.8", (), "", dcgm=True),
    (EL, "10"): Release("", "", "12.9", (), "", dcgm=True, unconfirmed=True),
}
# Of a release that is not in the table nothing is known, and nothing is refused.
_UNKNOWN = Release("", "", "", (), "", dcgm=True)


@dataclass(frozen=True)
class System:
    """A node's distribution, and its Secure Boot: on, off or unknown."""

    name: str
    release: str
    secure_boot: str = "unknown"

    @classmethod
    def of(cls, facts: Mapping[str, Any], secure_boot: str = "unknown") -> System:
        """Return it from Ansible's facts."""
        release = str(facts.get("distribution_major_version") or "")
        return cls(str(facts.get("distribution") or ""), release, secure_boot)

    @property
    def title(self) -> str:
        """Name and release, for messages."""
        return f"{self.name} {self.release}".strip() or "this distribution"

    @property
    def can_have(self) -> Release:
        """What this release can have."""
        family = EL if self.name.lower() in _EL else self.name
        return RELEASES.get((family, self.release), _UNKNOWN)

    def vendor_has_branch(self, branch: str) -> bool:
        """Tell whether NVIDIA's repository for this release has a driver branch."""
        first = self.can_have.first_branch
        return not first or branch_number(branch) >= branch_number(first)

    def has_toolkit(self, version: str) -> bool:
        """Tell whether a toolkit can be had here, from NVIDIA's repository or the archive."""
        first = self.can_have.first_toolkit
        own = version == self.can_have.own_toolkit
        return own or not first or version_key(version) >= version_key(first)

    @property
    def vendor_branches(self) -> list[str]:
        """The branches in NVIDIA's repository for this release."""
        return [branch for branch in BRANCHES if self.vendor_has_branch(branch)]
