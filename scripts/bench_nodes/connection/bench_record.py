"""The connection ``bench_record``: the lab's own, which keeps what a node answers."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: bench_record
short_description: The collection's SSH, which keeps each question and its answer
description:
  - For C(scripts/bench_growth.py) alone, which gives the recorded answers of one node to many
    simulated ones.
author:
  - The gpulab maintainers
options:
  host_name:
    description: The node's name.
    vars:
      - name: inventory_hostname
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
  - gpulab.core.ssh_options
"""

from ansible.errors import AnsibleError
from bench_nodes import answers, questions

from ansible_collections.gpulab.core.plugins.connection import ssh


class Connection(ssh.Connection):
    """Records what it passes on."""

    transport = "bench_record"

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a command on the node, and keep what it said."""
        done: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data, sudoable)
        root = bool(self.become and self.become.success in cmd)
        try:
            question = questions.of_call(cmd, in_data, root=root)
        except ValueError as error:
            msg = f"bench_record: {error}"
            raise AnsibleError(msg) from error
        folder = answers.folder()
        node = answers.read_node(folder, self.get_option("host_name"))
        output = answers.Output(done[0], done[1].decode(), done[2].decode(errors="replace"))
        try:
            answers.keep(folder, node, question, output)
        except answers.AnswerError as error:
            raise AnsibleError(str(error)) from error
        return done

    def put_file(self, in_path: str, out_path: str) -> None:
        """Refuse: where nothing is to change, no file travels."""
        msg = f"bench_record: a file travels, so something changes: {in_path} to {out_path}"
        raise AnsibleError(msg)
