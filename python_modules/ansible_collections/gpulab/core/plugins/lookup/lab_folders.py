# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The lookup ``gpulab.core.lab_folders``: where this lab's reports and state are."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: lab_folders
author: The gpulab maintainers
version_added: 0.1.0
short_description: The folders of this lab's reports and of its state
description:
  - Each lab, known by its C(lab_name) and its inventory, has a folder in C(reports/) and one in
    C(state/). This names them; they need not exist.
options:
  _terms:
    description: None are needed.
"""

EXAMPLES = r"""
- name: Say where they are
  ansible.builtin.debug:
    msg: "{{ query('gpulab.core.lab_folders') }}"
"""

RETURN = r"""
_raw:
  description: The folder of the reports, and that of the state.
  type: list
  elements: path
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.labs import lab
from ..plugin_utils.records import paths


class LookupModule(LookupBase):
    """Looks at the inventory; changes nothing."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """Return the folder of the reports, and that of the state.

        Raises:
            AnsibleLookupError: it was given a term.
        """
        if terms:
            raise AnsibleLookupError("it takes no terms: it is about the lab of the inventory")
        self.set_options(var_options=variables, direct=kwargs)
        folder = lab.of((variables or {})["hostvars"]).folder
        return [str(paths.reports_dir(folder)), str(paths.state_dir(folder))]
