"""Turn an inventory's variables into a declaration of plain Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString

from .model import Declaration, Host, Path, Problem, Secret, Unresolved, Value, mapping
from .origin import comes_from_command_line, stands_in_vault
from .secrets import REFERENCE, VAULT_PREFIX, is_secret_variable

Resolve = Callable[[Any], Any]
LAB_PREFIX = "lab_"
NODE_PREFIX = "node_"
UNDECRYPTED = "the secret cannot be decrypted"
HOW_TO_DECRYPT = (
    "give the password that it was encrypted with: --ask-vault-pass, --vault-password-file FILE, "
    "or --vault-id NAME@FILE, once for each of several vaults"
)
ANOTHER_VALUE = "this machine sees another value than the rest"
BELONGS_TO_ALL = "say it once, in group_vars/all: it is a fact of the whole lab"


@dataclass(frozen=True)
class Machine:
    """A node as Ansible hands it over.

    Attributes:
        name: its inventory name.
        groups: its groups without ``all``, the smallest first.
        variables: all of its variables, unresolved.
        resolve: resolves the templates in one of its values; raises AnsibleError.
    """

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any]
    resolve: Resolve


def collect(machines: list[Machine], groups: frozenset[str]) -> Declaration:
    """Read the declaration out of the variables of all machines.

    Args:
        machines: the nodes of the whole inventory, whatever the run is limited to.
        groups: the names of all groups.

    Returns:
        The declaration; templates that could not be resolved are among its problems.
    """
    machines = sorted(machines, key=lambda machine: machine.name)
    problems: list[Problem] = []
    lab: dict[str, Any] = {}
    lab_raw: dict[str, Any] = {}
    if machines:
        spokesman = machines[0]
        lab_raw = _written(spokesman, lambda name: name.startswith(LAB_PREFIX))
        lab = _resolved(spokesman, lab_raw, "", problems)
    hosts = []
    for machine in machines:
        raw = _written(machine, _is_fact_of_machine)
        variables = _resolved(machine, raw, machine.name, problems)
        hosts.append(Host(machine.name, machine.groups, variables, raw))
        problems += _own_lab(machine, lab_raw)
    return Declaration(lab, tuple(hosts), groups, tuple(problems), lab_raw)


def resolved(value: Value, at: Path, resolve: Resolve, problems: list[Problem]) -> Value:
    """Resolve the templates in a value leaf by leaf.

    Args:
        value: the value as Ansible read it.
        at: the key at which it stands.
        resolve: resolves the templates in one leaf; raises AnsibleError.
        problems: takes what could not be resolved.

    Returns:
        The value in plain Python types; `Unresolved` in place of what could not be resolved.
    """
    return _Resolver(resolve, "", problems).tree(value, at)


def plain(value: Value) -> Value:
    """Copy a value into plain Python types: Ansible's tagged ones carry more, and confuse JSON.

    A text from a vault becomes a `Secret`.
    """
    if isinstance(value, EncryptedString):
        return Secret()
    if isinstance(value, str) and stands_in_vault(value):
        return Secret(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (Secret, bool)) or value is None:
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _is_fact_of_machine(name: str) -> bool:
    return name.startswith(NODE_PREFIX) or name == "ansible_user" or is_secret_variable(name)


def _written(machine: Machine, wanted: Callable[[str], bool]) -> dict[str, Any]:
    return {
        str(name): _as_written(str(name), value)
        for name, value in machine.variables.items()
        if wanted(str(name))
    }


def _as_written(name: str, value: Value) -> Value:
    # What is given with the command stands in no file, in plain text or otherwise.
    if is_secret_variable(name) and isinstance(value, str) and comes_from_command_line(value):
        return Secret(value)
    return plain(value)


def _resolved(
    machine: Machine, names: dict[str, Any], owner: str, problems: list[Problem]
) -> dict[str, Any]:
    resolver = _Resolver(machine.resolve, owner, problems)
    return {name: resolver.tree(machine.variables[name], (name,)) for name in names}


def _own_lab(machine: Machine, lab_raw: dict[str, Any]) -> list[Problem]:
    own = _written(machine, lambda name: name.startswith(LAB_PREFIX))
    return [
        Problem(machine.name, (name,), ANOTHER_VALUE, BELONGS_TO_ALL)
        for name in sorted(own.keys() | lab_raw.keys())
        if own.get(name) != lab_raw.get(name)
    ]


@dataclass(frozen=True)
class _Resolver:
    """Resolves a value leaf by leaf, so that a mistake is reported where it stands."""

    resolve: Resolve
    owner: str
    problems: list[Problem]

    def tree(self, value: Value, path: Path) -> Value:
        if isinstance(value, Mapping):
            return {plain(key): self.tree(item, (*path, _key(key))) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tree(item, (*path, number)) for number, item in enumerate(value)]
        return self._leaf(value, path)

    def _leaf(self, value: Value, path: Path) -> Value:
        encrypted = isinstance(value, EncryptedString)
        try:
            resolved = plain(str(value) if encrypted else self.resolve(value))
        except AnsibleError as error:
            self.problems.append(self._failure(error, value, path))
            return Unresolved()
        if encrypted or (isinstance(value, str) and VAULT_PREFIX in value):
            return _conceal(resolved)
        return resolved

    def _failure(self, error: AnsibleError, value: Value, path: Path) -> Problem:
        reason = str(error).splitlines()[0]
        if isinstance(value, EncryptedString):
            return Problem(self.owner, path, UNDECRYPTED, HOW_TO_DECRYPT)
        if "decrypt" in reason.lower():
            # Told where the secret stands: one place, however many nodes refer to it.
            reference = REFERENCE.fullmatch(str(value).strip())
            where: Path = (reference[1],) if reference else path
            return Problem(self.owner, where, UNDECRYPTED, HOW_TO_DECRYPT)
        wrong = f"its template cannot be resolved: {reason}"
        return Problem(
            self.owner, path, wrong, "define the variable that it names, or write a value"
        )


def _conceal(value: Value) -> Value:
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, list):
        return [_conceal(item) for item in value]
    return {key: _conceal(item) for key, item in value.items()} if mapping(value) else value


def _key(key: Value) -> str | int:
    return int(key) if isinstance(key, int) else str(key)
