"""What nvidia-smi and NVML tell of a GPU and nobody here asks for, and why.

Everything else of ``nvidia-smi -q -x`` is read. An element that is in neither is new: the reader
keeps it in ``unlisted``, the check gpu.recovery shows it where it says that something is wrong, and
tests/unit/hardware/test_gpu_schema.py fails where a real output has it.

Elements: real outputs of drivers 470 to 615 (nvsmi_device v11 to v13; those of 570 to 615 in
NVIDIA's k8s-test-infra, September 2026). Fields: NVML_FI_* of nvidia-ml-py 13.615.71, the newest
there was on 1 December 2026.
"""

from __future__ import annotations

_IDENTITY = "says what the board is, not how it is"
_SETTING = "a setting that the lab may choose"
_USE = "says what the GPU does now"
_DISPLAY = "of displays, encoders and virtual GPUs"
_COUNTED = "counted again where it is judged"
_LOAD = "judged under load: gpu.throttle, gpu.link_load, gpu.nvlink_errors"

# Path below <gpu> -> why it is not read; what is below it is meant too.
ELEMENTS = {
    **dict.fromkeys(
        (
            *("product_brand", "product_architecture", "minor_number", "pdi", "board_id"),
            *("multigpu_board", "board_part_number", "gpu_part_number", "gpu_fru_part_number"),
            *("platformInfo", "inforom_version", "inforom_bbx_flush", "inforom_time_data"),
            *("gsp_firmware_version", "gsp_firmware_mode", "capabilities", "ibmnpu"),
            *("gpu_module_id", "board_name", "gpu_reset_status/reserved"),
            *("pci/pci_bus", "pci/pci_device", "pci/pci_domain", "pci/pci_base_class"),
            *("pci/pci_sub_class", "pci/pci_device_id", "pci/pci_sub_system_id"),
            *("pci/pci_bridge_chip", "pci/atomic_caps_outbound", "pci/atomic_caps_inbound"),
            *("pci/atomic_caps_inbound", "fabric/cliqueId", "fabric/cliques"),
        ),
        _IDENTITY,
    ),
    **dict.fromkeys(
        (
            *("addressing_mode", "accounting_mode", "accounting_mode_buffer_size"),
            *("driver_model", "gpu_operation_mode", "c2c_mode", "compute_mode", "clock_policy"),
            *("mig_mode/pending_mig", "dram_encryption_mode", "sparse_operation_mode"),
            *("applications_clocks", "default_applications_clocks", "deferred_clocks"),
            *("max_customer_boost_clocks", "supported_clocks", "supported_gpu_target_temp"),
            *("power_smoothing", "power_profiles", "edpp_multiplier", "dla_clocks"),
            *("gpu_power_readings/power_management", "power_readings/power_management"),
            *("gpu_power_readings/requested_power_limit", "power_readings/power_limit"),
            *("gpu_power_readings/gpu_ceiling_power_limit", "gpu_power_readings/gpu_base_power"),
            "temperature/gpu_target_temperature",
        ),
        _SETTING,
    ),
    **dict.fromkeys(
        (
            *("performance_state", "fan_speed", "bar1_memory_usage", "cc_protected_memory_usage"),
            *("fb_memory_usage/reserved", "fb_memory_usage/free", "accounted_processes"),
            *("utilization", "clocks", "max_clocks", "voltage", "pci/tx_util", "pci/rx_util"),
            *("gpu_power_readings/power_state", "power_readings/power_state"),
            *("gpu_memory_power_readings", "module_power_readings"),
        ),
        _USE,
    ),
    **dict.fromkeys(
        (
            *("display_mode", "display_attached", "display_active", "gpu_virtualization_mode"),
            *("encoder_stats", "fbc_stats", "vgpu_software_licensed_product"),
            *("grid_licensed_product", "vgpu_device_capability", "vgpu_heterogenous_multivGPU"),
        ),
        _DISPLAY,
    ),
    **dict.fromkeys(
        (
            # The instances' shares of ecc_errors.
            "mig_devices",
            "ecc_errors/aggregate_uncorrectable_sram_sources",
            *("ecc_errors/volatile/single_bit", "ecc_errors/volatile/double_bit"),
            *("ecc_errors/aggregate/single_bit", "ecc_errors/aggregate/double_bit"),
            *("retired_pages/multiple_single_bit_retirement/retired_pagelist",),
            *("retired_pages/double_bit_retirement/retired_pagelist",),
            *("retired_pages/multiple_single_bit_retirement/retired_page_addresses",),
            *("retired_pages/double_bit_retirement/retired_page_addresses",),
            *(
                "remapped_rows/remapped_row_corr_inactive",
                "remapped_rows/remapped_row_unc_inactive",
            ),
            *("remapped_rows/row_remapper_histogram", "remapped_banks/bank_remapper_histogram"),
            *("remapped_banks/bank_remapper_active_remappings",),
            *("remapped_banks/bank_remapper_inactive_remappings",),
        ),
        _COUNTED,
    ),
    **dict.fromkeys(
        (
            *("clocks_event_reasons_counters", "pci/replay_counter", "pci/replay_rollover_counter"),
            "pci/pci_gpu_link_info/pcie_gen",
            *("temperature/gpu_temp_max", "temperature/gpu_temp_max_threshold"),
            *(
                "temperature/gpu_temp_max_gpu_threshold",
                "temperature/gpu_temp_max_tlimit_threshold",
            ),
            *("temperature/gpu_temp_slow_tlimit_threshold",),
            *("temperature/gpu_temp_max_gpu_tlimit_threshold",),
            *("temperature/gpu_temp_max_mem_tlimit_threshold",),
        ),
        _LOAD,
    ),
}

# NVML_FI_* by the beginning of its name, without DEV_ -> why it is not read.
FIELDS = {
    **dict.fromkeys(("ECC_", "RETIRED_", "REMAPPED_", "ROW_REMAPPER_", "BANK_REMAPPER_"), _COUNTED),
    **dict.fromkeys(("ACTIVE_BANK_", "INACTIVE_BANK_"), _COUNTED),
    **dict.fromkeys(
        ("NVLINK_", "NVSWITCH_", "C2C_", "PCIE_", "PERF_POLICY_", "CLOCKS_EVENT_"), _LOAD
    ),
    **dict.fromkeys(("TEMPERATURE_", "MEMORY_TEMP", "MMA_STALL_"), _LOAD),
    **dict.fromkeys(("POWER_", "ENERGY", "TOTAL_ENERGY", "UTILIZATION", "GPU_UTIL"), _USE),
    **dict.fromkeys(("PWR_SMOOTHING_", "EDPP_", "MCLK_", "IS_", "PERSISTENCE_"), _SETTING),
}
