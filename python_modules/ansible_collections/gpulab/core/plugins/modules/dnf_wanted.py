#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: dnf_wanted
short_description: List what dnf would download to install packages
version_added: "0.1.0"
description:
  - Resolves an installation as C(ansible.builtin.dnf) does and lists its packages, in the form of
    C(apt-get --print-uris). Nothing is downloaded but the repositories' lists, and nothing changed.
  - What comes from the node's own disk (C(file:)) is left out.
author: gpulab
options:
  names:
    description: Packages, as in C(dnf install).
    type: list
    elements: str
    required: true
  weak_dependencies:
    description: Whether what the packages recommend comes too.
    type: bool
    default: false
  stream:
    description: Module and stream, as V(nvidia-driver:580-open), that would be enabled before.
    type: str
    default: ""
  versions:
    description: >-
      Pattern of packages, as V(*nvidia*580*), to whose versions the installation would lock all of
      their names.
    type: str
    default: ""
  locked:
    description: >-
      Whether the plugin versionlock has a say. Not where the installation would release its locks
      first.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: It only reads.
notes:
  - Needs dnf 4 and its Python bindings, which Enterprise Linux 9 and 10 have.
"""

EXAMPLES = r"""
- name: List what the driver needs
  gpulab.core.dnf_wanted:
    names: [nvidia-open, kernel-devel]
    stream: nvidia-driver:580-open
"""

RETURN = r"""
uris:
  description: Address in quotes, file name, size in bytes and C(SHA256:) sum of each package.
  returned: success
  type: list
  elements: str
"""

from types import ModuleType
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import (
    has_respawned,
    probe_interpreters_for_module,
    respawn_module,
)

from ..module_utils.mirror.manifest import uri_line


def bindings(module: AnsibleModule) -> ModuleType:
    """Give the module ``dnf``, by the system's own Python where this one lacks it."""
    try:
        import dnf
        import dnf.module.module_base
    except ImportError:
        found = probe_interpreters_for_module(
            ["/usr/libexec/platform-python", "/usr/bin/python3"], "dnf"
        )
        if has_respawned() or not found:
            module.fail_json(msg="no Python of this machine has dnf: install python3-dnf")
        respawn_module(found)
    found_module: ModuleType = dnf
    return found_module


def wanted(dnf: ModuleType, options: dict[str, Any]) -> list[str]:
    """Resolve the installation and give a line for each package that dnf would fetch.

    Raises:
        dnf.exceptions.Error: a repository can't be read, or a package is not to be had.
    """
    with dnf.Base() as base:
        base.conf.read()
        base.conf.debuglevel = 0
        base.conf.install_weak_deps = options["weak_dependencies"]
        base.conf.substitutions.update_from_etc(base.conf.installroot)
        base.init_plugins(set() if options["locked"] else {"versionlock"})
        base.pre_configure_plugins()
        base.read_all_repos()
        base.configure_plugins()
        for repository in base.repos.iter_enabled():
            # Lists are read again, and one that can't be is an error.
            repository.metadata_expire = 0
            repository.skip_if_unavailable = False
        base.fill_sack()
        if options["stream"]:
            modules = dnf.module.module_base.ModuleBase(base)
            # A stream is never switched by itself.
            modules.reset([options["stream"].split(":")[0]])
            modules.enable([options["stream"]])
        if options["versions"]:
            chosen = dnf.subject.Subject(options["versions"]).get_best_query(base.sack)
            names = {package.name for package in chosen}
            others = base.sack.query().available().filter(name=list(names)).difference(chosen)
            base.sack.add_excludes(others)
        for name in options["names"]:
            base.install(name)
        base.resolve(allow_erasing=True)
        return [
            uri_line(
                package.remote_location(),
                package.location.rpartition("/")[2],
                package.downloadsize,
                *package.returnIdSum(),
            )
            for package in base.transaction.install_set
            if not package.remote_location().startswith("file:")
        ]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "weak_dependencies": {"type": "bool", "default": False},
            "stream": {"type": "str", "default": ""},
            "versions": {"type": "str", "default": ""},
            "locked": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    dnf = bindings(module)
    try:
        uris = wanted(dnf, module.params)
    except dnf.exceptions.Error as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, uris=sorted(uris))


if __name__ == "__main__":
    main()
