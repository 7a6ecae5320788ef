"""What is read from whole machines."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest
from gpu_machines import GPU_MACHINES
from hardware_machines import MACHINES, FactsOf

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult

SCHEMA = json.loads(
    (
        Path(__file__).parents[3]
        / "python_modules/ansible_collections/gpulab/core/plugins/plugin_utils/records/schemas"
        / "hardware.schema.json"
    ).read_text(encoding="utf-8")
)
SECTIONS = [
    *("system", "cpu", "memory", "dimms", "edac", "power_management", "slots", "disks", "smart"),
    *("nics", "nic_counters", "infiniband", "lldp", "topology", "ipmi_sensors", "ipmi_events"),
    *(
        "gpus",
        "nvidia",
        "gpu_software",
        "gpu_fabric",
        "gpu_container",
        "kernel_log",
        "os",
        "kernel",
        "clock",
    ),
]
# Read by tools that the nodes of hardware_machines do not have.
TOOLS = {"dimms", "slots", "smart", "lldp", "ipmi_sensors", "ipmi_events"}


def test_the_schema_is_sound() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", [*MACHINES, *GPU_MACHINES])
def test_facts_follow_the_schema(facts_of: FactsOf, name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(facts_of(name))


def test_this_machine_follows_the_schema_fast() -> None:
    started = time.monotonic()
    facts = gather(Tree("/"))
    # The clock's tools may have to wait for a bus that does not answer, and a package manager for
    # its database, a disk has to wake up; the files never do, but all probes share the processors
    # with whatever runs beside this test. The counters are read a second apart.
    files = set(SECTIONS) - TOOLS - {"clock", "gpu_software", "nic_counters"}
    assert facts["probes"]["nic_counters"]["seconds"] < 3
    assert all(facts["probes"][name]["seconds"] < 2 for name in files)
    assert time.monotonic() - started < 6
    jsonschema.Draft202012Validator(SCHEMA).validate(facts)
    for name in ("cpu", "memory", "os", "kernel"):
        assert facts["probes"][name]["status"] == "ok"


@pytest.mark.parametrize("name", [*MACHINES, *GPU_MACHINES])
def test_a_section_is_null_exactly_when_its_probe_is_unknown(facts_of: FactsOf, name: str) -> None:
    facts = facts_of(name)
    for section in SECTIONS:
        probe = facts["probes"][section]
        assert (facts[section] is None) == (probe["status"] == "unknown")
        assert bool(probe["reason"]) == (probe["status"] == "unknown")


def test_the_schema_refuses_what_is_wrong(facts_of: FactsOf) -> None:
    facts = facts_of("two-a100")
    for change in ({"cpu": {"cores": "many"}}, {"disks": [{"name": "sda"}]}, {"extra": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate({**facts, **change})


def test_two_a100(facts_of: FactsOf) -> None:
    facts = facts_of("two-a100")
    assert facts["system"] == {
        "vendor": "Supermicro",
        "product": "AS -4124GS-TNR",
        "serial": "A123456",
        "board": None,
        "board_serial": None,
        "firmware_version": None,
    }
    cpu = facts["cpu"]
    assert (cpu["sockets"], cpu["cores"], cpu["threads"], cpu["numa_nodes"]) == (2, 64, 128, 2)
    assert round(facts["memory"]["total_bytes"] / 1024**3, 1) == 503.7
    sda, nvme = sorted(facts["disks"], key=lambda disk: disk["name"], reverse=True)
    assert (sda["kind"], sda["transport"], sda["serial"]) == ("hdd", "sata", "ZJV0A1B2")
    assert sda["model"] == "ST12000NM0127-2L8101"
    assert (nvme["kind"], nvme["transport"], nvme["serial"]) == ("ssd", "nvme", "S64HNE0R501234")
    assert (nvme["bdf"], nvme["size_bytes"]) == ("0000:81:00.0", 3_840_000_000_000)
    (nic,) = facts["nics"]
    assert (nic["physical"], nic["link"], nic["speed_mbps"]) == (True, "up", 25000)
    assert (nic["driver"], nic["bdf"], nic["slot"]) == ("mlx5_core", "0000:41:00.0", "5")
    assert [gpu["vendor"] for gpu in facts["gpus"]] == ["NVIDIA", "NVIDIA", "ASPEED"]
    assert facts["gpus"][0]["name"] == "GA100 [A100 SXM4 80GB]"
    assert facts["gpus"][0]["link"]["gt_per_s_max"] == 16.0
    nvidia = facts["nvidia"]
    assert (nvidia["module_version"], nvidia["module_flavour"]) == ("580.65.06", "open")
    first = nvidia["gpus"][0]
    # The board's memory, not a MIG slice's.
    assert first["memory_bytes"] == 81920 * 1024**2
    assert (first["bdf"], first["serial"]) == ("0000:01:00.0", "1650522003800")
    assert (first["ecc"], first["mig"]) == (True, False)
    assert first["clocks_event_reasons"] == ["gpu_idle"]
    assert facts["os"]["virtualization"] == "none"
    assert facts["clock"]["offset_s"] == pytest.approx(0.000012)


def test_the_format_before_driver_535(facts_of: FactsOf) -> None:
    nvidia = facts_of("two-v100")["nvidia"]
    assert nvidia["module_flavour"] == "proprietary"
    assert nvidia["gpus"][0]["clocks_event_reasons"] == ["gpu_idle"]


def test_a_raspberry_pi(facts_of: FactsOf) -> None:
    facts = facts_of("raspberry-pi")
    assert facts["system"]["product"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts["system"]["serial"] == "10000000abcdef01"
    assert facts["cpu"]["architecture"] == "aarch64"
    assert (facts["cpu"]["cores"], facts["cpu"]["threads"]) == (4, 4)
    assert [(disk["name"], disk["transport"], disk["kind"]) for disk in facts["disks"]] == [
        ("mmcblk0", "mmc", "ssd")
    ]
    assert facts["nics"][0]["physical"] is True
    assert facts["gpus"] == []
    assert (facts["clock"]["synchronised"], facts["clock"]["offset_s"]) == (True, None)


def test_a_virtual_machine(facts_of: FactsOf) -> None:
    facts = facts_of("virtual")
    assert facts["system"]["serial"] is None
    assert (facts["os"]["virtualization"], facts["os"]["virtualization_technology"]) == (
        "vm",
        "kvm",
    )
    assert [(disk["name"], disk["kind"]) for disk in facts["disks"]] == [("vda", "unknown")]
    physical = {nic["name"]: nic["physical"] for nic in facts["nics"]}
    assert physical == {"eth0": True, "veth1": False}
    # The container's end says 10000, as they all do.
    assert [nic["speed_mbps"] for nic in facts["nics"]] == [None, None]
    assert facts["nvidia"]["message"] == "not loaded: no NVIDIA device on the PCI bus"
    assert facts["probes"]["clock"]["reason"] == (
        "chronyc: 506 Cannot talk to daemon; timedatectl: Failed to connect to bus: Host is down"
    )


def test_a_hung_disk_leaves_the_rest_readable(facts_of: FactsOf) -> None:
    facts = facts_of("hung-disk")
    assert facts["disks"] is None
    assert facts["probes"]["disks"]["reason"] == "no answer within 5 s"
    assert {name for name in SECTIONS if facts[name] is None} == {"disks"} | TOOLS


def test_garbage_is_unknown_and_nothing_else(facts_of: FactsOf) -> None:
    facts = facts_of("garbage")
    unread = {name for name in SECTIONS if facts[name] is None}
    files = {"cpu", "memory", "power_management", "topology", "gpus", "nvidia", "kernel", "clock"}
    files |= {"gpu_fabric", "kernel_log"}
    assert unread == files | TOOLS
    (disk,) = facts["disks"]
    assert (disk["kind"], disk["size_bytes"], disk["rotational"]) == ("unknown", None, None)
    (nic,) = facts["nics"]
    assert (nic["link"], nic["speed_mbps"]) == ("unknown", None)


def test_what_is_wrong_with_the_driver_is_said_in_words(facts_of: FactsOf) -> None:
    messages = {
        "fallen-gpu": "",
        "lost-gpu": "Unable to determine the device handle for GPU0000:41:00.0: Unknown Error",
        "nouveau": "not loaded: the GPU is bound to nouveau",
        "no-driver": "not loaded: the module is not installed, or the kernel refused it",
        "mismatch": "NVML: the loaded module and the installed library differ in version",
    }
    assert {name: facts_of(name)["nvidia"]["message"] for name in messages} == messages
    assert facts_of("lost-gpu")["nvidia"]["lost"] == ["0000:41:00.0"]


def test_nvidia_smi_is_not_run_without_the_module(tmp_path: Path) -> None:
    machine = MACHINES["nouveau"]

    def run(argv: Sequence[str]) -> ToolResult:
        with (tmp_path / "asked").open("a") as log:
            log.write(f"{argv[0]}\n")
        return machine.run(argv)

    gather(Tree(str(machine.lay(tmp_path / "root"))), run, "x86_64", 2.0)
    asked = (tmp_path / "asked").read_text().split()
    assert "chronyc" in asked
    assert "nvidia-smi" not in asked
