"""Simulated nodes: what is asked is found again, and each answers as itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_nodes import adapt, answers, lab, own, questions
from bench_nodes.answers import AnswerError, Node, Output
from bench_nodes.questions import Question

HOSTS: dict[str, Any] = {
    "all": {
        "vars": {"node_hardware_spec": "container"},
        "children": {
            "controllers": {"hosts": {"head01": None}},
            "compute": {
                "hosts": {"node01": {"rack": 1}, "node02": None},
                "vars": {"sandbox_zones": ["management", "fabric"]},
            },
            "nvidia": {"children": {"fast": {"hosts": {"node01": None}}}},
        },
    }
}


def machine(last: int, *zones: str) -> dict[str, Any]:
    numbers = {"management": 0, "fabric": 1}
    interfaces = {
        f"eth{at}": {
            "zone": zone,
            "address": f"10.192.{numbers[zone]}.{last}",
            "address6": f"fd0{numbers[zone]}::{last}",
        }
        for at, zone in enumerate(zones)
    }
    return {"ansible_host": interfaces["eth0"]["address"], "node_interfaces": interfaces}


MACHINES: dict[str, Any] = {
    "all": {
        "vars": {
            "ansible_user": "gpulab",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": "-F somewhere",
            "sandbox_subnets": {"management": "10.192.0.0/24", "fabric": "10.192.1.0/24"},
            "sandbox_subnets6": {"management": "fd00::/64", "fabric": "fd01::/64"},
            "sandbox_gateways": {"management": "10.192.0.1", "fabric": "10.192.1.1"},
            "sandbox_gateways6": {"management": "fd00::1", "fabric": "fd01::1"},
        },
        "hosts": {
            "head01": machine(11, "management"),
            "node01": machine(12, "management", "fabric"),
            "node02": machine(13, "management", "fabric"),
        },
    }
}
RECORDED = lab.recorded(HOSTS, MACHINES)
LARGE = lab.simulated(RECORDED, ["node01"], 200)
NODE01 = RECORDED.nodes["node01"]
SIM = LARGE.nodes["sim001"]


def program(module: str, arguments: dict[str, Any]) -> bytes:
    """Write what ansible-core pipes into an interpreter: its wrapper, and the call of it."""
    params = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    given = {"ansible_module": "x", "module_fqn": module, "params": params, "zip_data": "UEsDBA=="}
    call = "\n".join(f"{name}={value!r}," for name, value in given.items())
    return (
        "def _ansiballz_main(\n    zip_data: str,\n): ...\n\n"
        f'if __name__ == "__main__":\n    _ansiballz_main(\n{call}\n)\n'
    ).encode()


@pytest.mark.parametrize(
    ("full", "name"),
    [
        ("ansible_collections.gpulab.core.plugins.modules.files", "gpulab.core.files"),
        ("ansible.modules.command", "ansible.builtin.command"),
    ],
)
def test_a_question_is_found_in_what_ansible_sends(full: str, name: str) -> None:
    arguments = {"path": 'it\'s "here"\n', "_ansible_verbosity": 0, "_ansible_no_log": False}
    found = questions.of_program(program(full, arguments), root=True)
    assert found == Question(name, {"path": 'it\'s "here"\n'}, root=True)


@pytest.mark.parametrize(
    "sent", [b"", b"#!/usr/bin/python\nmain()\n", program("x", {}).replace(b"params=", b"p=")]
)
def test_what_is_written_otherwise_is_no_question(sent: bytes) -> None:
    assert questions.of_program(sent, root=False) is None
    if sent:
        with pytest.raises(ValueError, match="cannot be read"):
            questions.of_call("python3", sent, root=False)


def same(node: Node, question: Question, other: Node, other_question: Question) -> bool:
    return questions.key(question, own.taker(node.identity)) == questions.key(
        other_question, own.taker(other.identity)
    )


def ask(module: str = "ansible.builtin.command", *, root: bool = False, **options: Any) -> Question:
    return Question(module, options, root)


@pytest.mark.parametrize(
    ("recorded", "simulated", "equal"),
    [
        (ask(cmd="hostname node01"), ask(cmd="hostname sim001"), True),
        (ask(cmd="ping 10.192.1.12"), ask(cmd="ping 10.240.1.14"), True),
        (ask(cmd="ping fd01::12"), ask(cmd="ping fd47:2::14"), True),
        # The head, by its address, and the zone's router.
        (ask(cmd="get 10.192.0.11:8008"), ask(cmd="get 10.240.0.11:8008"), True),
        (ask(cmd="ip route via 10.192.0.1"), ask(cmd="ip route via 10.240.0.1"), True),
        # Other words, another user, another module, one's own name in a longer one.
        (ask(cmd="true"), ask(cmd="false"), False),
        (ask(cmd="true"), ask(cmd="true", root=True), False),
        (ask(cmd="true"), ask("ansible.builtin.shell", cmd="true"), False),
        (ask(cmd="true"), ask(cmd="true", creates="/x"), False),
        (ask(cmd="see node012"), ask(cmd="see sim0012"), False),
        (ask(cmd="see 10.192.0.123"), ask(cmd="see 10.240.0.143"), False),
        # Content follows from the lab's size; which file it is of does not.
        (
            ask("gpulab.core.files", files=[{"path": "/etc/hosts", "content": "4 lines"}]),
            ask("gpulab.core.files", files=[{"path": "/etc/hosts", "content": "200 lines"}]),
            True,
        ),
        (
            ask("gpulab.core.files", files=[{"path": "/etc/hosts", "content": "a"}]),
            ask("gpulab.core.files", files=[{"path": "/etc/passwd", "content": "a"}]),
            False,
        ),
        (
            ask("gpulab.core.files", files=[{"path": "/a", "content": "a"}]),
            ask("gpulab.core.files", files=[{"path": "/a", "content": "a"}] * 2),
            False,
        ),
        # Only of these modules.
        (
            ask("ansible.builtin.copy", files=[{"content": "a"}]),
            ask("ansible.builtin.copy", files=[{"content": "b"}]),
            False,
        ),
        # An earlier training stands or not: that it is asked for is part of the question.
        (ask("gpulab.core.benchmark", passed="a"), ask("gpulab.core.benchmark", passed="b"), True),
        (ask("gpulab.core.benchmark", passed="a"), ask("gpulab.core.benchmark"), False),
    ],
)
def test_two_nodes_are_asked_the_same(recorded: Question, simulated: Question, equal: bool) -> None:
    assert same(NODE01, recorded, SIM, simulated) is equal


def test_a_simulated_node_answers_as_itself(tmp_path: Path) -> None:
    said = {
        "hostname": "node01",
        "text": "node01-fabric has 10.192.1.12,\nand not 10.192.1.123 or node012",
        "mac": "5e:11:22:33:44:55",
        "serial": "GPU-4f1c22",
        "parts": [{"serial_number": "S3N0NE12345", "speed": 100}],
        "notes": "GPU-4f1c22 is at 5e:11:22:33:44:55",
    }
    answers.keep(tmp_path, NODE01, ask(cmd="x node01"), Output(0, json.dumps(said), ""))
    found = answers.find(tmp_path, SIM, ask(cmd="x sim001"))
    other = answers.find(tmp_path, LARGE.nodes["sim002"], ask(cmd="x sim002"))
    given, second = json.loads(found.out), json.loads(other.out)
    assert given["hostname"] == "sim001"
    assert given["text"] == "sim001-fabric has 10.240.1.14,\nand not 10.192.1.123 or node012"
    # As long and of the same kind, the same wherever it stands, and nobody else's.
    assert given["mac"] != said["mac"]
    assert questions.strings(given["mac"], str.lower) == given["mac"]
    assert len(given["mac"]) == len(said["mac"])
    assert given["notes"] == f"{given['serial']} is at {given['mac']}"
    assert given["serial"] not in (said["serial"], second["serial"])
    assert given["parts"][0]["serial_number"] != second["parts"][0]["serial_number"]
    assert given["parts"][0]["speed"] == 100
    # The recorded node itself takes part too, as itself but for its hardware.
    itself = answers.find(tmp_path, NODE01, ask(cmd="x node01"))
    assert json.loads(itself.out)["text"] == said["text"]


def test_what_was_not_recorded_ends_with_the_modules_name(tmp_path: Path) -> None:
    answers.keep(tmp_path, NODE01, ask(cmd="true"), Output(0, "{}", ""))
    with pytest.raises(AnswerError, match=r"sim001: nobody .* node01 .* gpulab\.core\.files: .*/a"):
        answers.find(tmp_path, SIM, ask("gpulab.core.files", files=[{"path": "/a"}]))
    # What another node answered is no answer of this one.
    with pytest.raises(AnswerError, match="head01"):
        answers.find(tmp_path, LARGE.nodes["head01"], ask(cmd="true"))


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        ({"changed": False, "t": 1}, {"changed": False, "t": 2}, True),
        ({"changed": True}, {"changed": False}, False),
        ({"changed": False}, {"changed": False, "failed": True}, False),
        ({"rc": 0}, {"rc": 1}, False),
    ],
)
def test_two_answers_to_one_question_are_refused(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], agree: bool
) -> None:
    question = ask(cmd="true")
    answers.keep(tmp_path, NODE01, question, Output(0, json.dumps(first), ""))
    again = Output(0, json.dumps(second), "")
    if agree:
        answers.keep(tmp_path, NODE01, question, again)
    else:
        with pytest.raises(AnswerError, match=r"two answers .*ansible\.builtin\.command|command"):
            answers.keep(tmp_path, NODE01, question, again)


def test_a_folder_that_ansible_thinks_of_is_the_asked_one(tmp_path: Path) -> None:
    def make(number: int) -> Question:
        return questions.of_command(f"mkdir ~/ansible-tmp-{number}.5-1-2", root=False)

    answers.keep(tmp_path, NODE01, make(7), Output(0, "made ansible-tmp-7.5-1-2\n", ""))
    assert answers.find(tmp_path, SIM, make(8)).out == "made ansible-tmp-8.5-1-2\n"


def test_text_that_is_no_json_is_kept_as_it_is(tmp_path: Path) -> None:
    question = questions.of_command("/bin/sh -c 'echo ~'", root=False)
    answers.keep(tmp_path, NODE01, question, Output(0, "/root\n", "warning"))
    assert answers.find(tmp_path, SIM, question) == Output(0, "/root\n", "warning")


def test_a_large_lab_is_the_small_one_with_more_nodes_of_a_kind() -> None:
    assert len(lab.names(LARGE.hosts)) == 200
    compute = LARGE.hosts["all"]["children"]["compute"]["hosts"]
    assert len(compute) == 199
    assert compute["sim001"] == {"rack": 1}
    assert "sim197" in LARGE.hosts["all"]["children"]["nvidia"]["children"]["fast"]["hosts"]
    assert lab.names(HOSTS) == ["head01", "node01", "node02"]
    assert {node.like for node in LARGE.nodes.values()} == {"head01", "node01", "node02"}


def test_each_node_of_a_large_lab_has_addresses_of_its_own() -> None:
    hosts = LARGE.machines["all"]["hosts"]
    addresses = [
        interface[part]
        for host in hosts.values()
        for interface in host["node_interfaces"].values()
        for part in ("address", "address6")
    ]
    assert len(addresses) == len(set(addresses)) == 2 * (1 + 2 * 199)
    assert hosts["sim001"]["node_interfaces"]["eth1"]["zone"] == "fabric"
    assert "ansible_ssh_common_args" not in LARGE.machines["all"]["vars"]
    assert LARGE.nodes["sim001"].identity["head management"] == "10.240.0.11"


def test_a_node_may_answer_for_another_of_its_kind() -> None:
    large = lab.simulated(RECORDED, ["node01"], 9, {"node02": "node01"})
    assert large.nodes["node02"].like == "node01"
    assert large.nodes["node02"].identity["name"] == "node02"
    assert lab.names(large.hosts)[:3] == ["head01", "node01", "node02"]
    assert len(lab.names(large.hosts)) == 9


@pytest.mark.parametrize("count", [2, lab.MOST + 1])
def test_a_lab_that_does_not_fit_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} nodes"):
        lab.simulated(RECORDED, ["node01"], count)


def test_answers_that_follow_from_the_question_are_made_for_it() -> None:
    clock = adapt.adapt("gpulab.core.preflight_node", {"facts": {"time": 1, "euid": 0}}, {}, 99.0)
    assert clock["facts"] == {"time": 99.0, "euid": 0}
    asked = {"client": "sim001", "server": "sim002", "address": "10.240.1.15"}
    pair = {"measurement": {"client": "node01", "server": "node02", "again": False, "mbps": 9}}
    assert adapt.adapt("gpulab.core.pair_test", pair, asked, 0)["measurement"] == {
        "client": "sim001",
        "server": "sim002",
        "again": False,
        "mbps": 9,
    }
    assert adapt.adapt("ansible.builtin.command", {"rc": 0}, {"cmd": "x"}, 0) == {"rc": 0}
