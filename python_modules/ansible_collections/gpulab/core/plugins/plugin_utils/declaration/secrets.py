"""Refuse secrets that are placeholders, well known, or not in a vault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from .model import Declaration, Host, Path, Problem, Secret, Value, mapping, text
from .placeholders import looks_like_placeholder
from .shape import secret_paths
from .sources import Sources

# What BMCs and UPS cards are delivered with (Dell: calvin, Supermicro: ADMIN, Lenovo: PASSW0RD,
# OpenBMC: 0penBmc, SNMP: public and private), and what people type to get on with it.
WELL_KNOWN = frozenset(
    {
        *("0penbmc", "123456", "12345678", "admin", "administrator", "ansible", "calvin"),
        *("changeit", "default", "gpulab", "letmein", "none", "operator", "passw0rd", "password"),
        *("private", "public", "qwerty", "raspberry", "root", "secret", "superuser", "test"),
        *("toor", "ubuntu", "userid", "vagrant"),
    }
)
# Variables of ansible-core's connection plugin ssh and become plugin sudo (2.19 to 2.21).
CONNECTION_SECRETS = frozenset(
    {
        *("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
        *("ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"),
        *("ansible_become_pass", "ansible_become_password", "ansible_sudo_pass"),
    }
)
VAULT_PREFIX = "vault_"
REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
# IPMI 2.0, section 22.30 (Set User Password): 20 bytes at most; some BMCs cut silently.
IPMI_PASSWORD_BYTES = 20


def is_secret_variable(name: str) -> bool:
    """Whether a variable is a secret by its name alone."""
    return name in CONNECTION_SECRETS or name.startswith(VAULT_PREFIX)


def secret_problems(
    declaration: Declaration, schema: dict[str, Any], sources: Sources
) -> Iterator[Problem]:
    """Check every value that the schema or a variable's name marks as secret.

    A secret that is a plain reference, ``{{ vault_bmc_password }}``, is reported under the name
    that it refers to: there it must be changed, once for all machines.
    """
    lab_secrets = secret_paths(declaration.lab, schema, schema["$defs"]["lab"])
    for path in lab_secrets:
        yield from _secret(None, path, declaration.lab, declaration.lab_raw, sources)
    for host in declaration.by_name():
        paths = list(secret_paths(host.variables, schema, schema["$defs"]["host"]))
        paths += [(name,) for name in sorted(host.variables) if is_secret_variable(name)]
        for path in paths:
            yield from _secret(host, path, host.variables, host.raw, sources)
        yield from _bmc_password(host)


def _secret(
    host: Host | None, path: Path, values: dict[str, Any], raw: dict[str, Any], sources: Sources
) -> Iterator[Problem]:
    value, written = _dig(values, path), _dig(raw, path)
    if not isinstance(value, str):
        return
    owner = host.name if host else ""
    reference = REFERENCE.fullmatch(text(written).strip())
    if reference:
        path = (reference[1],)
    name = str(path[-1])
    refused = ""
    if looks_like_placeholder(value):
        refused = "the secret is still the example's placeholder"
    elif value.strip().lower() in WELL_KNOWN:
        refused = "the secret is a well-known default"
    elif _stands_in_plain_text(host, reference, written, sources):
        refused = "the secret stands in plain text"
    if refused:
        entry = sources.find(host, str(path[0]))
        if entry and entry.place.file in sources.encrypted:
            right = f"choose one of your own: ansible-vault edit {entry.place.file}"
        else:
            right = _how_to_vault(name, reference is not None or len(path) == 1)
        yield Problem(owner, path, refused, right)


def _stands_in_plain_text(
    host: Host | None, reference: re.Match[str] | None, written: Value, sources: Sources
) -> bool:
    if reference is None:
        literal = isinstance(written, str) and not isinstance(written, Secret)
        return literal and "{{" not in written and "{%" not in written
    # A variable that no readable file defines is in a vaulted file, or comes with --extra-vars.
    entry = sources.find(host, reference[1])
    return (
        entry is not None
        and not sources.is_encrypted(entry)
        and isinstance(entry.value, yaml.ScalarNode)
        and "{{" not in entry.value.value
    )


def _how_to_vault(name: str, is_variable: bool) -> str:
    variable = name if is_variable else f"{VAULT_PREFIX}{name}"
    command = f"ansible-vault encrypt_string --prompt --name '{variable}'"
    if is_variable:
        return f"choose one of your own, and put what `{command}` prints in its place"
    return f"keep what `{command}` prints in group_vars, and write '{{{{ {variable} }}}}' here"


def _bmc_password(host: Host) -> Iterator[Problem]:
    bmc = mapping(host.variables.get("node_bmc"))
    size = len(text(bmc.get("password")).encode())
    if bmc.get("protocol") == "ipmi" and size > IPMI_PASSWORD_BYTES:
        wrong = f"the password has {size} bytes, IPMI takes {IPMI_PASSWORD_BYTES}"
        yield Problem(host.name, ("node_bmc", "password"), wrong, "a shorter one, or redfish")


def _dig(value: Value, path: Path) -> Value:
    for key in path:
        if isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            value = mapping(value).get(key)
    return value
