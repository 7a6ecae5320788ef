"""The role's files agree with each other."""

from __future__ import annotations

from pathlib import Path

import yaml

ROLE = Path(__file__).parents[3] / "roles/pytorch"


def test_every_option_is_documented_and_has_a_default() -> None:
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())
    documented = specs["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert set(documented) == set(defaults)


def test_every_platform_has_all_names() -> None:
    """A platform's Python may come from its family or from its release."""
    read = {file.stem: yaml.safe_load(file.read_text()) for file in (ROLE / "vars").glob("*.yml")}
    for family, releases in {
        "RedHat": [],
        "Debian": ["Debian-12", "Debian-13", "Ubuntu-22", "Ubuntu-24", "Ubuntu-26"],
    }.items():
        for release in releases or [family]:
            assert {
                "__pytorch_platform_python",
                "__pytorch_python_packages",
                "__pytorch_web_server_packages",
            } <= set(read[family]) | set(read[release])
