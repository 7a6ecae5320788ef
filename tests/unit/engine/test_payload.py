"""What Ansible would run on a node is recognised, and what is anything else is left alone."""

from __future__ import annotations

import shlex

import pytest
from ansible.plugins.become import BecomeBase
from ansible.plugins.shell import ShellBase
from ansible.plugins.shell.sh import ShellModule

from ansible_collections.gpulab.core.plugins.module_utils.engine import resident
from ansible_collections.gpulab.core.plugins.plugin_utils.engine import payload

PROGRAM = b"""#!/usr/bin/python3
def _ansiballz_main(zip_data, params): ...


if __name__ == "__main__":
    _ansiballz_main(
params='{"msg": "zip_data=\\'no\\',"}',
zip_data='UEsDBBQ+/=',
)
"""


def test_the_payload_is_taken_out_and_the_program_is_the_same_with_it() -> None:
    module = payload.split(PROGRAM)
    assert module is not None
    assert module.payload == b"UEsDBBQ+/="
    name = resident.PAYLOAD_NAME.encode()
    assert module.program.replace(name, b"'UEsDBBQ+/='") == PROGRAM


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"#!/bin/sh\necho hello\n",
        PROGRAM + b"print(1)\n",
        PROGRAM.replace(b"UEs", b"U\\E"),
        PROGRAM.replace(b"zip_data='UEs", b"data='UEs"),
    ],
)
def test_another_program_is_left_alone(program: bytes) -> None:
    assert payload.split(program) is None


class Sudo(BecomeBase):
    """Puts a command together as Ansible's own do, without their options."""

    def build_become_command(self, cmd: str, shell: ShellBase) -> str:
        super().build_become_command(cmd, shell)
        return f"sudo -H -S -n -u root {self._build_success_command(cmd, shell)}"


class Su(BecomeBase):
    def build_become_command(self, cmd: str, shell: ShellBase) -> str:
        super().build_become_command(cmd, shell)
        return f"su root -c {shlex.quote(self._build_success_command(cmd, shell))}"


@pytest.fixture
def shell() -> ShellBase:
    found = ShellModule()
    found.executable = "/bin/sh"
    return found


@pytest.fixture(params=[None, Sudo], ids=["as the user", "sudo"])
def become(request: pytest.FixtureRequest) -> BecomeBase | None:
    return request.param and request.param()


def as_ansible_does(inner: str, become: BecomeBase | None, shell: ShellBase) -> str:
    if become is not None:
        inner = become.build_become_command(inner, shell)
    return "/bin/sh -c " + shlex.quote(shell.append_command(inner, "sleep 0"))


@pytest.mark.parametrize(
    "inner",
    [
        "/usr/bin/python3",
        "/usr/bin/python3.11",
        "/opt/x/python",
        "LANG=C /usr/bin/python3",
        "FOO='a b'\"'\"'c' http_proxy=http://x:1/ /usr/bin/python3",
    ],
)
def test_an_interpreter_is_found(inner: str, become: BecomeBase | None, shell: ShellBase) -> None:
    command = as_ansible_does(inner, become, shell)
    before = become and (become.success, become._id)
    assert payload.interpreter(command, become, shell, "/bin/sh") == inner
    assert payload.wrapped(inner, become, shell, "/bin/sh") == command
    assert (become and (become.success, become._id)) == before


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "/usr/bin/python3 /tmp/module.py",
        "/usr/bin/perl",
        "python3",
        "echo hello",
        "cd / && /usr/bin/python3",
        "/usr/bin/python3 'unbalanced",
        "$PYTHON",
    ],
)
def test_anything_else_is_left_alone(
    inner: str, become: BecomeBase | None, shell: ShellBase
) -> None:
    command = as_ansible_does(inner, become, shell)
    assert payload.interpreter(command, become, shell, "/bin/sh") is None


def test_another_way_to_become_root_is_left_alone(shell: ShellBase) -> None:
    su = Su()
    command = as_ansible_does("/usr/bin/python3", su, shell)
    assert payload.interpreter(command, su, shell, "/bin/sh") is None


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/python3",
        "/bin/sh -c /usr/bin/python3",
        "/bin/bash -c '/usr/bin/python3 && sleep 0'",
        "/bin/sh -c '/usr/bin/python3 && sleep 0' more",
        "/bin/sh -c 'sudo /usr/bin/python3 && sleep 0'",
        "/bin/sh -c 'unbalanced",
    ],
)
def test_a_command_that_is_put_together_otherwise_is_left_alone(
    command: str, shell: ShellBase
) -> None:
    assert payload.interpreter(command, None, shell, "/bin/sh") is None
