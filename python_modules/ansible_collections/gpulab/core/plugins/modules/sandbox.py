#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sandbox
short_description: Start or remove a sandbox lab on this host
description:
  - Makes one network per zone and one systemd machine per host, as a container or as a virtual
    machine within one, reached over SSH with a key of its own and checked host keys, and writes
    the inventory file that tells where they are.
  - Subnets are chosen among the private ones that this host does not use, and kept.
options:
  state:
    description: Whether the sandbox should run or be gone.
    type: str
    choices: [started, absent]
    default: started
  lab:
    description: The lab's id on this host, the prefix of every name; two labs can run side by side.
    type: str
    required: true
  folder:
    description: Where keys, known_hosts and state are kept.
    type: path
    required: true
  inventory:
    description: The inventory file to write.
    type: path
    required: true
  zones:
    description: The zones, one network each.
    type: list
    elements: str
    default: []
  outside:
    description: The zones whose machines reach the outside through this host.
    type: list
    elements: str
    default: []
  mtus:
    description:
      - Zone → the largest packet that its network passes, in bytes; the engine's default of 1500
        where a zone is left out.
    type: dict
    default: {}
  machines:
    description: The machines.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The inventory's host name.
        type: str
        required: true
      kind:
        description:
          - What the machine is made of. A V(vm) is emulated in software; it has a kernel, disks
            and reboots of its own, and costs about ten times the time of a V(container).
        type: str
        choices: [container, vm]
        default: container
      zones:
        description: The zones it is attached to; SSH goes to its address in the first one.
        type: list
        elements: str
        required: true
      image:
        description:
          - The image that a V(container) starts from, such as one from
            M(gpulab.core.sandbox_snapshot), in the place of that of O(images).
        type: str
        default: ""
      memory_mib:
        description: RAM of a V(vm), MiB.
        type: int
        default: 1024
      cpus:
        description: Virtual CPUs of a V(vm).
        type: int
        default: 2
      disks:
        description: Disks that a V(vm) has beside its system's.
        type: list
        elements: dict
        default: []
        suboptions:
          serial:
            description: Its serial number, up to 20 characters.
            type: str
            required: true
          size_gib:
            description: Its size, GiB. Only what is written takes space on this host.
            type: int
            required: true
          kind:
            description: A V(ssd) is an NVMe drive, a V(hdd) a SCSI disk that turns.
            type: str
            choices: [ssd, hdd]
            default: ssd
  images:
    description: Kind of machine → its image, from M(gpulab.core.sandbox_image).
    type: dict
    default: {}
author: The gpulab maintainers
attributes:
  check_mode:
    support: none
    description: A sandbox is started or not; there is nothing to predict.
seealso:
  - module: gpulab.core.sandbox_image
  - module: gpulab.core.sandbox_snapshot
"""

EXAMPLES = r"""
- name: Start a machine
  gpulab.core.sandbox:
    lab: gpulab-demo
    folder: "{{ playbook_dir }}/../.cache/sandbox/demo"
    inventory: "{{ inventory_dir }}/machines.yml"
    zones: [management]
    outside: [management]
    machines:
      - name: node01
        zones: [management]
    images:
      container: "{{ image.image }}"
  delegate_to: localhost
"""

RETURN = r"""
machines:
  description: The machines that were started, or removed.
  type: list
  elements: str
  returned: success
  sample: [node01]
networks:
  description: The networks that were made, or removed.
  type: list
  elements: str
  returned: success
  sample: [management]
files:
  description: The files that were written, or removed.
  type: list
  elements: path
  returned: success
  sample: [/srv/gpulab/inventory/sandbox/machines.yml]
ssh_config:
  description: The file that C(ssh -F) takes to reach the machines by name.
  type: path
  returned: success
  sample: /srv/gpulab/.cache/sandbox/lab/ssh_config
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.sandbox import lab
from ..module_utils.sandbox.engine import find_engine
from ..module_utils.sandbox.errors import SandboxError
from ..module_utils.sandbox.plan import Machine

DISK_OPTIONS = {
    "serial": {"type": "str", "required": True},
    "size_gib": {"type": "int", "required": True},
    "kind": {"type": "str", "choices": ["ssd", "hdd"], "default": "ssd"},
}
MACHINE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["container", "vm"], "default": "container"},
    "zones": {"type": "list", "elements": "str", "required": True},
    "image": {"type": "str", "default": ""},
    "memory_mib": {"type": "int", "default": 1024},
    "cpus": {"type": "int", "default": 2},
    "disks": {"type": "list", "elements": "dict", "default": [], "options": DISK_OPTIONS},
}


def main() -> None:
    """Start or remove the sandbox."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "absent"], "default": "started"},
            "lab": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "inventory": {"type": "path", "required": True},
            "zones": {"type": "list", "elements": "str", "default": []},
            "outside": {"type": "list", "elements": "str", "default": []},
            "mtus": {"type": "dict", "default": {}},
            "machines": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": MACHINE_OPTIONS,
            },
            "images": {"type": "dict", "default": {}},
        },
    )
    params = module.params
    folder = Path(params["folder"])
    asked = lab.Sandbox(
        lab=params["lab"],
        folder=folder,
        inventory=Path(params["inventory"]),
        zones=tuple(params["zones"]),
        outside=frozenset(params["outside"]),
        mtus={zone: int(mtu) for zone, mtu in params["mtus"].items()},
        machines=tuple(
            Machine(
                machine["name"],
                machine["kind"],
                tuple(machine["zones"]),
                machine["memory_mib"],
                machine["cpus"],
                tuple(machine["disks"]),
                machine["image"],
            )
            for machine in params["machines"]
        ),
        images=params["images"],
    )
    try:
        action = lab.up if params["state"] == "started" else lab.down
        done = action(find_engine(), asked)
    except (SandboxError, TimeoutError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=any(done.values()), ssh_config=str(folder / "ssh_config"), **done)


if __name__ == "__main__":
    main()
