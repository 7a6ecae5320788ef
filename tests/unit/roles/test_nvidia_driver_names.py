"""Names of the fabric manager, which changed with branch 580, as the role's vars have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

VARS = Path(__file__).parents[3] / "roles/nvidia_driver/vars"


def fabric_manager(template: str, branch: str) -> list[str]:
    plan = {"branch": branch}
    found: list[str] = NativeEnvironment().from_string(template).render(__nvidia_driver_plan=plan)
    return found


@pytest.mark.parametrize(
    ("branch", "deb", "rpm"),
    [
        ("570", "nvidia-fabricmanager-570", "nvidia-fabric-manager"),
        ("580", "nvidia-fabricmanager", "nvidia-fabricmanager"),
        ("590", "nvidia-fabricmanager", "nvidia-fabricmanager"),
    ],
)
def test_its_name_depends_on_the_branch(branch: str, deb: str, rpm: str) -> None:
    for family, name in (("Debian", deb), ("RedHat", rpm)):
        names = yaml.safe_load((VARS / f"{family}.yml").read_text())
        assert fabric_manager(names["__nvidia_driver_fabricmanager"], branch) == [name]


@pytest.mark.parametrize("file", ["Debian", "Ubuntu", "RedHat", "RedHat-10"])
def test_nvidias_repository_has_it_by_that_name(file: str) -> None:
    sets = yaml.safe_load((VARS / f"{file}.yml").read_text())["__nvidia_driver_sets"]
    assert sets["nvidia"]["fabricmanager"] == "{{ __nvidia_driver_fabricmanager }}"


def test_canonicals_has_the_branch_in_its_name() -> None:
    sets = yaml.safe_load((VARS / "Ubuntu.yml").read_text())["__nvidia_driver_sets"]
    (name,) = sets["distribution"]["fabricmanager"]
    rendered = NativeEnvironment().from_string(name).render(__nvidia_driver_plan={"branch": "580"})
    assert rendered == "nvidia-fabricmanager-580"


def test_every_set_says_what_brings_gpudirect_storage() -> None:
    found = {
        (file.stem, source): names["gds"]
        for file in VARS.glob("*.yml")
        for source, names in (yaml.safe_load(file.read_text()) or {})
        .get("__nvidia_driver_sets", {})
        .items()
    }
    without = {key for key, names in found.items() if names == []}
    # Of Canonical's there is none: the role refuses it by name.
    assert without == {("Ubuntu", "distribution")}
    assert found["Debian", "distribution"] == ["nvidia-fs-dkms"]
