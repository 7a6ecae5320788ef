"""Which vars files a role loads for a platform, and which nodes are containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.gpulab.core.plugins.filter.platform import in_container, platform_vars


def facts(family: str, distribution: str, major: str) -> dict[str, Any]:
    return {
        "os_family": family,
        "distribution": distribution,
        "distribution_major_version": major,
    }


@pytest.fixture
def role(tmp_path: Path) -> Path:
    (tmp_path / "vars").mkdir()
    for name in ("main", "Debian", "Debian-12", "Ubuntu", "RedHat", "RedHat-10", "Rocky-10"):
        (tmp_path / "vars" / f"{name}.yml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("node", "names"),
    [
        (facts("Debian", "Debian", "12"), ["Debian", "Debian-12"]),
        (facts("Debian", "Debian", "13"), ["Debian"]),
        (facts("Debian", "Ubuntu", "24"), ["Debian", "Ubuntu"]),
        (facts("RedHat", "CentOS", "9"), ["RedHat"]),
        (facts("RedHat", "CentOS", "10"), ["RedHat", "RedHat-10"]),
        # A distribution's own word comes last, and counts.
        (facts("RedHat", "Rocky", "10"), ["RedHat", "RedHat-10", "Rocky-10"]),
    ],
)
def test_the_general_files_come_first(role: Path, node: dict[str, Any], names: list[str]) -> None:
    assert [Path(path).stem for path in platform_vars(node, str(role))] == names


def test_a_platform_that_the_role_does_not_know_is_refused(role: Path) -> None:
    known = "Debian, Debian-12, RedHat, RedHat-10, Rocky-10, Ubuntu"
    with pytest.raises(AnsibleFilterError, match=rf"support Arch-1 \(Archlinux\).* {known}$"):
        platform_vars(facts("Archlinux", "Arch", "1"), str(role))


def test_facts_that_were_not_gathered_are_asked_for(role: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="needs the fact 'os_family': gather facts"):
        platform_vars({}, str(role))


@pytest.mark.parametrize(
    ("found", "container"),
    [
        ({"virtualization_type": "podman", "virtualization_role": "guest"}, True),
        ({"virtualization_type": "systemd-nspawn", "virtualization_role": "guest"}, True),
        ({"virtualization_type": "kvm", "virtualization_role": "guest"}, False),
        # It runs containers.
        ({"virtualization_type": "kvm", "virtualization_role": "host"}, False),
        ({"virtualization_type": "NA", "virtualization_role": "NA"}, False),
        # Not gathered.
        ({}, False),
    ],
)
def test_a_container(found: dict[str, Any], container: bool) -> None:
    assert in_container(found) is container
