#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: wheelhouse_info
short_description: Read what the head serves and hold it against what the nodes want
version_added: "0.1.0"
description:
  - A wheelhouse is whole when everything that its manifest lists is there with its size.
author: gpulab
options:
  path:
    description: Folder that is served.
    type: path
    required: true
  server:
    description: The web server's program.
    type: path
    required: true
  unit:
    description: Name of its systemd unit.
    type: str
    required: true
  wanted:
    description: Keys of the wheelhouses that the nodes need.
    type: list
    elements: str
    default: []
  families:
    description: Beginnings of the keys that the wanted ones replace.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: Look what is served
  gpulab.core.wheelhouse_info:
    path: /srv/gpulab/www/wheelhouse
    server: /usr/sbin/nginx
    unit: gpulab-wheelhouse
    wanted: [pytorch-cpu-cp311-x86_64-2.13.0+cpu-0c1d5c9a7f42]
    families: [pytorch-cpu-cp311-x86_64-]
"""

RETURN = r"""
missing:
  description: Wanted keys that are not served whole.
  returned: always
  type: list
  elements: str
stale:
  description: Served keys of the families that nobody wants.
  returned: always
  type: list
  elements: str
others:
  description: Served keys that are neither wanted nor stale.
  returned: always
  type: list
  elements: str
has_server:
  description: The web server is installed.
  returned: always
  type: bool
has_unit:
  description: The unit is there.
  returned: always
  type: bool
running:
  description: The unit runs, and will after a boot.
  returned: always
  type: bool
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.framework.served import compare

UNITS = Path("/etc/systemd/system")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "server": {"type": "path", "required": True},
            "unit": {"type": "str", "required": True},
            "wanted": {"type": "list", "elements": "str", "default": []},
            "families": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    options = module.params
    unit = f"{options['unit']}.service"
    state = [
        module.run_command(["systemctl", "--quiet", question, unit])[0] == 0
        for question in ("is-active", "is-enabled")
    ]
    module.exit_json(
        changed=False,
        has_server=Path(options["server"]).is_file(),
        has_unit=(UNITS / unit).is_file(),
        running=all(state),
        **compare(Path(options["path"]), options["wanted"], options["families"]),
    )


if __name__ == "__main__":
    main()
