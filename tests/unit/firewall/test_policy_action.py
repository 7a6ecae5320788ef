"""The action ``gpulab.core.firewall_policy`` and the flows of the roles, by the real Ansible."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import (
    Flow,
    policy_from_plain,
)

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
EXAMPLE = ROOT / "inventory" / "example"
# What a lab's groups and zones are called, and the words; roles may name nothing else.
KNOWN_ENDS = {
    *("controllers", "compute", "storage", "edge", "nvidia", "ups_attached", "monitored"),
    *("bastions", "management", "bmc", "fabric", "public", "all", "outside", "gateways"),
}
PLAY = """
- hosts: all
  gather_facts: false
  become: false
  tasks:
    - gpulab.core.firewall_policy:
        roles: "{{ test_roles | default(omit) }}"
      register: collected
      ignore_errors: true
      run_once: true
    - ansible.builtin.copy:
        content: "{{ collected | to_json }}"
        dest: "{{ test_answer }}"
        mode: "0644"
      delegate_to: localhost
      connection: local
      run_once: true
"""


def collect(folder: Path, inventory: Path, *options: str, **variables: object) -> dict[str, Any]:
    """Run the action on an inventory, and return its result."""
    play, answer = folder / "play.yml", folder / "answer.json"
    play.write_text(PLAY)
    given = json.dumps({"test_answer": str(answer), **variables})
    command = [sys.executable, "-m", "ansible", "playbook", str(play), "-i", str(inventory)]
    done = subprocess.run(
        [*command, "-e", given, *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def flows_of(result: dict[str, Any]) -> dict[str, Flow]:
    return {flow.name: flow for flow in policy_from_plain(result["policy"]).flows}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is collected of the example, which declares every zone, for a run of one machine."""
    return collect(tmp_path_factory.mktemp("example"), EXAMPLE, "--limit", "gpu01")


def test_all_machines_are_in_whatever_the_run_is_limited_to(example: dict[str, Any]) -> None:
    policy = policy_from_plain(example["policy"])

    assert set(policy.nodes) == {
        *("head01", "gpu01", "gpu02", "gpu03", "gpu04", "store01", "pi01", "jetson01"),
    }
    assert policy.nodes["gpu01"].groups >= {"compute", "a100_nodes", "nvidia"}
    assert [one.zone for one in policy.nodes["store01"].interfaces] == ["storage", "management"]
    assert policy.zones["public"].public
    assert not policy.zones["edge"].outside
    assert policy.zones["management"].outside


def test_every_service_has_its_flow(example: dict[str, Any]) -> None:
    flows = flows_of(example)

    def opened(name: str) -> tuple[str, str, str, tuple[tuple[int, int], ...]]:
        flow = flows[name]
        return flow.source, flow.target, flow.protocol, flow.ports

    assert opened("ssh.administer") == ("management", "all", "tcp", ((22, 22),))
    assert opened("ssh.administer-from-head") == ("controllers", "all", "tcp", ((22, 22),))
    assert opened("ssh.bastion") == ("outside", "bastions", "tcp", ((22, 22),))
    assert opened("ssh.administer-from-bastion") == ("bastions", "all", "tcp", ((22, 22),))
    assert opened("time.serve") == ("all", "controllers", "udp", ((123, 123),))
    assert opened("time.upstream") == ("controllers", "outside", "udp", ((123, 123),))
    assert opened("time.upstream-keys") == ("controllers", "outside", "tcp", ((4460, 4460),))
    assert opened("framework.wheels") == ("compute", "controllers", "tcp", ((8008, 8008),))
    assert opened("pytorch.train") == ("compute@fabric", "compute@fabric", "any", ())
    assert opened("iperf3.bandwidth")[:3] == ("compute@fabric", "compute@fabric", "tcp")
    assert opened("iperf3.round-trip") == ("compute@fabric", "compute@fabric", "icmp", ())
    assert opened("base.packages") == ("all", "outside", "tcp", ((80, 80), (443, 443)))
    assert opened("network.mtu-storage") == ("all@storage", "all@storage", "icmp", ())
    assert opened("base.ping") == ("management", "all", "icmp", ())
    assert {opened(f"base.{name}")[1:3] for name in ("names", "long-names")} == {
        ("outside", "udp"),
        ("outside", "tcp"),
    }
    assert {flow.origin for flow in flows.values()} >= {"lab_flows", "role ssh", "role time"}


def test_logins_are_limited_so_that_ansible_is_not(example: dict[str, Any]) -> None:
    flows = flows_of(example)

    assert flows["ssh.administer"].rate == "60/minute"
    assert flows["ssh.bastion"].rate == "10/minute"
    assert flows["ssh.bastion"].log


#: Ports of others: that of the SSH server, which a change of the firewall is confirmed by.
NOT_LISTENED = {"commit_ssh_port"}


def port_options() -> Iterator[tuple[str, str]]:
    """Every option of a role that is a port that it listens on, with its role."""
    for file in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        options = yaml.safe_load(file.read_text())["argument_specs"]["main"].get("options", {})
        ports = {name for name in options if name.endswith("_port")} - NOT_LISTENED
        yield from ((file.parents[1].name, name) for name in sorted(ports))


@pytest.mark.parametrize(("role", "option"), list(port_options()))
def test_a_port_that_a_role_listens_on_is_in_its_flows(
    tmp_path: Path, role: str, option: str
) -> None:
    software = {"mirror": True}

    result = collect(tmp_path, EXAMPLE, **{option: 4321, "lab_software": software})

    open_ports = {port for flow in flows_of(result).values() for port in flow.ports}
    assert (4321, 4321) in open_ports, f"{role} listens on {option}, which no flow lets through"


def test_there_are_ports_to_look_at() -> None:
    assert {("mirror", "mirror_port"), ("framework", "framework_wheelhouse_port")} <= set(
        port_options()
    )


def test_whatever_makes_a_program_listen_comes_with_flows() -> None:
    listens = re.compile(r"^\s*(listen|port|listenaddress)\b", re.I | re.M)
    # chrony listens where it may be asked, sshd on port 22 where nothing else is said.
    listeners = {"time": re.compile(r"^allow ", re.M), "ssh": re.compile("PermitRootLogin")}
    found = {
        file.parents[1].name
        for file in ROLES.glob("*/templates/*")
        if listens.search(file.read_text())
        or listeners.get(file.parents[1].name, re.compile("(?!)")).search(file.read_text())
    }

    assert found == {"framework", "mirror", "ssh", "time"}
    assert all((ROLES / role / "meta" / "flows.yml").is_file() for role in found)


@pytest.mark.parametrize("file", sorted(ROLES.glob("*/meta/flows.yml")), ids=lambda f: f.parts[-3])
def test_a_roles_flows_name_what_labs_have(file: Path) -> None:
    for flow in yaml.safe_load(file.read_text()):
        for end in (flow["from"], flow["to"]):
            members, _, zone = end.partition("@")
            assert "{{" in end or {members, zone} <= {*KNOWN_ENDS, ""}, end


def test_the_head_serves_packages_only_where_it_is_declared(
    tmp_path: Path, example: dict[str, Any]
) -> None:
    declared = collect(tmp_path, EXAMPLE, lab_software={"mirror": True})

    assert "mirror.packages" not in flows_of(example)
    flow = flows_of(declared)["mirror.packages"]
    assert (flow.source, flow.target, flow.ports) == ("all", "head01", ((3142, 3142),))


def test_where_nodes_are_measured_is_open(tmp_path: Path) -> None:
    result = collect(tmp_path, EXAMPLE, pairs_zone="storage", pairs_port=6000)

    flow = flows_of(result)["iperf3.bandwidth"]
    assert (flow.source, flow.target) == ("compute@storage", "compute@storage")
    # As many servers as the measurement ever starts: MOST_PROCESSES of checks/pairs/nodes.py.
    assert flow.ports == ((6000, 6015),)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A lab of one node in one zone, without the groups that roles name."""
    file = tmp_path / "hosts.yml"
    file.write_text(
        """
all:
  vars:
    lab_name: small
    lab_zones:
      management: {cidr: 10.20.0.0/24}
  children:
    trainers:
      hosts:
        node01:
          node_interfaces: {eth0: {zone: management, address: 10.20.0.11}}
"""
    )
    return file


def test_a_lab_without_a_group_opens_nothing_for_it(tmp_path: Path, small: Path) -> None:
    result = collect(tmp_path, small)

    assert not result["failed"]
    flows = flows_of(result)
    assert "ssh.administer" in flows
    assert not {"time.serve", "framework.wheels", "pytorch.train"} & set(flows)
    assert "time.serve: there is no zone, group or node 'controllers'" in result["left_out"]


def test_a_lab_without_a_fabric_trains_in_the_zone_of_management(
    tmp_path: Path, small: Path
) -> None:
    small.write_text(small.read_text().replace("trainers", "compute"))

    flows = flows_of(collect(tmp_path, small))

    assert flows["pytorch.train"].source == "compute@management"
    assert flows["iperf3.bandwidth"].source == "compute@management"


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    """A folder with a copy of some roles."""
    folder = tmp_path / "own roles"
    for name in ("ssh", "time"):
        shutil.copytree(ROLES / name, folder / name)
    return folder


def test_a_role_that_is_gone_opens_nothing(tmp_path: Path, small: Path, roles: Path) -> None:
    before = flows_of(collect(tmp_path, small, test_roles=[str(roles)]))
    shutil.rmtree(roles / "ssh")

    after = flows_of(collect(tmp_path, small, test_roles=[str(roles)]))

    assert {flow.origin for flow in before.values()} == {"role ssh"}
    assert after == {}


def test_the_first_role_of_a_name_counts(tmp_path: Path, small: Path, roles: Path) -> None:
    other = tmp_path / "others"
    (other / "ssh" / "meta").mkdir(parents=True)
    flow = {"name": "own", "from": "all", "to": "all", "protocol": "any"}
    (other / "ssh" / "meta" / "flows.yml").write_text(yaml.safe_dump([flow]))

    found = flows_of(collect(tmp_path, small, test_roles=[str(other), str(roles)]))

    assert set(found) == {"ssh.own"}


def test_an_option_of_the_lab_counts_and_one_of_a_machine_does_not(
    tmp_path: Path, small: Path
) -> None:
    text = small.read_text().replace("lab_name: small", "lab_name: small\n    ssh_rate: 5/second")
    second = (
        "node02: {ssh_rate_outside: 1/hour, ssh_rate: 5/second, bridge: br-lab,"
        " firewall_container_interfaces: ['{{ bridge }}']}\n    bastions: {hosts: {node01}}"
    )
    small.write_text(f"{text}        {second}\n")

    result = collect(tmp_path, small)

    flows = flows_of(result)
    assert flows["ssh.administer"].rate == "5/second"
    assert flows["ssh.bastion"].rate == "10/minute"
    # What is about a node and no flow is the node's, all the same.
    nodes = policy_from_plain(result["policy"]).nodes
    assert nodes["node02"].container_interfaces == ("br-lab",)
    assert "podman*" in nodes["node01"].container_interfaces


def test_mistakes_of_lab_and_roles_are_told_with_their_files(
    tmp_path: Path, small: Path, roles: Path
) -> None:
    flow = "    lab_flows:\n      - {name: x, from: nobody, to: all, protocol: any}\n"
    small.write_text(small.read_text().replace("    lab_zones:", f"{flow}    lab_zones:"))
    flows = roles / "time" / "meta" / "flows.yml"
    flows.write_text("- name: serve\n  from: all\n  to: all\n  protocol: udp\n  ports: [ntp]\n")

    result = collect(tmp_path, small, test_roles=[str(roles)])

    assert result["failed"]
    assert "policy" not in result
    assert result["msg"].startswith("The declaration has 2 mistakes")
    told = "\n".join(result["errors"])
    assert f"{small}:6 lab_flows[0].from\n  wrong: there is no zone, group or node" in told
    assert f'{flows}:5 [0].ports[0]\n  wrong: "ntp" is the name of a port' in told
    assert "write its number: 123" in told


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path, small: Path, roles: Path) -> None:
    (roles / "time" / "meta" / "flows.yml").write_text("- name: [\n")

    result = collect(tmp_path, small, test_roles=[str(roles)])

    assert result["failed"]
    assert f"{roles}/time/meta/flows.yml" in result["msg"]
