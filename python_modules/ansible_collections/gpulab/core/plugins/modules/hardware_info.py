#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hardware_info
short_description: Read what hardware a node has
description:
  - Reads processors, memory and its modules, disks and their health, network interfaces and their
    counters, RDMA ports, GPUs, the state of NVIDIA's driver, sensors and event log of the
    management controller, the operating system and the clock, from C(/sys) and C(/proc) wherever
    the kernel knows the fact.
  - Each section is read by a probe of its own, all at once, each with a time-out. A probe that
    fails or hangs leaves its section null and says why in RV(hardware.probes); the module itself
    does not fail for it.
  - Changes nothing, and never loads a kernel module. Disks are opened for one thing only, their
    health (SMART); each by a process of its own, so that a dying one costs only its own entry.
    The containers that O(container_toolkit) asks for are removed.
  - What only a tool knows is null without it. C(dmidecode) tells memory modules and slots,
    C(smartctl) the disks' health, C(ipmitool) sensors and event log, C(lldpcli) the switch ports.
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  smart:
    description: Whether to ask the disks for their health, which opens them.
    type: bool
    default: true
  container_toolkit:
    description:
      - NVIDIA's container toolkit as the lab declares it; then it is tried whether containers get
        the GPUs.
    type: dict
    suboptions:
      version:
        description: Release that must be installed.
        type: str
        required: true
      spec:
        description: Path of the CDI specification.
        type: path
        default: /var/run/cdi/nvidia.yaml
      image:
        description: Image with a C library to start a container from; empty starts none.
        type: str
        default: ""
notes:
  - The GPUs are read through NVIDIA's Python binding C(pynvml) where this Python or the framework's
    environment has it, else through C(nvidia-smi).
  - Serial numbers of the node and its main board, SMBIOS, the disks' health, the BMC and the PCI
    registers are readable by root only.
  - In a container, C(/sys) shows the hardware of the host; the network interfaces are the
    container's own. RV(hardware.os.virtualization) tells.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
  platform:
    description: Target systems.
    platforms: linux
    support: full
seealso:
  - module: gpulab.core.hardware_verify
"""

EXAMPLES = r"""
- name: Read the hardware
  gpulab.core.hardware_info:
  register: node

- name: Show the GPUs on the PCI bus
  ansible.builtin.debug:
    var: node.hardware.gpus
"""

RETURN = r"""
hardware:
  description:
    - The facts. C(plugin_utils/records/schemas/hardware.schema.json) is their JSON Schema.
    - A section, or a field, is null where it could not be read; an empty list means none.
  returned: always
  type: dict
  contains:
    schema:
      description: Version of this structure.
      type: int
      sample: 1
    system:
      description: Maker, product, serial numbers and firmware version.
      type: dict
      sample:
        vendor: Supermicro
        product: AS -4124GS-TNR
        serial: A123456X7890123
        board: H12DSG-O-CPU
        board_serial: OM21CS012345
        firmware_version: "2.4"
    cpu:
      description: Processors; C(cores) are physical ones that are online.
      type: dict
      sample:
        architecture: x86_64
        vendor: AuthenticAMD
        model: AMD EPYC 7742 64-Core Processor
        sockets: 2
        cores: 128
        threads: 256
        numa_nodes: 2
    memory:
      description: Main memory that the kernel manages, and swap, in bytes.
      type: dict
      sample:
        total_bytes: 540812730368
        swap_bytes: 0
    dimms:
      description:
        - Memory modules and empty slots from SMBIOS, and the memory's error correction.
        - C(rated_mts) is what a module can do, C(configured_mts) what it runs at, in MT/s.
      type: dict
      sample:
        ecc: Multi-bit ECC
        slots:
          - slot: P1-DIMMA1
            bank: P0_Node0_Channel0_Dimm0
            channel: 0/0
            installed: true
            size_bytes: 34359738368
            type: DDR4
            rated_mts: 3200
            configured_mts: 3200
            manufacturer: Samsung
            part_number: M393A4K40EB3-CWE
            serial: H0KE1A1
    edac:
      description: >-
        Errors that the memory controllers counted since their driver started, C(ue) uncorrected and
        C(ce) corrected ones; empty without a driver.
      type: list
      elements: dict
      sample:
        - name: mc0
          driver: F19h_M10h
          ue: 0
          ce: 3
          dimms: [{label: P1-DIMMA1, location: csrow 0 channel 0, ue: 0, ce: 3}]
    power_management:
      description: >-
        Number of processors by frequency governor (null where the kernel has no say), and the
        kernel's clock source.
      type: dict
      sample:
        driver: amd-pstate
        governors: {performance: 128}
        clocksource: tsc
        clocksources: [tsc, hpet, acpi_pm]
    slots:
      description: Expansion slots as printed on the board, and the PCI functions in them.
      type: list
      elements: dict
      sample:
        - name: CPU1 SLOT1 PCI-E 4.0 X16
          type: x16 PCI Express 4 x16
          in_use: true
          bdf: "0000:01:00.0"
          devices: ["0000:01:00.0"]
    smart:
      description: >-
        Health of each SATA, SAS and NVMe disk, as it tells it itself; C(reason) says why one could
        not be read. What its kind does not have is null.
      type: list
      elements: dict
      sample:
        - name: nvme0n1
          serial: S64HNE0R501234
          model: SAMSUNG MZQL23T8HCLS-00A07
          protocol: nvme
          passed: true
          critical_warning: 0
          spare_percent: 100
          spare_threshold_percent: 10
          used_percent: 3
          media_errors: 0
          reallocated: null
          pending: null
          uncorrectable: null
          failing_attributes: []
          self_test: null
          power_on_hours: 21000
          temperature_c: 38
          reason: ""
    disks:
      description: Whole disks; C(kind) is V(ssd), V(hdd) or V(unknown).
      type: list
      elements: dict
      sample:
        - name: nvme0n1
          kind: ssd
          kind_reason: null
          rotational: false
          size_bytes: 3840755982336
          model: SAMSUNG MZQL23T8HCLS-00A07
          serial: S64HNE0R501234
          wwn: eui.36344830525012340025384500000001
          transport: nvme
          removable: false
          bdf: "0000:81:00.0"
          bay: null
          slot: "3"
    nics:
      description: >-
        Network interfaces but the loopback; C(physical) tells hardware from bridges, bonds and
        container ends. C(speed_mbps) is null without a link, and on what is neither hardware nor a
        bond.
      type: list
      elements: dict
      sample:
        - name: ens1f0np0
          physical: true
          link: up
          speed_mbps: 25000
          mac: b8:ce:f6:00:00:01
          mtu: 9000
          driver: mlx5_core
          bus: pci
          bdf: "0000:41:00.0"
          slot: "5"
          switch_port: leaf1 swp12
          numa_node: 0
    nic_counters:
      description: >-
        Errors, drops and lost links of the physical interfaces, since their driver started
        (C(total)) and during C(pause_s) seconds (C(delta)).
      type: dict
      sample:
        pause_s: 1.0
        nics:
          - name: ens1f0np0
            total: {rx_crc_errors: 0, rx_dropped: 1200, link_losses: 2}
            delta: {rx_crc_errors: 0, rx_dropped: 0, link_losses: 0}
    infiniband:
      description: Ports of the RDMA devices, with their error counters since these were reset.
      type: list
      elements: dict
      sample:
        - device: mlx5_0
          port: "1"
          state: ACTIVE
          physical_state: LinkUp
          rate_gbps: 400.0
          link_layer: InfiniBand
          guid: "9c63:c003:00f0:0000"
          firmware: "28.39.1002"
          errors: {symbol_error: 0, link_downed: 0}
          hw_counters: {out_of_sequence: 3}
          bdf: "0000:41:00.0"
          slot: "5"
          numa_node: 0
    lldp:
      description: Switch and port at the other end of each cable.
      type: list
      elements: dict
      sample:
        - {interface: ens1f0np0, switch: leaf1, port: swp12, port_description: node01}
    topology:
      description: >-
        Ways from each NVIDIA GPU to each network device, in the words of C(nvidia-smi topo -m), and
        whether the bridges above the GPUs redirect their traffic (ACS).
      type: dict
      sample:
        iommu_groups: 64
        acs: [{bdf: "0000:00:01.0", redirects: false, gpus: ["0000:01:00.0"]}]
        paths:
          - gpu: "0000:01:00.0"
            device: mlx5_0
            rdma: true
            bdf: "0000:41:00.0"
            relation: NODE
    ipmi_sensors:
      description: >-
        Sensors of the BMC. C(level) is V(ok), V(warning), V(critical), or V(absent) without a
        reading; C(states) are the words of a sensor that has no number.
      type: list
      elements: dict
      sample:
        - name: FAN1
          number: 41h
          kind: fan
          entity: "29.1"
          level: ok
          value: 5600.0
          unit: RPM
          states: []
    ipmi_events:
      description: >-
        Newest entries of the BMC's event log, when the node started, and how far the BMC's clock
        is ahead.
      type: dict
      sample:
        boot_s: 1763900000
        clock_offset_s: 1
        events:
          - id: "4"
            at_s: 1763906531
            sensor: Power Supply PS2 Status
            event: Power Supply AC lost
            asserted: true
    gpus:
      description: Display controllers of any maker on the PCI bus, whether a driver works or not.
      type: list
      elements: dict
      sample:
        - bdf: "0000:01:00.0"
          slot: "1"
          class: "0x0302"
          vendor_id: "0x10de"
          vendor: NVIDIA
          device_id: "0x20b2"
          name: "GA100 [A100 SXM4 80GB]"
          driver: nvidia
          numa_node: 0
          link: {width: 16, width_max: 16, gt_per_s: 16.0, gt_per_s_max: 16.0}
    nvidia:
      description: >-
        NVIDIA's driver, and the GPUs that NVML lists (C(gpus)) or has lost (C(lost)); C(message)
        says in words what is wrong.
      type: dict
      sample:
        module_loaded: true
        module_version: "580.65.06"
        module_flavour: open
        library_version: "580.65.06"
        cuda_version: "13.0"
        source: nvml
        gpus:
          - bdf: "0000:01:00.0"
            name: NVIDIA A100-SXM4-80GB
            uuid: GPU-6f0a2c1e-1111-2222-3333-444455556666
            serial: "1650522000001"
            memory_bytes: 85899345920
            memory_used_bytes: 0
            vbios_version: 92.00.36.00.02
            ecc: true
            ecc_pending: true
            mig: false
            persistence: true
            clocks_event_reasons: [gpu_idle]
            link: {width: 16, width_max: 16, generation: 4, generation_max: 4}
            utilization: 0
            clocks: {sm_mhz: 210, sm_max_mhz: 1410, memory_mhz: 1593, memory_max_mhz: 1593}
            temperature: {gpu_c: 31, slowdown_c: 93, memory_c: 35, memory_max_c: 95}
            power:
              draw_w: 61.2
              limit_w: 400.0
              limit_default_w: 400.0
              limit_min_w: 100.0
              limit_max_w: 400.0
            processes: []
            drawing: null
            ecc_errors:
              volatile_corrected: 0
              volatile_uncorrected: 0
              volatile_uncorrected_least: 0
              aggregate_corrected: 3
              aggregate_uncorrected: 0
              sram_threshold_exceeded: false
            remapped_rows: {corrected: 0, uncorrected: 0, pending: false, failure: false}
            retired_pages: null
            repairs:
              channel_pending: false
              tpc_pending: false
              bank_pending: null
              unrepairable_memory: null
            recovery_action: None
            nvlinks:
              - link: 0
                active: true
                mb_per_s: 25000
                errors: {replay: 0, recovery: 0, crc_flit: 0}
            fabric_state: null
            fabric_health: null
            fabric_cluster: null
            unsupported: [fabric_state, repairs.bank_pending, retired_pages]
            unread: {}
            unlisted: {}
        lost: []
        message: ""
    gpu_software:
      description:
        - Versions of NVIDIA's software, and why a reboot is due. M(gpulab.core.nvidia_info) tells
          more.
      type: dict
      sample:
        module_loaded: "580.65.06"
        module_on_disk: "580.95.05"
        library: "580.95.05"
        fabricmanager: null
        imex: null
        dcgm: ["4.4.1"]
        nvswitches: 0
        half_configured: []
        reboot_reasons: [the loaded NVIDIA module is 580.65.06, the one on disk is 580.95.05]
        unread: {}
    gpu_fabric:
      description: >-
        NVSwitches on the bus, the state of the fabric manager's service (C(reason) says why it is
        null), and what network cards may reach the GPUs' memory by.
      type: dict
      sample:
        nvswitches: 0
        fabric_manager: inactive
        reason: ""
        peer_modules: [nvidia_peermem]
        dma_buf: true
    gpu_container:
      description: >-
        Whether containers get the GPUs; C(asked) is false without O(container_toolkit), C(tried)
        where no container was started.
      type: dict
      sample:
        asked: true
        tried: true
        proved:
          - /var/run/cdi/nvidia.yaml lists 2 GPU(s)
          - "podman: a container sees 2 GPU(s), and goes on to when systemd is reloaded"
        problems: []
    kernel_log:
      description: >-
        Xid and SXid since boot, in order; C(class) says what they ask for, C(count) how often one
        came in a row. C(complete) tells whether the log reaches back to the boot.
      type: dict
      sample:
        source: journalctl
        complete: true
        events:
          - kind: xid
            bdf: "0000:01:00.0"
            code: 94
            class: application
            text: pid=2413, Contained memory error
            count: 1
    os:
      description: Distribution, and whether this is a container, a virtual machine or neither.
      type: dict
      sample:
        id: ubuntu
        id_like: [debian]
        version: "24.04"
        name: Ubuntu 24.04.1 LTS
        virtualization: none
        virtualization_technology: null
    kernel:
      description: Running kernel.
      type: dict
      sample:
        release: 6.8.0-45-generic
        version: "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024"
    clock:
      description: >-
        Whether the clock follows a time source; in seconds the magnitude of its offset, the most
        that it can be off, and how long ago the source was heard.
      type: dict
      sample:
        source: chrony
        synchronised: true
        offset_s: 0.000012
        error_s: 0.000269
        update_age_s: 17.2
        stratum: 3
        reference: 192.0.2.1
    probes:
      description: For each section, whether it could be read, why not, and how long it took.
      type: dict
      sample:
        cpu: {status: ok, reason: "", seconds: 0.012}
        clock: {status: unknown, reason: no answer within 5 s, seconds: 5.001}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.facts.read import read_hardware


def main() -> None:
    """Read the facts and return them."""
    module = AnsibleModule(
        argument_spec={
            "smart": {"type": "bool", "default": True},
            "container_toolkit": {
                "type": "dict",
                "options": {
                    "version": {"type": "str", "required": True},
                    "spec": {"type": "path", "default": "/var/run/cdi/nvidia.yaml"},
                    "image": {"type": "str", "default": ""},
                },
            },
        },
        supports_check_mode=True,
    )
    hardware = read_hardware(
        smart=module.params["smart"], container_toolkit=module.params["container_toolkit"]
    )
    module.exit_json(changed=False, hardware=hardware)


if __name__ == "__main__":
    main()
