# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.packages; the code is plugins/action/packages.py."""

DOCUMENTATION = r"""
module: packages
author: The gpulab maintainers
version_added: 0.1.0
short_description: Install packages by the node's own package manager
description:
  - Installs packages with apt or dnf, whichever the node has, and waits for other runs of it, such
    as the nightly updates, which are known to end.
  - A role passes the packages that its look has found missing. Where none are, nothing is asked of
    the node.
options:
  names:
    description: The packages, as the package manager takes them.
    type: list
    elements: str
    required: true
  recommends:
    description: >-
      Whether what the packages recommend comes with them. By default as the node is configured.
    type: bool
  start_services:
    description: >-
      Whether services may start as soon as they are installed, before they are configured. Only
      Debian's and Ubuntu's do so.
    type: bool
    default: true
  lock_timeout_s:
    description: Seconds to wait for another run of the package manager.
    type: int
    default: 300
attributes:
  check_mode:
    description: >-
      Says what would be installed, and asks nothing of the node. A bare machine has no package
      lists, and fetching them would be a change.
    support: full
requirements:
  - The fact C(pkg_mgr).
"""

EXAMPLES = r"""
- name: Install what is missing
  gpulab.core.packages:
    names: "{{ __base_missing }}"
    recommends: false
"""

RETURN = r"""
msg:
  description: What would be installed.
  type: str
  returned: in check mode
  sample: Would install chrony
"""
