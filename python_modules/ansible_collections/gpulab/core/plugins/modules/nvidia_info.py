#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_info
author: The gpulab maintainers
version_added: 0.1.0
short_description: Read what GPU software a node has, and what it depends on
description:
  - Reads the NVIDIA GPUs on the PCI bus, the kernels, Secure Boot, NVIDIA's kernel modules on disk,
    in DKMS and loaded, the installed packages and their holds, CUDA toolkits, the modules that
    modprobe.d keeps away, the initramfs, and whether a reboot is due.
  - Each section is read by a probe of its own, all at once, each with a time-out.
  - Changes nothing and never loads a kernel module.
options: {}
notes:
  - In a container C(/sys) and C(/proc) show the host's hardware, kernel and loaded module; the
    packages and the modules on disk are the container's own.
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - plugin: gpulab.core.nvidia_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the GPU software
  gpulab.core.nvidia_info:
  register: __node

- name: Decide what the node gets
  ansible.builtin.set_fact:
    __plan: "{{ __node.nvidia | gpulab.core.nvidia_plan(lab_software, ansible_facts) }}"
"""

RETURN = r"""
nvidia:
  description: The state. A value that could not be read is null, and RV(nvidia.unread) says why.
  returned: always
  type: dict
  contains:
    gpus:
      description: NVIDIA's display controllers on the PCI bus, by address.
      type: list
      elements: dict
      sample:
        - bdf: "0000:01:00.0"
          device_id: "0x20b5"
          name: GA100 [A100 PCIe 80GB]
          architecture: ampere
          driver: nvidia
    nvswitches:
      description: NVSwitches on the PCI bus.
      type: int
      sample: 0
    kernel:
      description: The running kernel, whether its headers are there, and the installed ones.
      type: dict
      sample:
        running: 6.8.0-45-generic
        headers: true
        installed: [6.8.0-44-generic, 6.8.0-45-generic]
        in_container: false
    secure_boot:
      description: V(on), V(off) or V(unknown).
      type: str
      sample: "off"
    secure_boot_how:
      description: What told it, or why nothing did.
      type: str
      sample: mokutil --sb-state
    module:
      description:
        - NVIDIA's main kernel module. C(on_disk), C(license) and C(flavour) are of the running
          kernel's; where that is not installed here (a container), of the newest that has one.
      type: dict
      sample:
        on_disk: 580.95.05
        license: Dual MIT/GPL
        flavour: open
        loaded: 580.95.05
        per_kernel: {6.8.0-44-generic: null, 6.8.0-45-generic: 580.95.05}
        dkms:
          - {module: nvidia, version: 580.95.05, kernel: 6.8.0-45-generic, state: installed}
    userspace:
      description: Version of the installed NVML library.
      type: str
      sample: 580.95.05
    fabricmanager:
      description: Version of the fabric manager.
      type: str
      sample: 580.95.05
    imex:
      description: Version of nvidia-imex, which NVLink over several nodes needs.
      type: str
      sample: 580.95.05
    dcgm:
      description: Version of DCGM.
      type: str
      sample: 4.4.1
    container_toolkit:
      description: Version of the container toolkit.
      type: str
      sample: 1.18.0
    persistenced:
      description: Version of the persistence daemon.
      type: str
      sample: 580.95.05
    cuda:
      description: CUDA toolkits, and the one that C(/usr/local/cuda) points to.
      type: dict
      sample: {versions: ["12.9", "13.0"], default: "13.0"}
    packages:
      description: Installed packages of NVIDIA's software, and whether each is held.
      type: dict
      sample: {nvidia-open: {version: 580.95.05-1, held: true}}
    dpkg_broken:
      description: Packages that dpkg left half done; none where there is rpm.
      type: list
      elements: str
      sample: []
    reboot:
      description: Whether a reboot is due, null if unknown, and why.
      type: dict
      sample: {required: false, reasons: []}
    blacklisted:
      description: Modules that modprobe.d keeps from loading, C(-) written as C(_).
      type: list
      elements: str
      sample: [nouveau, nova_core, nova_drm]
    initramfs:
      description: Whether the running kernel's initramfs is older than modprobe.d; null if unknown.
      type: dict
      sample: {stale: false, reason: ""}
    unread:
      description: By section, why it could not be read.
      type: dict
      sample: {initramfs: there is no initramfs of the running kernel (6.1.0) in /boot}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gpu_software.read import gather
from ..module_utils.hardware.sysfs import Tree


def main() -> None:
    """Read the state and return it."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, nvidia=gather(Tree()))


if __name__ == "__main__":
    main()
