"""The table of releases agrees with the catalogue, the roles and what preflight supports."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    BRANCHES,
    DEBIAN_BRANCHES,
    TOOLKITS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.releases import (
    RELEASES,
    System,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.preflight.judge import PLATFORMS

CUDA_VARS = Path(__file__).parents[3] / "roles/cuda/vars"


def test_every_release_is_one_that_preflight_supports() -> None:
    supported = {
        ("EL" if name in ("centos", "rocky", "almalinux") else name.title(), version.split(".")[0])
        for name, versions in PLATFORMS.items()
        if name != "raspbian"
        for version in versions
    }
    assert set(RELEASES) == supported


def test_the_table_names_what_the_catalogue_has() -> None:
    for (name, version), release in RELEASES.items():
        assert {*release.own_branches, release.default_branch, release.first_branch} <= {
            *BRANCHES,
            "",
        }
        assert release.first_toolkit in TOOLKITS
        assert bool(release.first_branch) is bool(release.default_branch)
        system = System(name, version)
        assert release.default_branch in ("", *system.vendor_branches)
        if name == "Debian":
            assert release.own_branches == (DEBIAN_BRANCHES[version],)


@pytest.mark.parametrize("release", ["Ubuntu-22", "Ubuntu-24", "Debian-12", "Debian-13"])
def test_the_role_and_the_table_agree_on_the_distributions_toolkit(release: str) -> None:
    name, _, version = release.partition("-")
    said = yaml.safe_load((CUDA_VARS / f"{release}.yml").read_text())
    assert said["__cuda_distribution_version"] == RELEASES[name, version].own_toolkit
