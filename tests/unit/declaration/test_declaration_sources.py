"""Where a variable stands: the file and line that a message names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Host
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Path as Keys
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.sources import (
    Place,
    Sources,
    read_sources,
)

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab

HOSTS = """\
---
all:
  vars:
    lab_name: aurora
  children:
    compute:
      children:
        big:
          hosts:
            node01:
              node_unit: 4
            node02:
      vars:
        node_rack: R1
"""
ZONES = """\
---
lab_zones:
  fabric:
    cidr: 10.0.0.0/24
lab_flows:
  - name: a
    ports: [1, 2]
  - name: b
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "inventory"
    (folder / "group_vars" / "all").mkdir(parents=True)
    (folder / "host_vars").mkdir()
    (folder / "hosts.yml").write_text(HOSTS)
    (folder / "group_vars" / "all" / "zones.yml").write_text(ZONES)
    (folder / "group_vars" / "big.yml").write_text("node_rack: R2\n")
    (folder / "host_vars" / "node02.yml").write_text("---\n\nnode_unit: 5\n")
    (folder / "host_vars" / "node02.yml~").write_text("node_unit: 6\n")
    return folder


NODE01 = Host("node01", ("big", "compute"))
NODE02 = Host("node02", ("big", "compute"))


@pytest.mark.parametrize(
    ("host", "path", "file", "line"),
    [
        (None, ("lab_name",), "hosts.yml", 4),
        (None, ("lab_zones", "fabric", "cidr"), "group_vars/all/zones.yml", 4),
        (None, ("lab_zones", "fabric", "vlan"), "group_vars/all/zones.yml", 3),
        (None, ("lab_flows", 1, "to"), "group_vars/all/zones.yml", 8),
        (None, ("lab_flows", 0, "ports", 1), "group_vars/all/zones.yml", 7),
        (None, ("lab_flows", 9), "group_vars/all/zones.yml", 5),
        (NODE01, ("node_unit",), "hosts.yml", 11),
        (NODE02, ("node_unit",), "host_vars/node02.yml", 3),
        (NODE01, ("node_rack",), "group_vars/big.yml", 1),
        (NODE02, (), "hosts.yml", 12),
    ],
)
def test_a_key_is_found(
    inventory: Path, host: Host | None, path: Keys, file: str, line: int
) -> None:
    sources = read_sources([str(inventory)], inventory)

    assert sources.locate(host, path) == Place(file, line)


def test_what_is_nowhere_is_not_found(inventory: Path) -> None:
    sources = read_sources([str(inventory), "node03,"], inventory)

    assert sources.locate(NODE01, ("node_mac",)) is None
    assert sources.locate(None, ()) is None


def test_files_outside_the_working_directory_keep_their_whole_name(inventory: Path) -> None:
    place = read_sources([str(inventory / "hosts.yml")], Path("/usr")).locate(None, ("lab_name",))

    assert place == Place(str(inventory / "hosts.yml"), 4)


def test_broken_and_unreadable_files_are_left_to_ansible(inventory: Path) -> None:
    (inventory / "group_vars" / "broken.yml").write_text("a: [")
    (inventory / "group_vars" / "binary.yml").write_bytes(b"\xff\xfe\x00")

    assert read_sources([str(inventory)], inventory).find(NODE01, "node_unit") is not None


def test_a_key_that_stands_twice_is_told(sound: Lab) -> None:
    sources = Sources()
    sources.add_text(
        "lab_name: a\nlab_zones:\n  x: {vlan: 1, vlan: 2}\n", "all.yml", ("group", "all")
    )

    (error,) = sound.check(sources)

    assert (error["file"], error["line"], error["key"]) == ("all.yml", 3, "vlan")
    assert "stands twice" in error["wrong"]


@pytest.mark.parametrize(
    ("scope", "wrong", "right"),
    [
        (("group", "computee"), "there is no group 'computee'", "did you mean 'compute'?"),
        (("host", "node1"), "there is no host 'node1'", "did you mean 'node01'?"),
    ],
)
def test_a_file_that_nobody_reads_is_told(
    sound: Lab, scope: tuple[str, str], wrong: str, right: str
) -> None:
    sources = Sources(folders={scope: Place("somewhere.yml")})

    (error,) = sound.check(sources)

    assert error["file"] == "somewhere.yml"
    assert error["wrong"].startswith(wrong)
    assert right in error["right"]


def test_a_mistake_in_a_group_is_told_once_for_its_machines(sound: Lab) -> None:
    sources = Sources()
    sources.add_text("node_rack: 7\n", "group_vars/compute.yml", ("group", "compute"))
    for name in ("node01", "node02"):
        sound.hosts[name]["node_rack"] = 7

    (error,) = sound.check(sources)

    assert (error["file"], error["line"]) == ("group_vars/compute.yml", 1)
    assert error["hosts"] == ["node01", "node02"]
    assert "put it in quotes" in error["right"]
