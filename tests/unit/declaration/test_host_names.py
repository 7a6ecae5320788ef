"""One rule for the names of nodes, in preflight and in the role base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.gpulab.core.plugins.filter.host_name import kernel_name_problem
from ansible_collections.gpulab.core.plugins.filter.hosts_entries import hosts_entries
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.host_names import (
    domain,
    host_name_problem,
    label,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Host
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.sources import (
    Place,
    read_sources,
)

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab

GOOD = (
    *("gpu01", "gpu01.lab.example.com", "a", "1", "3com.example", "x" * 63, "a-b.c-d", "n1.lab"),
    *("gpu01.2lab.example", "xn--bcher-kva.example"),
)
BAD = (
    *("", "GPU01", "gpu_01", "-gpu", "gpu-", "gpu01.", ".gpu01", "gpu..lab", "gpu01.Lab", "g pu"),
    *("x" * 64, f"gpu01.{'x' * 64}", "gpu01.lab_1.example", "gpü", "gpu01/2", "gpu01\n"),
    # What others take for an address.
    *("10.0.0.1", "gpu01.10", "fd00::1"),
    ".".join(["x" * 63] * 4) + ".x",
)


@pytest.mark.parametrize("name", GOOD)
def test_a_name_that_preflight_takes_the_role_takes_too(sound: Lab, name: str) -> None:
    sound.hosts[name] = sound.hosts.pop("edge01")
    sound.groups["edge"] = [name]

    assert sound.check() == []
    assert kernel_name_problem(name) == ""
    assert kernel_name_problem(label(name)) == ""


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_preflight_refuses_the_role_refuses_too(sound: Lab, name: str) -> None:
    sound.hosts[name] = sound.hosts.pop("edge01")
    sound.groups["edge"] = [name]

    (error,) = sound.check()
    assert error["hosts"] == [name] if name else error["wrong"]
    assert "gpu01.lab.example.com" in error["right"]
    assert kernel_name_problem(name)


def test_a_machine_can_only_take_what_linux_can() -> None:
    name = f"gpu01.{'x' * 59}"

    assert host_name_problem(name) == ""
    assert "64" in kernel_name_problem(name)
    assert kernel_name_problem(label(name)) == ""


def test_two_nodes_that_would_call_themselves_alike_are_refused(sound: Lab) -> None:
    sound.hosts["node01.other.example"] = sound.hosts.pop("edge01")
    sound.groups["edge"] = ["node01.other.example"]

    (error,) = sound.check()

    assert error["hosts"] == ["node01.other.example"]
    assert error["wrong"] == "the host name 'node01' is already taken by node01"


@pytest.mark.parametrize(
    ("name", "given", "names"),
    [
        ("gpu01", "", ["gpu01"]),
        ("gpu01", "lab.test", ["gpu01.lab.test", "gpu01"]),
        ("gpu01.lab.test", "", ["gpu01.lab.test", "gpu01"]),
        ("gpu01.lab.test", "lab.test", ["gpu01.lab.test", "gpu01"]),
        ("gpu01.other.example", "lab.test", ["gpu01.other.example", "gpu01"]),
    ],
)
def test_a_full_name_stands_in_etc_hosts_once(name: str, given: str, names: list[str]) -> None:
    interfaces = {
        "eth0": {"zone": "management", "address": "10.0.0.1"},
        "eth1": {"zone": "fabric", "address": "10.1.0.1"},
    }

    entries = hosts_entries([name], {name: {"node_interfaces": interfaces}}, given)

    assert [entry["names"] for entry in entries] == [
        names,
        [one.replace("gpu01", "gpu01-fabric", 1) for one in names],
    ]


def test_the_parts_of_a_name() -> None:
    assert (label("a.b.c"), domain("a.b.c")) == ("a", "b.c")
    assert (label("a"), domain("a")) == ("a", "")


def test_the_variables_of_a_full_name_are_found_in_a_file_with_and_without_ending(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "host_vars"
    folder.mkdir()
    (folder / "gpu01.lab.test").write_text("node_unit: 1\n")
    (folder / "gpu02.lab.test.yml").write_text("---\nnode_unit: 2\n")
    (folder / "notes.txt").write_text("not: yours\n")

    sources = read_sources([str(tmp_path)], tmp_path)

    for name, line in (("gpu01.lab.test", 1), ("gpu02.lab.test", 2)):
        place = sources.locate(Host(name), ("node_unit",))
        assert place
        assert Path(place.file).name.removesuffix(".yml") == name
        assert place.line == line
    # Only a file that Ansible takes for variables by its ending is one that nobody reads.
    assert sources.folders == {
        ("host", "gpu02.lab.test"): Place("host_vars/gpu02.lab.test.yml"),
    }
