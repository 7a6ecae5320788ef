"""Every mistake has a message of its own, and all of them are told at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab

Vars = dict[str, Any]
Value = Any
Change = Callable[[Vars, dict[str, Vars]], None]


@dataclass(frozen=True)
class Mistake:
    """One way to spoil the sound lab: ``change(lab, hosts)``, and what must be said about it."""

    change: Change
    key: str
    hosts: tuple[str, ...]
    wrong: str
    right: str


def put(path: str, value: Value, host: str = "") -> Change:
    """Set a value: ``put("lab_zones.edge.vlan", 10)``; a number is an index."""

    def change(lab: Vars, hosts: dict[str, Vars]) -> None:
        *parents, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
        target: Any = hosts[host] if host else lab
        for key in parents:
            target = target[key]
        if isinstance(target, list) and last == len(target):
            target.append(value)
        else:
            target[last] = value

    return change


# Chosen so that no two of them touch the same thing: all can be made at once.
MISTAKES = {
    "misspelt variable of the lab": Mistake(
        put("lab_userz", []), "lab_userz", (), "unknown key", "did you mean 'lab_users'?"
    ),
    "misspelt variable of a machine": Mistake(
        put("node_rak", "R1", "edge01"),
        "node_rak",
        ("edge01",),
        "unknown key",
        "did you mean 'node_rack'?",
    ),
    "misspelt key inside": Mistake(
        put("lab_zones/fabric/vlna", 3),
        "lab_zones.fabric.vlna",
        (),
        "unknown key",
        "did you mean 'vlan'?",
    ),
    "bad time zone": Mistake(
        put("lab_timezone", "Europe/Berlim"),
        "lab_timezone",
        (),
        'there is no time zone "Europe/Berlim"',
        "did you mean 'Europe/Berlin'?",
    ),
    "locale that is not UTF-8": Mistake(
        put("lab_locale", "en_US"),
        "lab_locale",
        (),
        '"en_US" is not written as it must be',
        "en_US.UTF-8",
    ),
    "user without a key": Mistake(
        put("lab_users/3", {"name": "dave"}),
        "lab_users[3].ssh_keys",
        (),
        "the user 'dave' has no key and could never log in",
        "ssh-keygen -t ed25519",
    ),
    "same user twice": Mistake(
        put("lab_users/2/name", "bob"),
        "lab_users[2].name",
        (),
        "the name 'bob' is already taken by lab_users[1].name",
        "one entry per user",
    ),
    "absent user with sudo": Mistake(
        put("lab_users/2/sudo", True),
        "lab_users[2].sudo",
        (),
        "a user who is absent cannot have sudo",
        "state: present",
    ),
    "root by a group": Mistake(
        put("lab_users/1/groups", ["wheel"]),
        "lab_users[1].groups[0]",
        (),
        "the group 'wheel' gives root on some platforms and not on others",
        "sudo: true",
    ),
    "truncated SSH key": Mistake(
        put("lab_users/0/ssh_keys", ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAA= alice"]),
        "lab_users[0].ssh_keys[0]",
        (),
        "the text after ssh-ed25519 is not such a key (cut off when it was copied?)",
        "~/.ssh/id_ed25519.pub",
    ),
    "two zones with one VLAN": Mistake(
        put("lab_zones/bmc/vlan", 20),
        "lab_zones.fabric.vlan",
        (),
        "VLAN 20 is already taken by lab_zones.bmc.vlan",
        "a VLAN tag of its own",
    ),
    "gateway outside its zone": Mistake(
        put("lab_zones/management/gateway", "10.99.0.1"),
        "lab_zones.management.gateway",
        (),
        "10.99.0.1 is outside zone 'management' (10.20.0.0/24)",
        "inside 10.20.0.0/24",
    ),
    "overlapping zones": Mistake(
        put("lab_zones/guests", {"cidr": "10.20.3.128/25"}),
        "lab_zones.guests.cidr",
        (),
        "10.20.3.128/25 overlaps zone 'edge' (10.20.3.0/24)",
        "a network that no other zone uses",
    ),
    "network with host bits": Mistake(
        put("lab_zones/lights", {"cidr": "10.30.0.7/24"}),
        "lab_zones.lights.cidr",
        (),
        '"10.30.0.7/24" is an address in a network',
        "write 10.30.0.0/24",
    ),
    "flow to nowhere": Mistake(
        put("lab_flows/0/to", "egde"),
        "lab_flows[0].to",
        (),
        "there is no zone, group or node 'egde'",
        "did you mean 'edge'?",
    ),
    "port range backwards": Mistake(
        put("lab_flows/0/ports", [22, "9000-8000"]),
        "lab_flows[0].ports[1]",
        (),
        '"9000-8000" ends before it starts',
        'write "8000-9000"',
    ),
    "port out of range": Mistake(
        put(
            "lab_flows/2",
            {"name": "x", "from": "edge", "to": "bmc", "protocol": "udp", "ports": [70000]},
        ),
        "lab_flows[2].ports[0]",
        (),
        "70000 is more than 65535",
        "from 1 to 65535",
    ),
    "tcp without ports": Mistake(
        put("lab_flows/1/protocol", "tcp"),
        "lab_flows[1].ports",
        (),
        "a tcp flow names no ports",
        "for example [443]",
    ),
    "specification that extends nothing known": Mistake(
        put("lab_hardware_specs/b200", {"extends": "compute-minimun"}),
        "lab_hardware_specs.b200.extends",
        (),
        "there is no hardware specification 'compute-minimun'",
        "did you mean 'compute-minimum'?",
    ),
    "specification that extends itself": Mistake(
        put("lab_hardware_specs/loop", {"extends": "loop"}),
        "lab_hardware_specs.loop.extends",
        (),
        "the specification extends itself: loop → loop",
        "does not come back",
    ),
    "unknown specification": Mistake(
        put("node_hardware_spec", "srver", "store01"),
        "node_hardware_spec",
        ("store01",),
        "there is no hardware specification 'srver'",
        "did you mean 'server'?",
    ),
    "GPU node whose specification wants no GPU": Mistake(
        put("node_hardware_spec", "server", "node02"),
        "node_hardware_spec",
        ("node02",),
        "the machine is in group 'nvidia' but 'server' asks for no GPU",
        "gpu.count",
    ),
    "unknown UPS": Mistake(
        put("node_power_feeds", ["ups-a", "ups-c"], "node01"),
        "node_power_feeds[1]",
        ("node01",),
        "there is no UPS 'ups-c' in lab_upses",
        "did you mean 'ups-a'?",
    ),
    "UPS group without feeds": Mistake(
        put("node_power_feeds", [], "head01"),
        "node_power_feeds",
        ("head01",),
        "the machine is in group 'ups_attached' but names no feed",
        "ups-a",
    ),
    "UPS on an unknown machine": Mistake(
        put("lab_upses/ups-a/attached_to", "head1"),
        "lab_upses.ups-a.attached_to",
        (),
        "there is no machine 'head1'",
        "did you mean 'head01'?",
    ),
    "warning above the limit": Mistake(
        put("lab_cooling/inlet_celsius/warn", 40),
        "lab_cooling.inlet_celsius.warn",
        (),
        "40 °C is not below the critical 35 °C",
        "below 35",
    ),
    "unquoted version": Mistake(
        put("lab_software/pytorch/version", 2.1),
        "lab_software.pytorch.version",
        (),
        "2.1 is a number, not a string",
        "put it in quotes",
    ),
    "two machines with one serial": Mistake(
        put("node_serial", "SN-001", "node01"),
        "node_serial",
        ("node01",),
        "this serial is already taken by head01: node_serial",
        "the machine's own label",
    ),
    "two machines with one MAC, in another case": Mistake(
        put("node_mac", "3C:EC:EF:00:00:01", "node02"),
        "node_mac",
        ("node02",),
        "3C:EC:EF:00:00:01 is already taken by head01: node_mac",
        "the interface's own MAC",
    ),
    "two machines in one rack unit": Mistake(
        put("node_unit", 11, "store01"),
        "node_unit",
        ("store01",),
        "unit 11 of rack R1 is already taken by head01: node_unit",
        "the lowest rack unit that it really fills",
    ),
    "two machines with one address": Mistake(
        put("node_interfaces/ens1/address", "10.20.2.12", "store01"),
        "node_interfaces.ens1.address",
        ("store01",),
        "10.20.2.12 is already taken by node01: node_interfaces.ens1.address",
        "an address of its own",
    ),
    "two machines with one BMC": Mistake(
        put("node_bmc/address", "10.20.1.11", "node01"),
        "node_bmc.address",
        ("node01",),
        "10.20.1.11 is already taken by head01: node_bmc.address",
        "an address of its own",
    ),
    "BMC outside every zone": Mistake(
        put("node_bmc/address", "10.77.1.9", "store01"),
        "node_bmc.address",
        ("store01",),
        "10.77.1.9 is in no zone",
        "inside the zone",
    ),
    "address outside its zone": Mistake(
        put("node_interfaces/eno1/address", "10.20.9.9", "node02"),
        "node_interfaces.eno1.address",
        ("node02",),
        "10.20.9.9 is outside zone 'management' (10.20.0.0/24)",
        "an address inside 10.20.0.0/24",
    ),
    "address with a prefix": Mistake(
        put("node_interfaces/eno1/address", "10.20.0.12/24", "node01"),
        "node_interfaces.eno1.address",
        ("node01",),
        '"10.20.0.12/24" is not an IPv4 address',
        "write 10.20.0.12",
    ),
    "interface in an unknown zone": Mistake(
        put("node_interfaces/eth0/zone", "egde", "edge01"),
        "node_interfaces.eth0.zone",
        ("edge01",),
        "there is no zone 'egde'",
        "did you mean 'edge'?",
    ),
    "packets too large for the zone": Mistake(
        put("node_interfaces/eno1/mtu", 9000, "head01"),
        "node_interfaces.eno1.mtu",
        ("head01",),
        "MTU 9000 is above the 1500 of zone 'management'",
        "raise lab_zones.management.mtu",
    ),
    "root disk that is protected": Mistake(
        put("node_protected_disks", ["ROOT-3"], "node02"),
        "node_protected_disks[0]",
        ("node02",),
        "this is also the serial of node_root_disk",
        "not both",
    ),
    "unit without a rack": Mistake(
        put("node_unit", 3, "edge01"),
        "",
        ("edge01",),
        "'node_unit' is given without node_rack",
        "give both",
    ),
    "version of another branch": Mistake(
        put("lab_software/nvidia_driver/version", "570.86.15"),
        "lab_software.nvidia_driver.version",
        (),
        "'570.86.15' is not of branch '580'",
        'or branch: "570"',
    ),
    "unknown module flavour": Mistake(
        put("lab_software/nvidia_driver/flavour", "opne"),
        "lab_software.nvidia_driver.flavour",
        (),
        '"opne" is not a choice',
        "did you mean 'open'?",
    ),
    "default toolkit that is not installed": Mistake(
        put("lab_software/cuda/default", "12.8"),
        "lab_software.cuda.default",
        (),
        "'12.8' is not among the versions",
        "add it to lab_software.cuda.versions",
    ),
    "unknown toolkit": Mistake(
        put("lab_software/cuda/versions/2", "13.9"),
        "lab_software.cuda.versions[2]",
        (),
        "there is no CUDA toolkit '13.9'",
        "Known: 11.8",
    ),
    "GPU settings without the group": Mistake(
        put("node_gpu", {"persistence": True}, "store01"),
        "node_gpu",
        ("store01",),
        "GPU settings of a machine that is not in group 'nvidia': nothing applies them",
        "put the machine into 'nvidia'",
    ),
    "MIG layout that is none": Mistake(
        put("node_gpu/mig", ["10gb"], "node01"),
        "node_gpu.mig[0]",
        ("node01",),
        '"10gb" is not written as it must be',
        "1g.10gb",
    ),
    "default password of a BMC": Mistake(
        put("node_bmc/password", "calvin", "node02"),
        "vault_bmc_password",
        ("node02",),
        "the secret is a well-known default",
        "ansible-vault encrypt_string --prompt --name 'vault_bmc_password'",
    ),
}


def told(errors: list[dict[str, Any]]) -> set[tuple[str, tuple[str, ...], str]]:
    return {(error["key"], tuple(error["hosts"]), error["wrong"]) for error in errors}


def test_the_sound_lab_has_no_mistake(sound: Lab) -> None:
    assert sound.check() == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_alone_with_its_fix(sound: Lab, mistake: Mistake) -> None:
    mistake.change(sound.lab, sound.hosts)

    (error,) = sound.check()

    assert told([error]) == {(mistake.key, mistake.hosts, mistake.wrong)}
    assert mistake.right in error["right"]


def test_all_mistakes_are_told_at_once(sound: Lab) -> None:
    assert len(MISTAKES) >= 25
    for mistake in MISTAKES.values():
        mistake.change(sound.lab, sound.hosts)

    errors = sound.check()

    assert told(errors) == {(one.key, one.hosts, one.wrong) for one in MISTAKES.values()}
    assert len(errors) == len(MISTAKES)


def test_the_order_of_machines_and_keys_does_not_matter(sound: Lab) -> None:
    for mistake in MISTAKES.values():
        mistake.change(sound.lab, sound.hosts)
    forward = sound.check()
    backward = copy.deepcopy(sound)
    backward.hosts = dict(reversed(sound.hosts.items()))
    backward.lab = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in reversed(sound.lab.items())
    }

    assert backward.check() == forward
