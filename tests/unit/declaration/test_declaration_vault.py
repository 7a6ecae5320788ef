"""Inventories that ansible-vault really encrypted: whole files, variables, several vaults."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible._internal._datatag._tags import Origin
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from tests.unit.declaration.conftest import schema

# The fixture is used by its name.
from tests.unit.declaration.test_declaration_example import (  # noqa: F401
    ROOT,
    Run,
    example,
    fill_in,
    line_of,
    preflight,
)

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.check import block, tell
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.collect import (
    Machine,
    collect,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Secret
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.secrets import secret_problems
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.sources import read_sources
from ansible_collections.gpulab.core.plugins.plugin_utils.inventory.machines import read_machines

PASSWORDS = {"default": b"of the lab", "bmc": b"of the BMCs"}
HOSTS = "all:\n  children:\n    compute:\n      hosts:\n        node01:\n        node02:\n"
GOOD = "a long secret of ours"


def encrypted(text: str, vault: str = "default") -> str:
    """Encrypt a text as `ansible-vault encrypt --encrypt-vault-id` does."""
    secret = VaultSecret(PASSWORDS[vault])
    made: bytes = VaultLib([(vault, secret)]).encrypt(text, secret, vault)
    return made.decode()


def variable(name: str, value: str, vault: str = "default") -> str:
    """Encrypt one variable as `ansible-vault encrypt_string` does."""
    return f"{name}: !vault |\n{textwrap.indent(encrypted(value, vault), '  ')}"


def read(folder: Path, given: dict[str, bytes]) -> tuple[list[Machine], DataLoader]:
    """Read the nodes of an inventory as preflight does, when these passwords are given.

    Raises:
        AnsibleError: Ansible itself can't read it.
    """
    loader = DataLoader()
    loader.set_vault_secrets([(name, VaultSecret(password)) for name, password in given.items()])
    inventory = InventoryManager(loader, [str(folder)])
    hostvars = HostVars(inventory, VariableManager(loader, inventory), loader)
    groups = inventory.get_groups_dict()
    return read_machines({"hostvars": hostvars, "groups": groups}, loader), loader


def errors(folder: Path, given: dict[str, bytes]) -> list[str]:
    """What is said of the secrets of an inventory."""
    machines, loader = read(folder, given)
    secrets = [(name, VaultSecret(password)) for name, password in given.items()]
    with pytest.MonkeyPatch.context() as patch:
        # What the command line sets up for variables that are encrypted alone.
        patch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(secrets))
        declaration = collect(machines, frozenset())
    sources = read_sources([str(folder)], folder, loader.get_text_file_contents)
    problems = [*declaration.problems, *secret_problems(declaration, schema(), sources)]
    return [block(error) for error in tell(problems, declaration, sources)]


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def files(**texts: str) -> Path:
        for name, text in {"hosts_yml": HOSTS, **texts}.items():
            file = tmp_path / "lab" / name.replace("__", "/").replace("_yml", ".yml")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tmp_path / "lab"

    return files


WHOLE = f"---\n# Ours.\nansible_become_password: {GOOD}\n"
BMC = "node_bmc: {address: 10.0.0.1, protocol: ipmi, username: lab, password: "
INVENTORIES: dict[str, dict[str, str]] = {
    "group_vars/all/vault.yml as a whole": {
        "group_vars__all__vault_yml": encrypted(f"vault_x: {GOOD}\n")
    },
    "group_vars/all without an ending": {"group_vars__all": encrypted(f"vault_x: {GOOD}\n")},
    "host_vars as a whole": {"host_vars__node01_yml": encrypted(WHOLE)},
    "host_vars as a whole, with the BMC": {
        "host_vars__node01_yml": encrypted(f"{BMC}{GOOD[:20]}}}\n")
    },
    "a reference from a plain file to a whole one": {
        "host_vars__node01_yml": "ansible_become_password: '{{ vault_x }}'\n",
        "group_vars__compute_yml": encrypted(f"vault_x: {GOOD}\n"),
    },
    "a reference inside a whole file": {
        "host_vars__node01_yml": encrypted(f"{WHOLE}vault_x: '{{{{ ansible_become_password }}}}'\n")
    },
    "a reference to a variable of any name": {
        "host_vars__node01_yml": f"{BMC}'{{{{ bmc_password }}}}'}}\n",
        "group_vars__all_yml": encrypted(f"bmc_password: {GOOD[:20]}\n"),
    },
    "the inventory itself, YAML": {
        "hosts_yml": encrypted(f"{HOSTS}      vars: {{ansible_become_password: {GOOD}}}\n")
    },
    "the inventory itself, INI": {
        "hosts_yml": "all:\n",
        "hosts": encrypted("[compute]\nnode01 ansible_become_password=the-secret-of-one\n"),
    },
    "single variables": {
        "host_vars__node01_yml": variable("ansible_become_password", GOOD),
        "group_vars__all_yml": f"lab_name: x\n{variable('vault_x', GOOD)}",
    },
    "two vaults": {
        "host_vars__node01_yml": encrypted(WHOLE, "bmc"),
        "host_vars__node02_yml": variable("ansible_become_password", GOOD, "bmc"),
        "group_vars__all__vault_yml": encrypted(f"vault_x: {GOOD}\n"),
    },
}


@pytest.mark.parametrize("name", INVENTORIES)
def test_what_is_encrypted_is_fine(write: Write, name: str) -> None:
    assert errors(write(**INVENTORIES[name]), PASSWORDS) == []


PLAIN = "the secret stands in plain text"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"host_vars__node01_yml": WHOLE}, PLAIN),
        ({"group_vars__all_yml": f"vault_x: {GOOD}\n"}, PLAIN),
        (
            {
                "host_vars__node01_yml": "ansible_become_password: '{{ pass_x }}'\n",
                "group_vars__all_yml": f"pass_x: {GOOD}\n",
            },
            PLAIN,
        ),
        ({"hosts_yml": f"{HOSTS}      vars: {{ansible_ssh_password: {GOOD}}}\n"}, PLAIN),
        (
            {"hosts_yml": "all:\n", "hosts": "[compute]\nnode01 ansible_password=of-ours\n"},
            PLAIN,
        ),
        # The file that counts is the plain one.
        (
            {
                "group_vars__all__vault_yml": encrypted(WHOLE),
                "host_vars__node01_yml": WHOLE,
            },
            PLAIN,
        ),
        (
            {"host_vars__node01_yml": encrypted("ansible_become_password: CHANGE-ME\n")},
            "placeholder",
        ),
        ({"host_vars__node01_yml": encrypted("ansible_become_password: calvin\n")}, "well-known"),
        ({"host_vars__node01_yml": variable("vault_x", "calvin", "bmc")}, "well-known"),
    ],
)
def test_what_is_plain_or_bad_is_refused_and_not_shown(
    write: Write, files: dict[str, str], said: str
) -> None:
    (error,) = errors(write(**files), PASSWORDS)

    assert said in error
    assert GOOD not in error
    assert "calvin" not in error
    assert "of-ours" not in error


def test_a_bad_secret_in_an_encrypted_file_is_told_with_its_line_and_the_way_to_edit_it(
    write: Write,
) -> None:
    text = encrypted("---\n\nvault_x: CHANGE-ME\n", "bmc")

    (error,) = errors(write(group_vars__all__vault_yml=text), PASSWORDS)

    assert error.startswith("group_vars/all/vault.yml:3 vault_x\n")
    assert "ansible-vault edit group_vars/all/vault.yml" in error


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"default": b"another"},
        {"default": PASSWORDS["default"]},
        {"default": b"another", "bmc": b"another"},
    ],
)
def test_a_variable_that_no_password_opens_is_told_with_the_way_to_give_it(
    write: Write, given: dict[str, bytes]
) -> None:
    text = variable("ansible_become_password", GOOD, "bmc")

    (error,) = errors(write(host_vars__node01_yml=text), given)

    assert error.startswith("host_vars/node01.yml:1 ansible_become_password (node01)\n")
    assert "cannot be decrypted" in error
    assert "--vault-id NAME@FILE" in error


def test_what_comes_out_of_a_whole_file_is_marked_secret(write: Write) -> None:
    folder = write(host_vars__node01_yml=encrypted("node_serial: X-1\nnode_mac: [Y-1]\n"))
    machines, _ = read(folder, PASSWORDS)

    host = collect(machines, frozenset()).by_name()[0]

    assert host.variables == {"node_serial": "X-1", "node_mac": ["Y-1"]}
    assert isinstance(host.variables["node_serial"], Secret)
    assert isinstance(host.variables["node_mac"][0], Secret)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (Origin(description="<CLI option '-e'>"), []),
        (Origin(description="<unknown>"), [PLAIN]),
        (Origin(path="/nowhere/at/all"), [PLAIN]),
    ],
)
def test_what_is_given_with_the_command_stands_in_no_file(
    write: Write, origin: Origin, said: list[str]
) -> None:
    folder = write()
    (machine, _), _ = read(folder, {})
    given = dataclasses.replace(
        machine, variables={**machine.variables, "vault_x": origin.tag(GOOD)}
    )

    declaration = collect([given], frozenset())

    sources = read_sources([str(folder)], folder)
    found = secret_problems(declaration, schema(), sources)
    assert [problem.wrong for problem in found] == said


def ansible_vault(*words: str) -> None:
    command = [sys.executable, "-m", "ansible", "vault", "encrypt", *words]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


@pytest.fixture
def whole(example: Path) -> Path:  # noqa: F811 -- the fixture
    """The example filled in, its secrets in files that are encrypted as a whole, two vaults."""
    fill_in(example)
    for name in ("lab", "people", "wrong"):
        (example.parent / name).write_text(f"password of {name}")
    file = example / "group_vars" / "all" / "vault.yml"
    file.write_text(file.read_text().replace("CHANGE-ME", GOOD[:20]))
    ansible_vault("--vault-id", f"lab@{example.parent / 'lab'}", str(file))
    host = example / "host_vars" / "gpu01.yml"
    host.write_text(f"{host.read_text()}ansible_become_password: {GOOD}\n")
    ansible_vault("--vault-id", f"people@{example.parent / 'people'}", str(host))
    return example


def run(inventory: Path, **passwords: str) -> Run:
    words = [f"--vault-id={name}@{inventory.parent / file}" for name, file in passwords.items()]
    return preflight(inventory, *words, "--limit", "gpu01")


@pytest.mark.ansible
def test_a_lab_of_encrypted_files_is_sound(whole: Path) -> None:
    done = run(whole, lab="lab", people="people")

    assert done.mistakes() == []
    assert done.touched
    assert GOOD[:20] not in done.output


@pytest.mark.ansible
def test_without_one_of_the_passwords_no_node_is_touched(whole: Path) -> None:
    for passwords in ({"lab": "lab", "people": "wrong"}, {"lab": "lab"}):
        done = run(whole, **passwords)
        assert done.status not in (0, None)
        assert "Decryption failed" in done.output
        assert not done.touched


@pytest.mark.ansible
def test_an_encrypted_list_of_nodes_that_nobody_can_read_is_no_empty_lab(whole: Path) -> None:
    hosts = whole / "hosts.yml"
    ansible_vault("--vault-id", f"lab@{whole.parent / 'lab'}", str(hosts))

    assert run(whole, lab="lab", people="people").mistakes() == []
    done = run(whole, lab="wrong", people="people")
    assert done.status != 0
    assert str(hosts) in done.output
    assert not done.touched


@pytest.mark.ansible
def test_a_mistake_in_an_encrypted_file_has_its_line(whole: Path) -> None:
    host = whole / "host_vars" / "gpu02.yml"
    host.write_text(f"{host.read_text()}ansible_become_password: calvin\n")
    line = line_of(host, "calvin")
    ansible_vault("--vault-id", f"people@{whole.parent / 'people'}", str(host))

    done = run(whole, lab="lab", people="people")

    assert done.status == 2
    assert done.mistakes() == [f"{host}:{line} ansible_become_password"]
    assert f"ansible-vault edit {host}" in done.output
    assert "calvin" not in done.output
