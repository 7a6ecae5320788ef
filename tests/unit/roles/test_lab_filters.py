"""The filters behind the roles base and time: names, addresses, people."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.gpulab.core.plugins.filter.accounts import (
    accounts,
    ageing,
    key_files,
    sudoers,
    uid_problems,
    user_changes,
)
from ansible_collections.gpulab.core.plugins.filter.arp_settings import arp_settings
from ansible_collections.gpulab.core.plugins.filter.base_differences import base_differences
from ansible_collections.gpulab.core.plugins.filter.hosts_entries import hosts_entries
from ansible_collections.gpulab.core.plugins.filter.time import (
    server_addresses,
    shared_address,
    time_problem,
)
from ansible_collections.gpulab.core.plugins.filter.user_problems import user_problems

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN2l2UhmgsLGQ2lRCbVX4mO1J4oHVnXyPNtAJlP8Fb0Q x"
HEAD = {
    "eth1": {"zone": "edge", "address": "10.3.0.1"},
    "eth0": {"zone": "management", "address": "10.0.0.1", "address6": "fd00::1"},
}


Interfaces = dict[str, dict[str, Any]] | None


def test_hosts_entries_puts_management_first() -> None:
    assert hosts_entries(["head01"], {"head01": {"node_interfaces": HEAD}}, "lab.test") == [
        {"address": "10.0.0.1", "names": ["head01.lab.test", "head01"]},
        {"address": "fd00::1", "names": ["head01.lab.test", "head01"]},
        {"address": "10.3.0.1", "names": ["head01-edge.lab.test", "head01-edge"]},
    ]


@pytest.mark.parametrize(
    ("variables", "entries"),
    [
        ({"ansible_host": "10.0.0.9"}, [{"address": "10.0.0.9", "names": ["n"]}]),
        ({"ansible_host": "n.example.org"}, []),
        ({}, []),
        ({"node_interfaces": None}, []),
        # A leg without an address yet (DHCP) is passed over.
        ({"node_interfaces": {"eth0": {"zone": "management"}}}, []),
        (
            {
                "node_interfaces": {"eth0": {"zone": "edge", "address": "10.3.0.9"}},
                "ansible_host": "10.3.0.9",
            },
            [
                {"address": "10.3.0.9", "names": ["n-edge"]},
                {"address": "10.3.0.9", "names": ["n"]},
            ],
        ),
    ],
)
def test_hosts_entries_without_management(
    variables: dict[str, Any], entries: list[dict[str, Any]]
) -> None:
    assert hosts_entries(["n"], {"n": variables}) == entries


def test_hosts_entries_refuses_what_is_no_address() -> None:
    variables = {"node_interfaces": {"eth0": {"zone": "management", "address": "10.0.0.1/24"}}}
    with pytest.raises(AnsibleFilterError, match=r"n: node_interfaces: address '10\.0\.0\.1/24'"):
        hosts_entries(["n"], {"n": variables})


@pytest.mark.parametrize(
    ("server", "client", "address"),
    [
        (HEAD, {"eth0": {"zone": "management", "address": "10.0.0.2"}}, "10.0.0.1"),
        (HEAD, {"eth0": {"zone": "edge", "address": "10.3.0.2"}}, "10.3.0.1"),
        # Both shared: management.
        (HEAD, {"a": {"zone": "edge"}, "b": {"zone": "management"}}, "10.0.0.1"),
        # None shared: the zones may be routed.
        (HEAD, {"eth0": {"zone": "storage", "address": "10.2.0.2"}}, "10.0.0.1"),
        (HEAD, {}, "10.0.0.1"),
        ({"eth0": {"zone": "edge", "address": "10.3.0.1"}}, {"e": {"zone": "storage"}}, ""),
        ({}, HEAD, ""),
        (None, None, ""),
    ],
)
def test_shared_address(server: Interfaces, client: Interfaces, address: str) -> None:
    assert shared_address(server, client) == address


def test_servers_are_named_by_address_where_they_have_one() -> None:
    hostvars = {
        "head01": {"node_interfaces": HEAD},
        "head02": {"ansible_host": "10.0.0.2"},
        "head03": {"node_interfaces": None},
    }
    client = {"eth0": {"zone": "edge", "address": "10.3.0.9"}}
    found = server_addresses(["head01", "head02", "head03"], hostvars, client)
    assert found == ["10.3.0.1", "10.0.0.2", "head03"]


FOLLOWS = "0A000001,10.0.0.1,3,1730000000.0,0.0,0.0,0.0,0.0,0.0,0.0,0.001,0.001,64.0,Normal"
ASTRAY = FOLLOWS.replace("10.0.0.1", "192.0.2.9")
LOST = FOLLOWS.replace("Normal", "Not synchronised")
INSIDE, OUTSIDE = "/usr/sbin/chronyd -F 1 -x", "/usr/sbin/chronyd -F 1"


def problem(said: list[str], **asked: Any) -> str:
    options = {"late": False, "is_server": False, "has_fallback": False, "in_container": False}
    return time_problem(said, **{**options, **asked}, servers=["10.0.0.1"], timeout_s=60)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ([FOLLOWS, OUTSIDE], {}),
        ([FOLLOWS.replace("Normal", "Insert second"), OUTSIDE], {}),
        ([FOLLOWS, INSIDE], {"in_container": True}),
        # It leads by its own clock, or by what the lab's servers follow.
        ([ASTRAY, OUTSIDE], {"is_server": True}),
        ([ASTRAY, OUTSIDE], {"has_fallback": True}),
    ],
)
def test_a_machine_on_time(said: list[str], asked: dict[str, Any]) -> None:
    assert problem(said, **asked) == ""


@pytest.mark.parametrize(
    ("said", "asked", "words"),
    [
        ([FOLLOWS, OUTSIDE], {"late": True}, "Not synchronised within 60 s to 10.0.0.1"),
        ([LOST, OUTSIDE], {}, "tracking says 0A000001,10.0.0.1"),
        ([LOST, OUTSIDE], {"is_server": True}, "Not synchronised"),
        ([ASTRAY, OUTSIDE], {}, "tracking says 0A000001,192.0.2.9"),
        ([], {}, "tracking says nothing"),
        ([FOLLOWS, OUTSIDE], {"in_container": True}, "would set the host's clock"),
    ],
)
def test_a_machine_that_is_not_on_time(said: list[str], asked: dict[str, Any], words: str) -> None:
    assert words in problem(said, **asked)


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ([], []),
        ([{"name": "alice", "ssh_keys": [KEY]}], []),
        ([{"name": "alice", "ssh_keys": [f'from="10.0.0.0/8" {KEY}']}], []),
        ([{"name": "alice", "state": "absent"}], []),
        ([{"name": "ops", "ssh_keys": [KEY], "sudo": True}], []),
        ([{"name": "alice"}], ["lab_users[0] (alice).ssh_keys is empty"]),
        ([{"name": "alice", "ssh_keys": []}], ["lab_users[0] (alice).ssh_keys is empty"]),
        (
            [{"name": "alice", "ssh_keys": [KEY, "ssh-dss AAAA"]}],
            ["lab_users[0] (alice).ssh_keys[1] is not a public key"],
        ),
        (
            [{"name": "alice", "ssh_keys": [f"{KEY}\n{KEY}"]}],
            ["lab_users[0] (alice).ssh_keys[0] has several lines"],
        ),
        (
            [{"name": "alice", "ssh_keys": [KEY]}, {"name": "alice", "state": "absent"}],
            ["lab_users[1] (alice).name is declared twice"],
        ),
        ([{"name": "root", "ssh_keys": [KEY]}], ["root is not a declared user"]),
        ([{"name": "A b", "ssh_keys": [KEY]}], ["lab_users[0] (A b).name must match"]),
        ([{"name": "ops", "state": "absent"}], ["Ansible connects as ops"]),
        ([{"name": "ops", "ssh_keys": [KEY]}], ["lab_users[0] (ops).sudo is false"]),
        ([{"name": "a"}, {"name": "b"}], ["(a).ssh_keys is empty", "(b).ssh_keys is empty"]),
    ],
)
def test_user_problems(users: list[dict[str, Any]], said: list[str]) -> None:
    found = user_problems(users, "ops")
    assert len(found) == len(said)
    assert all(words in problem for words, problem in zip(said, found))


LINES = [
    "installed curl",
    "passwd root:x:0:0:root:/root:/bin/bash",
    "passwd alice:x:1001:1001:Alice:/data/alice:/bin/bash",
    "group root:x:0:",
    "group alice:x:1001:",
    "group trainers:x:1002:bob,alice",
    "locked alice",
]


def test_accounts() -> None:
    found = accounts(LINES)
    assert set(found) == {"root", "alice"}
    assert found["alice"] == {
        "uid": "1001",
        "home": "/data/alice",
        "gid": "1001",
        "shell": "/bin/bash",
        "comment": "Alice",
        "locked": True,
        "ages": False,
        "groups": ["alice", "trainers"],
    }
    assert not found["root"]["locked"]


@pytest.mark.parametrize(
    ("user", "differs"),
    [
        ({"name": "alice"}, False),
        ({"name": "alice", "groups": ["trainers"], "comment": "Alice"}, False),
        ({"name": "alice", "groups": ["docker"]}, True),
        ({"name": "alice", "shell": "/bin/zsh"}, True),
        ({"name": "alice", "comment": "A."}, True),
        ({"name": "alice", "state": "absent"}, True),
        ({"name": "eve", "state": "absent"}, False),
        ({"name": "eve"}, True),
        # A password that is not locked: locked for everybody but the connecting user.
        ({"name": "root"}, True),
    ],
)
def test_user_changes(user: dict[str, Any], differs: bool) -> None:
    assert user_changes([user], accounts(LINES), "ops") == ([user] if differs else [])


def test_the_connecting_users_password_may_stay() -> None:
    assert user_changes([{"name": "root"}], accounts(LINES), "root") == []


@pytest.mark.parametrize(
    ("user", "wrong"),
    [
        ({"name": "alice"}, ""),
        ({"name": "alice", "uid": 1001}, ""),
        ({"name": "alice", "uid": 2001}, "the account alice has the uid 1001 here"),
        ({"name": "eve", "uid": 2001}, ""),
        ({"name": "eve", "uid": 1001}, "the uid 1001 of eve is alice's here"),
    ],
)
def test_a_number_is_never_changed_and_never_shared(user: dict[str, Any], wrong: str) -> None:
    found = uid_problems([user], accounts(LINES))
    assert (not found) if not wrong else found[0].startswith(wrong)


def test_sudoers_are_those_who_say_so_and_a_text_says_what_it_says() -> None:
    given = [True, False, "true", "false", "no", "yes", 1, 0]
    users = [{"name": str(number), "sudo": sudo} for number, sudo in enumerate(given)]

    assert sudoers([*users, {"name": "nothing"}]) == ["0", "2", "5", "6"]
    with pytest.raises(TypeError):
        sudoers([{"name": "x", "sudo": "perhaps"}])


def test_who_connects_keeps_sudo_however_it_is_taken_away() -> None:
    for sudo in (False, "false", "no"):
        (problem,) = user_problems([{"name": "ops", "ssh_keys": [KEY], "sudo": sudo}], "ops")
        assert "needs sudo" in problem
    assert user_problems([{"name": "ops", "ssh_keys": [KEY], "sudo": "yes"}], "ops") == []


def test_key_files() -> None:
    users = [
        {"name": "alice", "ssh_keys": [f" {KEY}\n", "ssh-ed25519 AAAAsecond"]},
        {"name": "eve", "ssh_keys": [KEY]},
        {"name": "ops", "ssh_keys": [KEY]},
    ]
    present = accounts([*LINES, "passwd ops:x:1003:1004::/srv/ops:/bin/sh"])
    rights = {"mode": "0600", "directory_mode": "0700"}
    assert key_files(users, present, "ops") == [
        {
            "path": "/data/alice/.ssh/authorized_keys",
            "owner": "alice",
            "content": f"{KEY}\nssh-ed25519 AAAAsecond\n",
            **rights,
        },
        # Not there yet.
        {
            "path": "/home/eve/.ssh/authorized_keys",
            "owner": "eve",
            "content": f"{KEY}\n",
            **rights,
        },
        # Whose other keys stay: one of them holds the connection.
        {
            "path": "/srv/ops/.ssh/authorized_keys",
            "owner": "ops",
            "group": "1004",
            "public_keys": [KEY],
            **rights,
        },
    ]


SAID = {
    "hostname": "node01",
    "addresses": "10.0.0.1 fd00::1 ",
    "timezone": "/usr/share/zoneinfo/Europe/Berlin",
    "locales": "C C.utf8 de_DE.utf8 POSIX ",
    "users": "root alice ",
    "sudoers": "valid",
    "timer": "enabled",
    "sysctl": "vm.swappiness = 10;net.ipv4.tcp_rmem = 4096 131072 67108864;",
}
DECLARED: dict[str, Any] = {
    "hostname": "node01",
    "timezone": "Europe/Berlin",
    "locale": "de_DE.UTF-8",
    "present": ["alice"],
    "absent": ["mallory"],
    "sysctl": {
        "vm.swappiness": 10,
        "net.ipv4.tcp_rmem": "4096 131072 67108864",
        # This kernel does not have it.
        "kernel.numa_balancing": 0,
    },
    "upgrades": "security",
    "upgrade_timer": "apt-daily-upgrade.timer",
}


def differences(said: dict[str, str], declared: dict[str, Any]) -> list[str]:
    lines = [f"{key}={value}" for key, value in {**SAID, **said}.items()]
    return base_differences(lines, **{**DECLARED, **declared})


@pytest.mark.parametrize(
    ("said", "declared"),
    [
        ({}, {}),
        # The kernel's own zone is no file of its own on every platform.
        ({"timezone": "/etc/localtime"}, {"timezone": "Etc/UTC"}),
        ({"timer": "disabled"}, {"upgrades": "none"}),
        ({"sysctl": "vm.swappiness = 60;"}, {"sysctl": {}}),
        ({"sysctl": ""}, {}),
        ({}, {"locale": "C.UTF-8"}),
    ],
)
def test_a_machine_as_declared(said: dict[str, str], declared: dict[str, Any]) -> None:
    assert differences(said, declared) == []


@pytest.mark.parametrize(
    ("said", "declared", "words"),
    [
        ({"hostname": "localhost"}, {}, "the hostname is localhost, base_hostname says node01"),
        ({"addresses": ""}, {}, "the hostname resolves to nothing, declare node_interfaces"),
        ({"addresses": "127.0.1.1 "}, {}, "the hostname resolves to 127.0.1.1, declare"),
        ({"addresses": "10.0.0.1 ::1 "}, {}, "the hostname resolves to 10.0.0.1 ::1, declare"),
        (
            {"timezone": "/usr/share/zoneinfo/Etc/UTC"},
            {},
            "the time zone is /usr/share/zoneinfo/Etc/UTC, base_timezone says Europe/Berlin",
        ),
        ({"locales": "C POSIX "}, {}, "the locale de_DE.UTF-8 (base_locale) was not generated"),
        ({"users": "root "}, {}, "users are missing that base_users declares"),
        ({"users": "alice mallory "}, {}, "users are there that base_users declares absent"),
        ({"sudoers": "broken"}, {}, "the sudo rules are broken, run visudo -c"),
        (
            {"timer": "masked"},
            {},
            "apt-daily-upgrade.timer is masked, base_upgrades says security",
        ),
        (
            {"sysctl": "vm.swappiness = 60;kernel.numa_balancing = 1;"},
            {},
            "kernel settings differ from base_sysctl (vm.swappiness, kernel.numa_balancing), look",
        ),
    ],
)
def test_a_machine_that_differs(said: dict[str, str], declared: dict[str, Any], words: str) -> None:
    (sentence,) = differences(said, declared)
    assert sentence.startswith(words)


@pytest.mark.parametrize(
    ("shadow", "ages"),
    [
        # Day of the last change, days that it lasts (getent shadow).
        ("20787:90", True),
        ("20787:1", True),
        # An image wants it changed at the first login.
        ("0:99999", True),
        ("0:", True),
        ("20787:99999", False),
        ("20787:", False),
        # What chage writes for -1 and -1.
        (":", False),
        (":90", False),
    ],
)
def test_a_password_that_nobody_can_change_must_not_grow_old(shadow: str, ages: bool) -> None:
    names = ("alice", "ops", "image")
    lines = [f"passwd {name}:x:1001:1001::/home/{name}:/bin/bash" for name in names]
    lines += [f"ageing {name}:{shadow}" for name in names]
    declared = [{"name": "alice"}, {"name": "not-yet-there"}]
    assert ageing(declared, accounts(lines), "ops") == ["alice"] * ages
    # Whom Ansible connects as has it locked by the image, declared or not.
    locked = accounts([*lines, "locked ops"])
    assert ageing(declared, locked, "ops") == ["alice", "ops"] * ages
    assert ageing([*declared, {"name": "ops"}], accounts(lines), "ops") == ["alice"] * ages


IN_FABRIC: dict[str, Any] = {"zone": "fabric", "address": "10.0.2.11"}


@pytest.mark.parametrize(
    ("interfaces", "concerned"),
    [
        ({"eno1": {"zone": "management", "address": "10.0.1.11"}, "ens1": IN_FABRIC}, []),
        ({"ens1": IN_FABRIC, "ens2": {**IN_FABRIC, "address": "10.0.2.12"}}, ["ens1", "ens2"]),
        (
            {"bond0.20": IN_FABRIC, "ens2": {**IN_FABRIC, "address": "10.0.2.12"}},
            ["bond0/20", "ens2"],
        ),
        # What carries VLANs alone answers for nothing.
        ({"ens1": IN_FABRIC, "ens2": {}, "ens3": {}}, []),
        ({}, []),
    ],
)
def test_each_of_two_cards_in_a_zone_answers_for_itself(
    interfaces: dict[str, Any], concerned: list[str]
) -> None:
    wanted = {f"net.ipv4.conf.{name}.arp_ignore": 1 for name in concerned}
    wanted |= {f"net.ipv4.conf.{name}.arp_announce": 2 for name in concerned}
    assert arp_settings(interfaces) == wanted
