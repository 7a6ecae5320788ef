# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The lookup ``gpulab.core.node_library``: the files that a program of ours needs on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: node_library
author: The gpulab maintainers
version_added: 0.1.0
short_description: The files of this collection that a program on a node is made of
description:
  - Some programs of gpulab stay on a node and run there without Ansible. They are made of the
    same files as its modules; this reads those files from the collection, wherever that is
    installed.
options:
  _terms:
    description: Programs, such as V(gpulab-rollback).
    required: true
  dest:
    description: The folder on the node that the files go to.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Write what undoes a change
  gpulab.core.files:
    files: "{{ query('gpulab.core.node_library', 'gpulab-rollback', dest=folder) }}"
"""

RETURN = r"""
_raw:
  description: The files as M(gpulab.core.files) takes them, with O(dest) before each path.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.node_programs import source_files


class LookupModule(LookupBase):
    """Reads the collection's own files."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, str]]:
        """Return path and content of each file."""
        self.set_options(var_options=variables, direct=kwargs)
        dest = self.get_option("dest")
        try:
            files = [file for program in terms for file in source_files(program).items()]
        except (OSError, ValueError) as error:
            raise AnsibleLookupError(str(error)) from error
        return [{"path": f"{dest}/{name}", "content": content} for name, content in files]
