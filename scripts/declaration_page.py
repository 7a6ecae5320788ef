"""The text of docs/declaration.md, made from the JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.unenforced import (
    UNENFORCED,
    Unenforced,
)

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "inventory" / "lab.schema.json"

INTRODUCTION = """\
<!-- Generated from inventory/lab.schema.json by `make docs`. -->
# The declaration

Everything that gpulab knows about a lab stands in its inventory: facts of the lab in `lab_*`
variables, facts of a node in `node_*` variables. Copy the example and edit it:

```console
cp -r inventory/example inventory/mylab
ansible-playbook -i inventory/mylab site.yml --tags preflight
```

The second command checks the whole declaration and lists **all** mistakes at once, placeholders of
the example included, each with its file and line, its key, what is wrong, and what would be right:

```text
inventory/mylab/group_vars/all/zones.yml:26 lab_zones.fabric.cidr
  wrong: 10.20.0.0/16 overlaps zone 'management' (10.20.0.0/24)
  right: give each zone a network that no other zone uses
```

No node is touched before the declaration is sound. The check is part of every run, whatever
`--tags` or `--limit` say, and it changes nothing. It compares the declaration with the tables
below, and then its parts with each other:

- **Zones**: networks do not overlap; gateways, interfaces and BMCs lie inside their zones; no two
  have the same address or VLAN; no interface has a larger MTU than its zone; flows lead to zones,
  groups or nodes that exist, through ports that exist.
- **Nodes**: no two have the same serial, MAC, disk or rack unit; each is in a group that says
  what it is; no root disk is protected; names can be host names, one label or a full name.
- **Power**: feeds lead to UPSes, data cables to nodes; what is in `ups_attached` names its
  feeds.
- **Hardware**: specifications exist and do not extend themselves; compute nodes in `nvidia` are
  required to have GPUs.
- **GPU software**: branches and toolkits are known and fit each other, an exact version is of its
  branch, the default toolkit is among the toolkits; GPU settings are of nodes in `nvidia`.
- **People**: each has a key of his own and no second account; nobody removes the account that
  Ansible logs in as.
- **Secrets**: none is a placeholder, a well-known default or in plain text. Vault each
  (`ansible-vault encrypt_string --prompt --name 'vault_bmc_password'`), or whole files
  (`ansible-vault encrypt inventory/mylab/group_vars/all/vault.yml`), with one password or several
  (`--vault-id`). Messages never show one. Without the right password nothing runs: Ansible says
  "Decryption failed".
- **Files**: no key stands twice, and none in `group_vars` or `host_vars` belongs to nobody.

An editor with a YAML language server completes and checks while you type: each file of the
example names the schema in its first comment.

After the declaration, preflight asks every node in parallel whether it can take part, and prints
one table. On nodes of the group `nvidia` that includes which GPU software their GPUs get
([GPU software](gpu-software.md)); a GPU that a declared version cannot drive is named with it. A
node that cannot take part is taken out of the run; the others go on. Three limits can be set in
the inventory:

| variable | default | |
|---|---|---|
| `preflight_root_gib_min` | 5 | free space on `/`, GiB |
| `preflight_var_gib_min` | 2 | free space on `/var`, GiB |
| `preflight_clock_skew_s_max` | 30 | how far a node's clock may be from the controller's, s |

## Groups

| group | what it means |
|---|---|
| `controllers` | serves the others: time, installation, monitoring |
| `compute` | trains |
| `storage` | keeps data sets and checkpoints |
| `edge` | small devices: Raspberry Pi, Jetson |
| `nvidia` | gets the NVIDIA driver and GPU checks |
| `ups_attached` | is shut down in order in a power cut ([not yet](#not-enforced-yet)) |
| `monitored` | is watched, with alerts ([not yet](#not-enforced-yet)) |
"""
NOT_ENFORCED = """\
## Not enforced yet

What can be declared, is checked for sense, and has no effect yet. Preflight says so for what of it
a lab declares.

| declared | today |
|---|---|
"""


def page() -> str:
    """Render the page of the schema that is in the inventory."""
    return render(json.loads(SCHEMA.read_text(encoding="utf-8")))


def render(schema: dict[str, Any]) -> str:
    """Render the page.

    Args:
        schema: the JSON Schema of a declaration.

    Returns:
        Markdown: one section for the lab and one for nodes, one table for each variable.
    """
    parts = [INTRODUCTION, NOT_ENFORCED + "".join(map(_unenforced, UNENFORCED))]
    for name in ("lab", "host"):
        definition = schema["$defs"][name]
        parts.append(f"## {definition['title']}\n\n{definition['description']}\n")
        required = set(definition.get("required", ()))
        for variable, rules in definition["properties"].items():
            parts.append(_section(schema, variable, rules, required=variable in required))
    return "\n".join(parts)


def _unenforced(entry: Unenforced) -> str:
    names = [*(f"`{name}`" for name in entry.variables)]
    names += [f"the group `{name}`" for name in entry.groups]
    return f"| {', '.join(names)} | {entry.today} |\n"


def _section(
    schema: dict[str, Any], variable: str, rules: dict[str, Any], *, required: bool
) -> str:
    full = _resolve(schema, rules)
    need = " Required." if required else ""
    lines = [f"### `{variable}`", "", f"{full['description']}{need}", ""]
    lines += [f"Type: {_kind(full)}.{_example(full)}", ""]
    rows = _rows(schema, full, "")
    if rows:
        lines += ["| key | type | what it is |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(schema: dict[str, Any], rules: dict[str, Any], prefix: str) -> list[str]:
    """One row per key below a variable, depth first; ``<name>`` and ``[]`` stand for any."""
    rows = []
    required = set(rules.get("required", ()))
    for key, inner in rules.get("properties", {}).items():
        rows += _row(schema, inner, f"{prefix}.{key}" if prefix else key, key in required)
    for mark, inner in (("<name>", rules.get("additionalProperties")), ("[]", rules.get("items"))):
        if isinstance(inner, dict):
            place = prefix + mark if mark == "[]" else f"{prefix}.{mark}".lstrip(".")
            rows += _row(schema, inner, place, required=False)
    return rows


def _row(schema: dict[str, Any], rules: dict[str, Any], place: str, required: bool) -> list[str]:
    full = _resolve(schema, rules)
    need = " **Required.**" if required else ""
    row = f"| `{place}` | {_kind(full)} | {full['description']}{need}{_example(full)} |"
    return [row, *_rows(schema, full, place)]


def _resolve(schema: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in rules:
        return rules
    name = rules["$ref"].rpartition("/")[2]
    return {**_resolve(schema, schema["$defs"][name]), **rules}


def _kind(rules: dict[str, Any]) -> str:
    if "enum" in rules:
        return " or ".join(f"`{value}`" for value in rules["enum"])
    given: str | list[str] = rules["type"]
    names: dict[str, str] = {"array": "list", "object": "mapping"}
    kinds = given if isinstance(given, list) else [given]
    kind = " or ".join(names.get(name, name) for name in kinds)
    low = rules.get("minimum", rules.get("exclusiveMinimum"))
    if low is not None and "maximum" in rules:
        return f"{kind}, {low} to {rules['maximum']}"
    if "minimum" in rules:
        return f"{kind}, {low} or more"
    return kind if low is None else f"{kind}, more than {low}"


def _example(rules: dict[str, Any]) -> str:
    examples = rules.get("examples")
    return f" Example: `{examples[0]}`" if examples else ""
