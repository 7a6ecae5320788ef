"""How a sweep reaches a node and what it holds it against, from Ansible's variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.node_spec import node_spec
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import inventory as sweep_inventory
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import ssh_options, targets

ROOT = Path(__file__).resolve().parents[3]


def described(groups: tuple[str, ...] = (), **variables: object) -> dict[str, Any]:
    return targets.describe({"name": "node01", "groups": list(groups)}, variables, {})


def test_what_decides_on_the_spec_comes_along() -> None:
    specs = {"mine": {"memory": {"gib_min": 1}}}
    declared = {
        "node_hardware_spec": "mine",
        "lab_hardware_specs": specs,
        "node_gpu": {"ecc": True},
    }
    found = described(("compute",), **declared, node_rack="r1")["declared"]
    assert found == {**declared, "group_names": ["compute"]}


@pytest.mark.parametrize(
    ("variables", "become"),
    [
        ({}, True),
        ({"ansible_become": False}, False),
        ({"ansible_become": True, "ansible_become_method": "su"}, False),
        # As an INI inventory and -e give it.
        ({"ansible_become": "false"}, False),
        ({"ansible_become": "yes"}, True),
    ],
)
def test_root_is_asked_for_where_it_is_declared(variables: dict[str, Any], become: bool) -> None:
    assert described(**variables)["become"] is become


@pytest.mark.parametrize(
    ("declared", "python"),
    [
        ("", "python3"),
        ("auto_silent", "python3"),
        ("/usr/bin/python3.12", "/usr/bin/python3.12"),
        ("/usr/bin/env python3", "/usr/bin/env python3"),
    ],
)
def test_the_python_is_the_declared_one(declared: str, python: str) -> None:
    assert described(ansible_python_interpreter=declared)["python"] == python
    assert described()["python"] == "python3"


def test_a_machine_that_is_not_reached_by_ssh_is_not_asked() -> None:
    assert "local" in described(ansible_connection="local")["problem"]
    assert described(ansible_connection="ssh")["problem"] == ""


def test_ssh_is_given_what_ansible_gives_it() -> None:
    words = ssh_options.ssh_words(
        {
            "ssh_args": "-C",
            "ssh_common_args": '-F "/a lab/ssh_config"',
            "ssh_extra_args": "-o Compression=yes",
            "port": 2222,
            "remote_user": "me",
            "private_key_file": "~/key",
        }
    )
    assert words == [
        *("-C", "-F", "/a lab/ssh_config", "-o", "Compression=yes"),
        *("-p", "2222", "-l", "me", "-i", "~/key"),
    ]


def test_options_that_cannot_be_split_name_their_variable() -> None:
    with pytest.raises(ssh_options.OptionsError, match="ansible_ssh_common_args"):
        ssh_options.ssh_words({"ssh_common_args": '-F "/half'})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a blank in its name, as a user's may have, with a key and known hosts."""
    made = tmp_path / "a lab"
    made.mkdir()
    for name in ("id", "known_hosts"):
        (made / name).write_text("")
    (made / "ssh_config").write_text(
        f"Host node01\n  HostName 192.0.2.7\nHost *\n  User gpulab\n  Port 2200\n"
        f'  IdentityFile "{made}/id"\n  IdentitiesOnly yes\n'
        f'  UserKnownHostsFile "{made}/known_hosts"\n  StrictHostKeyChecking no\n'
    )
    return made


def test_ssh_s_own_configuration_is_followed(folder: Path) -> None:
    options = ssh_options.resolve(["-F", str(folder / "ssh_config")], "node01")
    assert (options["hostname"], options["port"], options["user"]) == ("192.0.2.7", 2200, "gpulab")
    assert options["keys"] == [str(folder / "id")]
    assert options["known_hosts"][0] == str(folder / "known_hosts")
    assert (options["agent"], options["proxy"]) == (False, "")


def test_words_go_before_the_configuration(folder: Path) -> None:
    words = ["-F", str(folder / "ssh_config"), "-p", "22", "-l", "root"]
    options = ssh_options.resolve(words, "node01")
    assert (options["port"], options["user"]) == (22, "root")


def test_a_way_through_other_machines_checks_their_keys_too(folder: Path) -> None:
    words = ["-F", str(folder / "ssh_config"), "-o", "ProxyJump=first,me@second"]
    assert ssh_options.resolve(words, "node01")["proxy"] == (
        f"ssh -F '{folder}/ssh_config' -o BatchMode=yes -o StrictHostKeyChecking=yes -J first "
        "-W '[192.0.2.7]:2200' me@second"
    )
    words = ["-F", str(folder / "ssh_config"), "-o", "ProxyCommand=nc %h %p"]
    assert ssh_options.resolve(words, "node01")["proxy"] == "nc 192.0.2.7 2200"


def test_options_that_ssh_refuses_are_told() -> None:
    with pytest.raises(ssh_options.OptionsError, match="ssh says"):
        ssh_options.resolve(["-F", "/nowhere/ssh_config"], "node01")


def read(source: str) -> list[dict[str, Any]]:
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[source])
    hostvars = HostVars(inventory, VariableManager(loader, inventory), loader)
    return sweep_inventory.read(hostvars, [host.get_name() for host in inventory.get_hosts()])


def test_the_inventory_is_ansible_s_own(folder: Path) -> None:
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text(
        "lab_name: basement\nplace: {rack: A1}\nnode_rack: '{{ place.rack }}'\n"
        "ansible_ssh_common_args: '-F \"{{ inventory_dir }}/ssh_config\"'\n"
        "lab_hardware_specs: {pair: {gpu: {count: '{{ 1 + 1 }}'}}}\n"
    )
    (folder / "hosts.yml").write_text(
        "all:\n  children:\n    compute:\n      hosts:\n        node01: {node_unit: 7}\n"
        "        node02: {ansible_host: '{{ nowhere }}'}\n    edge: {hosts: {edge01: }}\n"
    )
    first, second, edge = read(str(folder / "hosts.yml"))
    assert first["host"] == {
        "name": "node01",
        "serial": "",
        "rack": "A1",
        "unit": 7,
        "groups": ["compute"],
    }
    assert [node_spec(one["declared"]).name for one in (first, edge)] == ["compute-minimum", "none"]
    assert first["declared"]["lab_hardware_specs"]["pair"] == {"gpu": {"count": 2}}
    assert first["ssh"]["hostname"] == "192.0.2.7"
    assert first["problem"] == ""
    # One node's mistake is its own.
    assert "nowhere" in second["problem"]


def test_what_ansible_knows_a_variable_by_is_known_here(folder: Path) -> None:
    """As `ssh` is reached by ansible-playbook, with names that are older than these."""
    hosts = folder / "hosts.yml"
    hosts.write_text(
        "all: {hosts: {node01: {ansible_ssh_host: 192.0.2.9, ansible_ssh_port: 2201, "
        f"ansible_ssh_user: old, ansible_private_key_file: '{folder}/id', "
        "ansible_ssh_pass: secret}}}\n"
    )
    (node,) = read(str(hosts))
    assert node["problem"] == ""
    ssh = node["ssh"]
    assert (ssh["hostname"], ssh["port"], ssh["user"]) == ("192.0.2.9", 2201, "old")
    assert str(folder / "id") in ssh["keys"]
    assert node["password"] == "secret"  # noqa: S105  a test's own


def test_the_example_inventory_can_be_read() -> None:
    machines = read(str(ROOT / "inventory/example"))
    assert {one["problem"] for one in machines} == {""}
    assert {"gpu01", "head01"} <= {one["host"]["name"] for one in machines}
