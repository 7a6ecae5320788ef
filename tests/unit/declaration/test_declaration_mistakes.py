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
    "IPv6 gateway outside its zone": Mistake(
        put("lab_zones/management/gateway6", "fd12:3456:789b::1"),
        "lab_zones.management.gateway6",
        (),
        "fd12:3456:789b::1 is outside zone 'management' (fd12:3456:789a::/64)",
        "inside fd12:3456:789a::/64",
    ),
    "IPv6 gateway without an IPv6 network": Mistake(
        put("lab_zones/bmc/gateway6", "fd12:3456:789a:1::1"),
        "lab_zones.bmc.gateway6",
        (),
        "zone 'bmc' has no IPv6 network",
        "add lab_zones.bmc.cidr6",
    ),
    "zone with a word's name": Mistake(
        put("lab_zones/gateways", {"cidr": "10.41.0.0/24"}),
        "lab_zones.gateways",
        (),
        "in a flow 'gateways' means the routers of all zones, so nothing else can have that name",
        "give the zone another name",
    ),
    "two zones with one partition key": Mistake(
        put("lab_zones/fabric/pkey", 40),
        "lab_zones.storage.pkey",
        (),
        "partition key 40 is already taken by lab_zones.fabric.pkey",
        "a partition key of its own",
    ),
    "partition key with the membership bit": Mistake(
        put("lab_zones/bmc/pkey", 0x8001),
        "lab_zones.bmc.pkey",
        (),
        "32769 is more than 32767",
        "1 to 32767",
    ),
    "masquerading by an unknown machine": Mistake(
        put(
            "lab_zones/uplink",
            {"cidr": "10.43.0.0/24", "masquerade": {"by": "hed01", "for": ["edge"]}},
        ),
        "lab_zones.uplink.masquerade.by",
        (),
        "there is no machine 'hed01'",
        "did you mean 'head01'?",
    ),
    "masquerading by a machine without a leg there": Mistake(
        put(
            "lab_zones/backup",
            {"cidr": "10.43.1.0/24", "masquerade": {"by": "node02", "for": ["fabric"]}},
        ),
        "lab_zones.backup.masquerade.by",
        (),
        "node02 has no interface in zone 'backup'",
        "a machine with an interface in this zone",
    ),
    "masquerading for the zone itself": Mistake(
        put("lab_zones/management/masquerade/for/0", "management"),
        "lab_zones.management.masquerade.for[0]",
        (),
        "'management' is this zone itself",
        "the zones behind the machine",
    ),
    "masquerading for a zone that the machine is not in": Mistake(
        put("lab_zones/public/masquerade/for/0", "bmc"),
        "lab_zones.public.masquerade.for[0]",
        (),
        "router01 has no interface in zone 'bmc'",
        "node_interfaces of router01",
    ),
    "masquerading for an unknown zone": Mistake(
        put("lab_zones/public/masquerade/for/1", "sotrage"),
        "lab_zones.public.masquerade.for[1]",
        (),
        "there is no zone 'sotrage'",
        "did you mean 'storage'?",
    ),
    "flow out of a zone without a gateway": Mistake(
        put("lab_flows/2/from", "edge"),
        "lab_flows[2].to",
        (),
        "zone 'edge' has no gateway, so nothing of it reaches the outside",
        "set lab_zones.edge.gateway",
    ),
    "flow out of a zone that is kept in": Mistake(
        put("lab_zones/public/outside", False),
        "lab_flows[5].to",
        (),
        "zone 'public' may not reach the outside (outside: false)",
        "set lab_zones.public.outside: true",
    ),
    "flow from outside to outside": Mistake(
        put("lab_flows/6/to", "outside"),
        "lab_flows[6].to",
        (),
        "from outside to outside: strangers would reach others over the lab's routers",
        "name who of the lab starts it",
    ),
    "flow to a machine where it is not": Mistake(
        put("lab_flows/3/to", "edge01@fabric"),
        "lab_flows[3].to",
        (),
        "edge01 has no interface in zone 'fabric'",
        "name a zone that it is in: edge",
    ),
    "flow from a group in an unknown zone": Mistake(
        put("lab_flows/3/from", "compute@fabrik"),
        "lab_flows[3].from",
        (),
        "there is no zone 'fabrik'",
        "did you mean 'fabric'?",
    ),
    "flow from an unknown group in a zone": Mistake(
        put("lab_flows/4/from", "compuet@management"),
        "lab_flows[4].from",
        (),
        "there is no group or node 'compuet'",
        "did you mean 'compute'?",
    ),
    "any protocol on some ports": Mistake(
        put("lab_flows/3/ports", [22]),
        "lab_flows[3].ports",
        (),
        "'any' has all ports",
        "name the protocol tcp or udp",
    ),
    "port by its name": Mistake(
        put("lab_flows/4/ports/0", "domain"),
        "lab_flows[4].ports[0]",
        (),
        '"domain" is the name of a port',
        "write its number: 53",
    ),
    "rate per something else": Mistake(
        put("lab_flows/2/rate", "30/min"),
        "lab_flows[2].rate",
        (),
        '"30/min" is not written as it must be',
        "30/minute",
    ),
    "VLAN on an interface that is not there": Mistake(
        put("node_interfaces/bond0.40/parent", "bond9", "router01"),
        "node_interfaces.bond0.40.parent",
        ("router01",),
        "there is no interface 'bond9'",
        "did you mean 'bond",
    ),
    "VLAN on a VLAN": Mistake(
        put("node_interfaces/ens1.30/parent", "ens1.40", "store01"),
        "node_interfaces.ens1.30.parent",
        ("store01",),
        "'ens1.40' is a VLAN itself",
        "the interface below both: ens1",
    ),
    "VLAN of a zone without a tag": Mistake(
        put(
            "node_interfaces/eno1.5",
            {"parent": "eno1", "zone": "public", "address": "10.20.5.13"},
            "node02",
        ),
        "node_interfaces.eno1.5.parent",
        ("node02",),
        "zone 'public' has no VLAN tag",
        "add lab_zones.public.vlan",
    ),
    "VLAN on what somebody else sets": Mistake(
        lambda _, hosts: hosts["store01"]["node_interfaces"].update(
            {
                "br0": {"zone": "public", "address": "10.20.5.15", "managed": False},
                "br0.40": {"zone": "storage", "address": "10.20.4.25", "parent": "br0"},
            }
        ),
        "node_interfaces.br0.40.parent",
        ("store01",),
        "somebody else sets 'br0' (managed: false), and what is on top of it",
        "managed: false here, too, and no parent",
    ),
    "MAC of what somebody else sets": Mistake(
        lambda _, hosts: hosts["node02"]["node_interfaces"].update(
            wg0={
                "zone": "public",
                "address": "10.20.5.17",
                "managed": False,
                "mac": "02:00:00:00:00:01",
            }
        ),
        "node_interfaces.wg0.mac",
        ("node02",),
        "somebody else sets 'wg0' (managed: false), with its mac",
        "leave it out",
    ),
    "default route over what somebody else sets": Mistake(
        lambda _, hosts: hosts["edge01"]["node_interfaces"].update(
            wg1={"zone": "public", "address": "10.20.5.18", "managed": False, "gateway": True}
        ),
        "node_interfaces.wg1.gateway",
        ("edge01",),
        "somebody else sets 'wg1' (managed: false), with its default route",
        "leave it out",
    ),
    "MAC that would hold a name of the kernel's": Mistake(
        lambda _, hosts: hosts["head01"]["node_interfaces"].update(
            eth6={"zone": "public", "address": "10.20.5.19", "mac": "02:00:00:00:00:02"},
            eth7={"zone": "edge", "address": "10.20.3.19"},
        ),
        "node_interfaces.eth6.mac",
        ("head01",),
        "a boot may give the name 'eth6' to the card of eth7: the kernel gives such names in the "
        "order in which it finds the cards",
        "without net.ifnames=0",
    ),
    "VLAN that is a bond": Mistake(
        put(
            "node_interfaces/bond0.30/bond",
            {"mode": "balance-rr", "members": ["eth8"]},
            "router01",
        ),
        "node_interfaces.bond0.30.bond",
        ("router01",),
        "a VLAN can't be a bond",
        "name it as the parent",
    ),
    "VLAN with larger packets than its parent": Mistake(
        put(
            "node_interfaces/eno1.40",
            {"parent": "eno1", "zone": "storage", "address": "10.20.4.12"},
            "node01",
        ),
        "node_interfaces.eno1.40.mtu",
        ("node01",),
        "MTU 9000 is above the 1500 of its parent 'eno1'",
        "at most 1500 here",
    ),
    "two VLANs of one zone": Mistake(
        put(
            "node_interfaces/again",
            {"parent": "ens1", "zone": "storage", "address": "10.20.4.15"},
            "store01",
        ),
        "node_interfaces.ens1.40.parent",
        ("store01",),
        "zone 'storage' on ens1 is already taken by store01: node_interfaces.again.parent",
        "one interface per zone and parent",
    ),
    "bond of an interface with an address": Mistake(
        put("node_interfaces/bond0/bond/members/1", "eth0", "router01"),
        "node_interfaces.bond0.bond.members[1]",
        ("router01",),
        "'eth0' is an interface of its own in node_interfaces",
        "remove node_interfaces.eth0",
    ),
    "interface in two bonds": Mistake(
        put("node_interfaces/bond1/bond/members/1", "eth1", "router01"),
        "node_interfaces.bond1.bond.members[1]",
        ("router01",),
        "eth1 is already taken by router01: node_interfaces.bond0.bond.members[0]",
        "a member of one bond",
    ),
    "first member that is none": Mistake(
        put("node_interfaces/bond1/bond/primary", "eth9", "router01"),
        "node_interfaces.bond1.bond.primary",
        ("router01",),
        "'eth9' is no member of the bond",
        "did you mean 'eth",
    ),
    "LACP in a bond without": Mistake(
        put("node_interfaces/bond1/bond/lacp_rate", "fast", "router01"),
        "node_interfaces.bond1.bond.lacp_rate",
        ("router01",),
        'the mode "active-backup" has no lacp_rate',
        "mode: 802.3ad",
    ),
    "unknown way to bond": Mistake(
        put("node_interfaces/bond0/bond/mode", "lacp", "router01"),
        "node_interfaces.bond0.bond.mode",
        ("router01",),
        '"lacp" is not a choice',
        "802.3ad",
    ),
    "route over a router that is elsewhere": Mistake(
        put("node_interfaces/bond1/routes/0/via", "10.20.0.7", "router01"),
        "node_interfaces.bond1.routes[0].via",
        ("router01",),
        "10.20.0.7 is outside zone 'public'",
        "put the route at eth0",
    ),
    "route to no network": Mistake(
        put("node_interfaces/bond1/routes/0/to", "10.99.0.0", "router01"),
        "node_interfaces.bond1.routes[0].to",
        ("router01",),
        '"10.99.0.0" has no prefix length',
        "10.99.0.0/24",
    ),
    "two default routes": Mistake(
        put("node_interfaces/eth0/gateway", True, "router01"),
        "node_interfaces.bond1.gateway",
        ("router01",),
        "the default route already goes over 'eth0'",
        "at one interface of the machine",
    ),
    "default route beside the gateway": Mistake(
        put("node_interfaces/eno1/routes", [{"to": "0.0.0.0/0", "via": "10.20.0.9"}], "store01"),
        "node_interfaces.eno1.routes[0].to",
        ("store01",),
        "the default route already goes over the gateway of 'eno1'",
        "gateway: false at eno1",
    ),
    "default route where there is no gateway": Mistake(
        put("node_interfaces/ens1/gateway", True, "node01"),
        "node_interfaces.ens1.gateway",
        ("node01",),
        'zone "fabric" has no gateway for this machine',
        "at an interface whose zone has one",
    ),
    "interface without a zone": Mistake(
        put("node_interfaces/ens7", {}, "node02"),
        "node_interfaces.ens7.zone",
        ("node02",),
        "this key is missing",
        "names as its parent",
    ),
    "interface without an address": Mistake(
        put("node_interfaces/ens8", {"zone": "bmc"}, "head01"),
        "node_interfaces.ens8",
        ("head01",),
        "'zone' is given without address",
        "give both",
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
            "lab_flows/7",
            {"name": "x", "from": "edge", "to": "bmc", "protocol": "udp", "ports": [70000]},
        ),
        "lab_flows[7].ports[0]",
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
