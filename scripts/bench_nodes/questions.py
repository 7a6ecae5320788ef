"""What Ansible asks a node: found in what it would send, and told apart from other questions. Pure.

Two questions are the same where the module and its options are, after each node's own name and
addresses were replaced by placeholders. A file's content may differ as well: it depends on how many
nodes the lab has, and the simulated nodes are ones on which everything is as it should be.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Union

# What JSON can hold.
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]

_MAIN = b"    _ansiballz_main(\n"
_COLLECTION = re.compile(r"ansible_collections\.(\w+\.\w+)\.plugins\.modules\.(.+)")
_MARK = re.compile(r"BECOME-SUCCESS-[a-z]+")
_TEMPORARY = re.compile(r"ansible-tmp-[0-9.]+-[0-9]+-[0-9]+")

#: Options that follow from how many nodes the lab has, or from whom a node is paired with:
#: module → paths of keys, `*` for each of a list or a mapping.
DEPENDENT = {
    "gpulab.core.files": ("files.*.content",),
    "gpulab.core.firewall_info": ("ruleset",),
    "gpulab.core.commit": ("persist.*.content",),
    "gpulab.core.path_mtu": ("targets",),
    "gpulab.core.pair_server": ("address", "lifetime_s"),
    "gpulab.core.pair_test": ("client", "server", "address", "source", "again"),
    # What identifies an earlier training is the node's own.
    "gpulab.core.benchmark": ("passed",),
}
_LEFT_OUT = "left out"


@dataclass(frozen=True)
class Question:
    """A module with its options, or a command of Ansible's own.

    Attributes:
        module: `namespace.collection.name`; "a command" for what is no module.
        options: the module's, without Ansible's internal ones.
        root: whether it is asked as another user.
        temporary: a folder that Ansible has just thought of; "" where it names none.
    """

    module: str
    options: dict[str, Any]
    root: bool
    temporary: str = ""


def of_call(command: str, program: bytes | None, *, root: bool) -> Question:
    """Make a question of what Ansible hands to a connection.

    Args:
        command: What is to run.
        program: What is piped into it; None where nothing is.
        root: Whether that is another user's.

    Raises:
        ValueError: the program is not written as ansible-core 2.19 to 2.21 write one.
    """
    if not program:
        return of_command(command, root=root)
    question = of_program(program, root=root)
    if question is None:
        msg = f"what Ansible sends cannot be read: {program[-400:]!r}"
        raise ValueError(msg)
    return question


def of_program(program: bytes, *, root: bool) -> Question | None:
    """Find the question in a module's program.

    Args:
        program: What Ansible pipes into an interpreter.
        root: Whether that is another user's.

    Returns:
        None where it is not written as ansible-core 2.19 to 2.21 write one.
    """
    begin = program.rfind(_MAIN)
    if begin < 0:
        return None
    lines = program[begin + len(_MAIN) :].decode().splitlines()
    found = {}
    for name in ("module_fqn", "params"):
        start = f"{name}="
        written = [line for line in lines if line.startswith(start)]
        if len(written) != 1:
            return None
        found[name] = ast.literal_eval(written[0].removeprefix(start).removesuffix(","))
    given = json.loads(found["params"])["ANSIBLE_MODULE_ARGS"]
    options = {key: value for key, value in given.items() if not key.startswith("_ansible_")}
    return Question(module_name(found["module_fqn"]), options, root)


def of_command(command: str, *, root: bool) -> Question:
    """Make a question of a command that Ansible runs for itself, such as to find an interpreter."""
    found = _TEMPORARY.search(command)
    always = _TEMPORARY.sub("ansible-tmp", _MARK.sub("BECOME-SUCCESS", command))
    return Question("a command", {"command": always}, root, found[0] if found else "")


def module_name(full: str) -> str:
    """Return a module's name as playbooks write it.

    Args:
        full: The name of its Python module.
    """
    found = _COLLECTION.fullmatch(full)
    if found:
        return f"{found[1]}.{found[2]}"
    return full.replace("ansible.modules.", "ansible.builtin.")


def key(question: Question, replace: Callable[[str], str]) -> str:
    """Name a question; the same for all nodes that are asked the same.

    Args:
        question: What a node is asked.
        replace: Puts placeholders for what is the node's own in a text.
    """
    options: Json = question.options
    for path in DEPENDENT.get(question.module, ()):
        options = _without(options, path.split("."))
    asked = [question.module, question.root, strings(options, replace)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]


def strings(value: Json, change: Callable[[str], str]) -> Json:
    """Return a copy of a JSON value with each of its texts, keys too, changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(name)): strings(each, change) for name, each in value.items()}
    if isinstance(value, list):
        return [strings(each, change) for each in value]
    return value


def _without(value: Json, path: list[str]) -> Json:
    if not path:
        return _LEFT_OUT
    if path[0] == "*" and isinstance(value, list):
        return [_without(each, path[1:]) for each in value]
    if path[0] == "*" and isinstance(value, Mapping):
        return {name: _without(each, path[1:]) for name, each in value.items()}
    if isinstance(value, Mapping) and path[0] in value:
        return {**value, path[0]: _without(value[path[0]], path[1:])}
    return value
