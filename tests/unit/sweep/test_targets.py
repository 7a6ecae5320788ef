"""How a sweep reaches a machine and what it holds it against, from Ansible's variables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.node_spec import node_spec
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import ssh_options, targets

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "ansible_collections.gpulab.core.plugins.plugin_utils.sweep.inventory"


def described(groups: tuple[str, ...] = (), **variables: object) -> dict[str, Any]:
    return targets.describe({"name": "node01", "groups": list(groups)}, variables)


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
    ],
)
def test_root_is_asked_for_where_it_is_declared(variables: dict[str, Any], become: bool) -> None:
    assert described(**variables)["become"] is become


def test_a_machine_that_is_not_reached_by_ssh_is_not_asked() -> None:
    assert "local" in described(ansible_connection="local")["problem"]
    assert described(ansible_connection="ssh")["problem"] == ""


def test_ssh_is_given_what_ansible_gives_it() -> None:
    words = ssh_options.ssh_words(
        {
            "ansible_ssh_common_args": '-F "/a lab/ssh_config"',
            "ansible_ssh_extra_args": "-o Compression=yes",
            "ansible_port": 2222,
            "ansible_user": "me",
            "ansible_ssh_private_key_file": "~/key",
        }
    )
    assert words == [
        *("-F", "/a lab/ssh_config", "-o", "Compression=yes"),
        *("-p", "2222", "-l", "me", "-i", "~/key"),
    ]


def test_options_that_cannot_be_split_name_their_variable() -> None:
    with pytest.raises(ssh_options.OptionsError, match="ansible_ssh_common_args"):
        ssh_options.ssh_words({"ansible_ssh_common_args": '-F "/half'})


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


def read(*words: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible_collections.gpulab.core.plugins.plugin_utils.sweep.inventory",
            *words,
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "python_modules", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    machines: list[dict[str, Any]] = json.loads(done.stdout)
    return machines


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
    inventory = ("-i", str(folder / "hosts.yml"))
    first, second, edge = read(*inventory)
    assert first["host"] == {
        "name": "node01",
        "serial": "",
        "rack": "A1",
        "unit": 7,
        "groups": ["compute"],
    }
    assert first["lab"] == "basement"
    assert [node_spec(one["declared"]).name for one in (first, edge)] == ["compute-minimum", "none"]
    assert first["declared"]["lab_hardware_specs"]["pair"] == {"gpu": {"count": 2}}
    assert first["ssh"]["hostname"] == "192.0.2.7"
    assert first["problem"] == ""
    # One machine's mistake is its own.
    assert "nowhere" in second["problem"]
    assert [one["host"]["name"] for one in read(*inventory, "--limit", "compute:!node02")] == [
        "node01"
    ]


def test_the_example_inventory_can_be_read() -> None:
    machines = read("-i", "inventory/example")
    assert {one["problem"] for one in machines} == {""}
    assert {"gpu01", "head01"} <= {one["host"]["name"] for one in machines}
