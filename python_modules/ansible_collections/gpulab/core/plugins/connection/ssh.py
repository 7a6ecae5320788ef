# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The connection ``gpulab.core.ssh``: Ansible's own, with a Python that stays on the node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: ssh
short_description: Ansible's own SSH, with a Python that stays on the node
description:
  - Does what P(ansible.builtin.ssh#connection) does, by its code and with its options.
  - A module that Ansible pipes into an interpreter runs in a fork of one that stays on the node for
    the length of the run. Ansible itself starts ssh, sudo and an interpreter each time and compiles
    its own code. What the module sees, and what it returns, is the same.
  - That Python is started again after the meta task C(reset_connection), and where a file that a
    login reads has changed. It ends with the run, or a minute after it was last asked.
  - Whatever it can't be used for goes the way of P(ansible.builtin.ssh#connection). So does
    everything where a password is asked for, or where pipelining is off.
version_added: "0.2.0"
author:
  - The gpulab maintainers
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
  - gpulab.core.ssh_options
"""

import hashlib
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ssh
from ansible.utils.display import Display

from ..plugin_utils.engine import payload, resident_client

display = Display()
# Beside the time that it takes to connect: sudo, and the start of an interpreter on a busy node.
_START_S = 20.0


class Connection(ssh.Connection):
    """Runs what Ansible pipes into an interpreter by one that runs already; all else as ever."""

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a command on the node."""
        output = self._by_resident(cmd, in_data) if in_data else None
        if output is not None:
            return output.status, output.out, output.err
        done: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data, sudoable)
        return done

    def reset(self) -> None:
        """Close what is open: the next task gets a new connection."""
        self.host = self.get_option("host") or self._play_context.remote_addr
        resident_client.end_all(resident_client.folder(), self._connection_key())
        super().reset()

    def _by_resident(self, cmd: str, in_data: bytes) -> resident_client.Output | None:
        if self._needs_a_password():
            return None
        module = payload.split(in_data)
        executable = str(self._play_context.executable)
        interpreter = payload.interpreter(cmd, self.become, self._shell, executable)
        if module is None or interpreter is None:
            return None
        self.host = self.get_option("host") or self._play_context.remote_addr
        become = self.become if self.become and self.become.success in cmd else None
        start = payload.wrapped(
            resident_client.boot_command(interpreter), become, self._shell, executable
        )
        # The mark that the become plugin makes for each command tells nothing apart.
        told = f"{interpreter} {start.replace(become._id, '') if become else start}"
        key = f"{self._connection_key()}-{_short(told.encode())}"
        command = self._ssh_command(start)
        display.vvv(f"RESIDENT PYTHON {interpreter}", host=self.host)
        python = resident_client.Resident(resident_client.folder(), key)
        try:
            return python.run(module, command, _START_S + self.get_option("timeout"))
        except resident_client.NotReachedError as error:
            msg = f"Failed to connect to the host via ssh: {error}"
            raise AnsibleConnectionFailure(msg) from error
        except resident_client.GoneError as error:
            msg = f"Failed to connect to the host via ssh: the connection to {self.host} broke"
            raise AnsibleConnectionFailure(msg) from error
        except OSError as error:
            display.vvv(f"no resident Python: {error}", host=self.host)
            return None

    def _needs_a_password(self) -> bool:
        become: Any = self.become
        return bool(
            self.get_option("password")
            or self._play_context.password
            or self.get_option("private_key_passphrase")
            or (become is not None and become.prompt)
        )

    def _ssh_command(self, *command: str) -> list[bytes]:
        executable = self.get_option("ssh_executable")
        words: list[bytes] = self._build_command(executable, "ssh", self.host, *command)
        return words

    def _connection_key(self) -> str:
        # How long an attempt may take is asked anew each time, and is of no matter afterwards.
        words = [word for word in self._ssh_command() if not word.startswith(b"ConnectTimeout=")]
        return _short(b"\0".join(words))


def _short(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()[:16]  # noqa: S324 (it names a file, it protects nothing)
