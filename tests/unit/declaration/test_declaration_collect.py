"""From Ansible's variables to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.collect import (
    Machine,
    collect,
    plain,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Secret, Value

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab


class TaggedText(str):
    """Stands for what ansible-core makes of a string in an inventory."""


class TaggedNumber(int):
    """The same for a number."""


def resolve(value: Value) -> Value:
    if value == "{{ missing }}":
        raise AnsibleUndefinedVariable("'missing' is undefined")
    return {"{{ vault_x }}": TaggedText("hush"), "{{ five }}": 5}.get(value, value)


def machine(name: str, variables: Mapping[str, Any]) -> Machine:
    return Machine(name, ("compute",), variables, resolve)


def test_tagged_values_become_plain_at_every_depth() -> None:
    given = {TaggedText("a"): [TaggedText("b"), TaggedNumber(3), True, None, 1.5]}

    made = plain(given)

    assert made == {"a": ["b", 3, True, None, 1.5]}
    assert [type(key) for key in made] == [str]
    assert [type(item) for item in made["a"]] == [str, int, bool, type(None), float]


def test_templates_are_resolved_and_other_variables_left_alone() -> None:
    variables = {"lab_name": "x", "node_unit": "{{ five }}", "other": "{{ missing }}"}

    declaration = collect([machine("node01", variables)], frozenset({"compute"}))

    assert declaration.lab == {"lab_name": "x"}
    assert declaration.hosts[0].variables == {"node_unit": 5}
    assert declaration.hosts[0].raw == {"node_unit": "{{ five }}"}
    assert declaration.problems == ()


def test_a_template_that_cannot_be_resolved_is_one_mistake_at_its_leaf(sound: Lab) -> None:
    variables = {"node_interfaces": {"eno1": {"zone": "management", "address": "{{ missing }}"}}}
    declaration = collect([machine("node01", variables)], frozenset())
    sound.problems = list(declaration.problems)
    sound.hosts["node01"]["node_interfaces"] = declaration.hosts[0].variables["node_interfaces"]

    (error,) = sound.check()

    assert error["key"] == "node_interfaces.eno1.address"
    assert error["wrong"] == "its template cannot be resolved: 'missing' is undefined"


def test_what_comes_from_a_vault_is_marked_secret() -> None:
    variables = {"node_serial": "{{ vault_x }}"}

    (host,) = collect([machine("node01", variables)], frozenset()).hosts

    assert host.variables == {"node_serial": "hush"}
    assert isinstance(host.variables["node_serial"], Secret)


def test_a_fact_of_the_lab_that_one_machine_overrides_is_told() -> None:
    machines = [machine("a", {"lab_name": "x"}), machine("b", {"lab_name": "y", "lab_zones": {}})]

    problems = collect(machines, frozenset()).problems

    assert [(one.owner, one.path) for one in problems] == [
        ("b", ("lab_name",)),
        ("b", ("lab_zones",)),
    ]
    assert all("group_vars/all" in one.right for one in problems)


def test_an_empty_inventory_is_an_empty_declaration() -> None:
    assert collect([], frozenset()).lab == {}
