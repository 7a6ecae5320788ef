"""What is said of the whole lab is found out once, and not by each of its nodes anew.

A task that reads the variables of all nodes takes as long as there are nodes, and where each node
has that task, a lab of twice the size takes four times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from ansible_collections.gpulab.core.plugins.filter.hosts_entries import hosts_entries

ROOT = Path(__file__).parents[3]
#: All of them, handed to a filter; one node's is `hostvars[name]`.
_ALL = re.compile(r"hostvars\s*[,)}|]|\bhostvars$")
#: Where no node does it for itself: file → what does it, and why that is once.
ONCE = {
    "roles/time/vars/main.yml": {"__time_server_addresses": "reads the time servers' alone"},
    "roles/framework/vars/main.yml": {"__framework_wheelhouses": "the heads serve, and read it"},
    "roles/mirror/tasks/fetch.yml": {"__mirror_all_wanted": "the head fetches"},
    "playbooks/pairs.yml": {
        "pairs_of_all": "read by tasks that run once",
        "pairs_trained": "read by a task for the whole play",
    },
    "playbooks/vars/sandbox.yml": {"sandbox_machines": "this host starts the machines"},
    "playbooks/gpu_upgrade.yml": {"gpu_upgrade_lines": "read where the upgrade ends"},
}


def expressions(value: object, name: str = "", *, once: bool = False) -> Iterator[tuple[str, str]]:
    """Give each text outside of what runs once, with the key that it stands under."""
    if isinstance(value, dict):
        once = once or value.get("run_once") is True or value.get("hosts") == "localhost"
        for key, each in value.items():
            yield from expressions(each, str(key), once=once)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each, name, once=once)
    elif isinstance(value, str) and not once:
        yield name, value


def for_each_node(text: str) -> list[str]:
    found = expressions(yaml.safe_load(text) or [])
    return [name for name, expression in found if _ALL.search(expression)]


FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("playbooks", "roles/*/tasks", "roles/*/vars", "roles/*/defaults")
    for path in ROOT.glob(f"{folder}/**/*.yml")
    if "hostvars" in path.read_text()
)


@pytest.mark.parametrize("file", FILES)
def test_no_node_reads_the_variables_of_all(file: str) -> None:
    assert sorted(set(for_each_node((ROOT / file).read_text()))) == sorted(ONCE.get(file, {}))


# Templating a mapping of 200 nodes costs 25 ms, a text of the same content less than one.
@pytest.mark.parametrize("file", ["preflight", "verify"])
def test_the_firewalls_policy_is_handed_to_nodes_as_text(file: str) -> None:
    tasks = yaml.safe_load((ROOT / f"roles/firewall/tasks/{file}.yml").read_text())
    given = [
        task["gpulab.core.firewall_info"] for task in tasks if "gpulab.core.firewall_info" in task
    ]
    assert [options["policy"] for options in given] == ["{{ __firewall_policy_text }}"]


def test_a_node_looks_at_its_own_part_of_a_round_of_pairs() -> None:
    text = (ROOT / "playbooks/pairs.yml").read_text()
    assert re.findall(r"loop: (.*)", text) == [
        '"{{ range(pairs_plan.rounds | length) | list }}"',
        '"{{ range(pairs_retest.rounds | length) | list }}"',
    ]


def test_the_lines_of_hosts_are_made_once() -> None:
    (task,) = (
        task
        for task in yaml.safe_load((ROOT / "roles/base/tasks/preflight.yml").read_text())
        if "__base_hosts" in task.get("ansible.builtin.set_fact", {})
    )
    assert task["run_once"]
    node = {"eth0": {"zone": "management", "address": "10.0.0.1", "address6": "fd00::1"}}
    variables = {
        "groups": {"all": ["a", "b"]},
        "hostvars": {"a": {"node_interfaces": node}, "b": {"ansible_host": "10.0.0.2"}},
        "base_domain": "lab.test",
        "base_hosts_extra": ["10.9.9.9 other"],
    }
    made = templated(task["ansible.builtin.set_fact"]["__base_hosts"], variables)
    file = (ROOT / "roles/base/templates/hosts.j2").read_text()
    assert templated(file, {**variables, "__base_hosts": made}).splitlines()[6:] == [
        "",
        "10.0.0.1 a.lab.test a",
        "fd00::1 a.lab.test a",
        "10.0.0.2 b.lab.test b",
        "10.9.9.9 other",
    ]


def templated(text: str, variables: dict[str, Any]) -> str:
    """Template as Ansible does, with its settings and the filter alone."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)  # noqa: S701
    environment.filters["gpulab.core.hosts_entries"] = hosts_entries
    return environment.from_string(text).render(variables)


def test_what_is_excused_is_there() -> None:
    assert set(ONCE) - set(FILES) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- set_fact: {x: \"{{ groups['all'] | f(hostvars) }}\"}", ["x"]),
        ("- set_fact: {x: \"{{ groups['all'] | f(hostvars, 1) }}\"}", ["x"]),
        ("- set_fact: {x: \"{{ all | map('extract', hostvars) | list }}\"}", ["x"]),
        ("- set_fact: {x: \"{{ groups['all'] | f(hostvars) }}\"}\n  run_once: true", []),
        ("- run_once: true\n  block:\n    - debug: {msg: '{{ f(hostvars) }}'}", []),
        ("- set_fact: {x: \"{{ hostvars['head01'].y }}\"}", []),
        ("x: '{{ a | f(hostvars) }}'", ["x"]),
    ],
)
def test_it_is_noticed(text: str, found: list[str]) -> None:
    assert for_each_node(text) == found
