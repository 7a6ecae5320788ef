"""The project, its collection, its roles and its plugins name one licence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
COLLECTION = PROJECT / "python_modules/ansible_collections/gpulab/core"
ROLES = sorted((PROJECT / "roles").glob("*/meta/main.yml"))
#: What these folders hold is named by the plugins that import it.
SHARED = ("module_utils", "plugin_utils")
PLUGINS = sorted(
    path for path in (COLLECTION / "plugins").glob("*/*.py") if path.parent.name not in SHARED
)
LICENSE = "Apache-2.0"
HEADER = [
    "# Copyright: The gpulab maintainers",
    "# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)",
]


def test_the_project_has_its_text() -> None:
    title = [line.strip() for line in (PROJECT / "LICENSE").read_text().split("\n", 3)[:3]]
    assert title[1:] == ["Apache License", "Version 2.0, January 2004"]


def test_the_collection_names_it() -> None:
    assert yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["license"] == [LICENSE]


def test_roles_and_plugins_are_found() -> None:
    assert PROJECT / "roles/base/meta/main.yml" in ROLES
    assert {"action", "callback", "filter", "modules"} <= {path.parent.name for path in PLUGINS}


@pytest.mark.parametrize("meta", ROLES, ids=lambda path: path.parents[1].name)
def test_a_role_names_it(meta: Path) -> None:
    assert yaml.safe_load(meta.read_text())["galaxy_info"]["license"] == LICENSE


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_plugin_begins_with_it(plugin: Path) -> None:
    lines = plugin.read_text().splitlines()
    assert lines[lines[0].startswith("#!") :][:2] == HEADER
