"""The connection ``bench_replay``: to a SIMULATED node, which is a folder of recorded answers."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: bench_replay
short_description: Answer as a recorded node did, without a node
description:
  - For C(scripts/bench_growth.py) alone. Nothing is connected to, and nothing runs anywhere.
  - The answer to a question is what C(bench_record) kept of it, with the simulated node's own name,
    addresses, MACs and serial numbers.
  - A question that was not recorded is an error with its module's name.
author:
  - The gpulab maintainers
options:
  host_name:
    description: The node's name.
    vars:
      - name: inventory_hostname
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
"""

import json
import time

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase
from bench_nodes import adapt, answers, questions


class Connection(ConnectionBase):
    """Knows no network."""

    transport = "bench_replay"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Answer what was recorded."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        root = bool(self.become and self.become.success in cmd)
        try:
            question = questions.of_call(cmd, in_data, root=root)
        except ValueError as error:
            msg = f"bench_replay: {error}"
            raise AnsibleError(msg) from error
        folder = answers.folder()
        try:
            node = answers.read_node(folder, self.get_option("host_name"))
            found = answers.find(folder, node, question)
        except answers.AnswerError as error:
            raise AnsibleError(str(error)) from error
        out = found.out
        if adapt.is_adapted(question.module):
            said = adapt.adapt(question.module, json.loads(out), question.options, time.time())
            out = json.dumps(said)
        return found.status, out.encode(), found.err.encode()

    def put_file(self, in_path: str, out_path: str) -> None:
        """Refuse: a simulated node keeps no files."""
        msg = f"bench_replay: a file travels to a simulated node: {in_path} to {out_path}"
        raise AnsibleError(msg)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Refuse."""
        msg = f"bench_replay: a file is fetched of a simulated node: {in_path} to {out_path}"
        raise AnsibleError(msg)

    def reset(self) -> None:
        """There is nothing to close."""

    def close(self) -> None:
        """There is nothing to close."""
        self._connected = False
