"""What roles want: their flows are checked, named after them, and mean nothing where they can't."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.collect import Resolve
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.flows import Ends, ends_of
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Declaration, Host
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.zones import read_zones
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.contributed import (
    RoleFlows,
    contributed_flows,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.gather import Gathered, gather
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import (
    CONTAINER_INTERFACES,
    policy_from_plain,
)

ROOT = Path(__file__).resolve().parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "inventory" / "lab.schema.json").read_text())
FILE = "roles/web/meta/flows.yml"
LAB: dict[str, Any] = {
    "lab_name": "aurora",
    "lab_zones": {
        "management": {"cidr": "10.20.0.0/24", "vlan": 10, "gateway": "10.20.0.1"},
        "edge": {"cidr": "10.20.3.0/24", "vlan": 30},
    },
    "lab_flows": [
        {"name": "serve", "from": "edge", "to": "head01", "protocol": "tcp", "ports": [8883]}
    ],
}
HEAD = Host(
    "head01",
    ("controllers",),
    {
        "node_interfaces": {
            "eth0": {},
            "eth0.10": {"parent": "eth0", "zone": "management", "address": "10.20.0.11"},
            "eth1": {"zone": "edge", "address": "10.20.3.11"},
        }
    },
)
WORDS = {
    "{{ yes }}": True,
    "{{ no }}": False,
    "{{ port }}": 8080,
    "{{ text }}": "perhaps",
    "{{ lab_zones | list }}": ["management", "edge"],
}


def declaration(**lab: object) -> Declaration:
    return Declaration({**LAB, **lab}, (HEAD,), frozenset({"controllers", "all", "ungrouped"}))


def ends() -> Ends:
    return ends_of(declaration(), read_zones(declaration()))


def resolve_with(variables: Mapping[str, object]) -> Resolve:
    """Stands for Ansible's templating: knows a few words and nothing else."""

    def resolve(value: object) -> object:
        for name, known in variables.items():
            value = (
                value.replace(f"{{{{ {name} }}}}", str(known)) if isinstance(value, str) else value
            )
        if isinstance(value, str) and "{{" in value:
            if value not in WORDS:
                msg = f"'{value}' is undefined"
                raise AnsibleUndefinedVariable(msg)
            return WORDS[value]
        return value

    return resolve


def role(content: str, name: str = "web") -> RoleFlows:
    return RoleFlows(name, FILE, content, yaml.safe_load(content), resolve_with)


def wants(content: str) -> Gathered:
    return gather(declaration(), [role(content)], SCHEMA, {})


ONE = "{name: serve, from: edge, to: head01, protocol: tcp, ports: ['{{ port }}']}"


def test_a_roles_flow_has_its_name_and_its_origin() -> None:
    found = contributed_flows(role(f"- {ONE}"), ends(), SCHEMA)

    assert found.problems == []
    assert found.flows == [
        {
            "name": "web.serve",
            "from": "edge",
            "to": "head01",
            "protocol": "tcp",
            "ports": [8080],
            "origin": "role web",
        }
    ]


def test_no_name_clashes_with_another_roles_or_the_declarations() -> None:
    roles = [role(f"- {ONE}"), role(f"- {ONE}", "mail")]

    gathered = gather(declaration(), roles, SCHEMA, {})

    assert gathered.problems == []
    flows = policy_from_plain(gathered.policy).flows
    assert [flow.name for flow in flows] == ["serve", "web.serve", "mail.serve"]
    assert [flow.origin for flow in flows] == ["lab_flows", "role web", "role mail"]


@pytest.mark.parametrize(("when", "wanted"), [("{{ yes }}", 1), ("{{ no }}", 0), (True, 1)])
def test_when_says_whether_a_flow_is_wanted(when: object, wanted: int) -> None:
    content = yaml.safe_dump([{**yaml.safe_load(ONE), "when": when}])

    found = contributed_flows(role(content), ends(), SCHEMA)

    assert (len(found.flows), found.problems) == (wanted, [])
    assert all("when" not in flow for flow in found.flows)


def test_a_flow_is_wanted_for_each_item_of_a_loop() -> None:
    content = """
    - name: mtu-{{ item }}
      loop: "{{ lab_zones | list }}"
      from: all@{{ item }}
      to: all@{{ item }}
      protocol: icmp
    """

    found = contributed_flows(role(content), ends(), SCHEMA)

    assert found.problems == []
    assert [(flow["name"], flow["from"], flow["to"]) for flow in found.flows] == [
        ("web.mtu-management", "all@management", "all@management"),
        ("web.mtu-edge", "all@edge", "all@edge"),
    ]
    assert all(not {"loop", "item"} & flow.keys() for flow in found.flows)


def test_a_loop_over_nothing_opens_nothing() -> None:
    assert len(wants(f"- {ONE[:-1]}, loop: []}}").policy["flows"]) == 1


def test_what_is_not_wanted_is_not_resolved_either() -> None:
    content = "- {name: x, when: '{{ no }}', from: '{{ nobody }}', to: all, protocol: any}"

    assert contributed_flows(role(content), ends(), SCHEMA).problems == []


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("bastions", "web.x: there is no zone, group or node 'bastions'"),
        ("controllers@fabric", "web.x: there is no zone 'fabric'"),
        ("head01@fabric", "web.x: there is no zone 'fabric'"),
    ],
)
def test_an_end_that_the_lab_lacks_opens_nothing(end: str, said: str) -> None:
    gathered = wants(f"- {{name: x, from: {end}, to: all, protocol: any}}")

    assert gathered.problems == []
    assert gathered.left_out == [said]
    assert len(gathered.policy["flows"]) == 1


def test_a_zone_that_is_kept_in_stays_so() -> None:
    gathered = wants("- {name: x, from: edge, to: outside, protocol: any}")

    assert gathered.problems == []
    assert gathered.left_out == ["web.x: zone 'edge' may not reach the outside"]


@pytest.mark.parametrize(
    ("content", "line", "key", "wrong"),
    [
        ("serve: 8080", 1, (), '{"serve": 8080} is no list'),
        ("- serve", 1, (0,), '"serve" is no flow'),
        (f"- {ONE}\n- {{name: x, from: all, to: all}}", 2, (1, "protocol"), "this key is missing"),
        (
            f"- {ONE}\n- name: x\n  from: all\n  to: all\n  protocol: udp",
            2,
            (1, "ports"),
            "a udp flow names no ports",
        ),
        (
            "- name: x\n  from: all\n  to: all\n  protocol: tcp\n  ports: [ssh]",
            5,
            (0, "ports", 0),
            '"ssh" is the name of a port',
        ),
        (f"- {ONE}\n- {ONE}", 2, (1, "name"), "the name 'serve' is already taken by [0].name"),
        (
            "- name: x\n  form: all\n  from: all\n  to: all\n  protocol: any",
            2,
            (0, "form"),
            "unknown key",
        ),
        (
            "- name: x\n  when: '{{ text }}'\n  from: all\n  to: all\n  protocol: any",
            2,
            (0, "when"),
            '"perhaps" is not true or false',
        ),
        (
            "- name: x\n  loop: '{{ port }}'\n  from: all\n  to: all\n  protocol: any",
            2,
            (0, "loop"),
            "8080 is no list",
        ),
        (
            "- name: x\n  loop: [a, b]\n  from: all\n  to: all\n  protocol: any",
            1,
            (0, "name"),
            "the name 'x' is already taken by [0].name",
        ),
        (
            "- name: x\n  from: all\n  to: '{{ nobody }}'\n  protocol: any",
            3,
            (0, "to"),
            "its template cannot be resolved: '{{ nobody }}' is undefined",
        ),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(
    content: str, line: int, key: tuple[object, ...], wrong: str
) -> None:
    gathered = wants(content)

    (problem,) = gathered.problems
    assert (problem.file, problem.line, problem.path) == (FILE, line, key)
    assert problem.wrong == wrong
    assert problem.right
    assert gathered.policy == {}


def test_an_empty_file_wants_nothing() -> None:
    assert len(wants("---\n").policy["flows"]) == 1


def test_a_policy_has_what_is_in_a_zone_and_all_groups() -> None:
    policy = policy_from_plain(wants("").policy)

    (node,) = policy.nodes.values()
    # eth0 only carries the VLAN.
    assert [interface.name for interface in node.interfaces] == ["eth0.10", "eth1"]
    assert node.groups == {"controllers"}
    assert policy.zones["management"].outside
    assert not policy.zones["edge"].outside


def test_mistakes_of_the_declaration_and_of_roles_are_told_together() -> None:
    flow = {"name": "x", "from": "egde", "to": "all", "protocol": "any"}

    gathered = gather(declaration(lab_flows=[flow]), [role("- serve")], SCHEMA, {})

    wrong = [problem.wrong for problem in gathered.problems]
    assert wrong == ["there is no zone, group or node 'egde'", '"serve" is no flow']


def test_without_zones_nothing_can_be_compiled() -> None:
    lab = {"lab_name": "aurora"}

    gathered = gather(Declaration(lab, (Host("head01"),)), [], SCHEMA, {})

    assert [problem.path for problem in gathered.problems] == [("lab_zones",)]


def test_each_machine_has_its_own_container_engines() -> None:
    containers = {"head01": ["podman*", "br-lab"]}

    gathered = gather(declaration(), [], SCHEMA, containers)

    assert gathered.problems == []
    (node,) = policy_from_plain(gathered.policy).nodes.values()
    assert node.container_interfaces == ("podman*", "br-lab")
    (other,) = policy_from_plain(wants("").policy).nodes.values()
    assert other.container_interfaces == CONTAINER_INTERFACES


@pytest.mark.parametrize(
    ("patterns", "path", "wrong"),
    [
        ("podman*", (), '"podman*" is no list'),
        (["podman*", "*"], (1,), '"*" is no name of an interface'),
        (["br-*x"], (0,), '"br-*x" is no name of an interface'),
        (["a-name-too-long1"], (0,), '"a-name-too-long1" is no name of an interface'),
        ([3], (0,), "3 is no name of an interface"),
    ],
)
def test_what_names_no_bridges_is_refused(
    patterns: object, path: tuple[int, ...], wrong: str
) -> None:
    gathered = gather(declaration(), [], SCHEMA, {"head01": patterns})

    (problem,) = gathered.problems
    assert (problem.owner, problem.path) == (
        "head01",
        ("firewall_container_interfaces", *path),
    )
    assert problem.wrong == wrong


def test_the_roles_default_is_what_is_compiled_without_it() -> None:
    defaults = yaml.safe_load((ROOT / "roles/firewall/defaults/main.yml").read_text())

    assert tuple(defaults["firewall_container_interfaces"]) == CONTAINER_INTERFACES
