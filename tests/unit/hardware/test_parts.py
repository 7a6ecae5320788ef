"""Faults of a server's parts are attributed to the right part, and to no other."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from case import Change
from cases_parts import CASES, WARNS
from hardware_machines import FactsOf
from host_machines import HOST_MACHINES, SERVER, smart_ata, smart_nvme

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.slot_names import join
from ansible_collections.gpulab.core.plugins.module_utils.hardware.smart import read_smart
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

SCHEMA = json.loads(
    (
        Path(__file__).parents[3]
        / "python_modules/ansible_collections/gpulab/core/plugins/plugin_utils/records/schemas"
        / "hardware.schema.json"
    ).read_text(encoding="utf-8")
)


def merged(specs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for one in specs:
        for section, wanted in one.items():
            spec.setdefault(section, {}).update(wanted)
    return spec


# All that the cases require, and what the older checks say about the same parts.
SPEC = merged(
    [
        *(case.spec for case in CASES.values()),
        {"network": {"speed_mbps_min": 25000}, "clock": {"synchronised": True}},
    ]
)


@pytest.mark.parametrize("name", HOST_MACHINES)
def test_facts_follow_the_schema(facts_of: FactsOf, name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(facts_of(name))


STORIES: dict[str, dict[str, dict[str, str]]] = {
    "server": {},
    "new-forms": {},
    "new-ipmitool": {},
    "ib-down": {"infiniband.ports": {"name": "mlx5_1/1", "bdf": "0000:84:00.0"}},
    "ib-slow": {"infiniband.ports": {"name": "mlx5_1/1", "slot": "CPU2 SLOT4 PCI-E 4.0 X16"}},
    "nic-1g": {
        "nic.speed": {"name": "ens1f0np0", "serial": "b8:ce:f6:00:00:01", "port": "leaf1 swp12"}
    },
    "bad-cable": {
        "nic.errors": {"name": "ens1f0np0", "port": "leaf1 swp12"},
        "nic.link_losses": {"name": "ens1f0np0", "port": "leaf1 swp12"},
    },
    "missing-dimm": {
        "memory.dimms": {"kind": "dimm", "slot": "P2-DIMMF1 (P1_Node0_Channel5_Dimm0)"},
        "memory.balance": {"kind": "dimm", "slot": "P2-DIMMF1 (P1_Node0_Channel5_Dimm0)"},
    },
    "slow-dimm": {
        "memory.dimm_speed": {
            "kind": "dimm",
            "serial": "H0KE1C1",
            "slot": "P1-DIMMC1 (P0_Node0_Channel2_Dimm0)",
        }
    },
    "corrected-errors": {"memory.errors": {"kind": "dimm", "serial": "H0KE1C1"}},
    "uncorrected-errors": {"memory.errors": {"kind": "dimm", "serial": "H0KE1C1"}},
    "dying-nvme": {"disk.smart": {"kind": "disk", "serial": "S64HNE0R501234", "slot": "Bay 3"}},
    "stopped-clock": {"clock.sync": {"kind": "clock"}},
    "failed-fan": {"system.fans": {"kind": "fan", "name": "FAN2"}},
    "lost-psu": {
        "system.psus": {"kind": "psu", "name": "PS2 Status", "slot": "PSU 2"},
        "system.events": {"kind": "sensor", "name": "Power Supply PS2 Status"},
    },
    "acs-on": {"topology.acs": {"kind": "link", "bdf": "0000:02:00.0"}},
}
WARNINGS = {"bad-cable", "corrected-errors", "acs-on"}


@pytest.mark.parametrize(("name", "parts"), STORIES.items())
def test_a_fault_names_its_part_and_nothing_else_is_wrong(
    facts_of: FactsOf, name: str, parts: dict[str, dict[str, str]]
) -> None:
    found = verify(facts_of(name), SPEC)
    wrong = [finding for finding in found if finding["status"] != "pass"]
    assert {finding["id"] for finding in wrong} == set(parts)
    for check, expected in parts.items():
        first = next(finding for finding in wrong if finding["id"] == check)
        assert {key: first["part"][key] for key in expected} == expected
    verdict = "pass" if not parts else "warn" if name in WARNINGS else "fail"
    assert verdict_of(found) == verdict


def test_without_tools_nothing_passes_that_needs_them(facts_of: FactsOf) -> None:
    found = verify(facts_of("bare-server"), SPEC)
    passed = {finding["id"] for finding in found if finding["status"] == "pass"}
    assert passed & set(CASES) == {
        "cpu.clocksource",
        "nic.errors",
        "nic.link_losses",
        "infiniband.ports",
        "infiniband.errors",
        "topology.gpu_nic",
    }
    assert verdict_of(found) == "unknown"
    reasons = " ".join(finding["evidence"] for finding in found)
    for package in ("dmidecode", "smartmontools"):
        assert f"install the package {package}" in reasons


def test_a_spec_that_declares_false_asks_for_nothing(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("bare-server"))
    facts.update(dimms={"ecc": None, "slots": []}, smart=[], ipmi_sensors=[])
    facts["ipmi_events"] = {"boot_s": None, "clock_offset_s": None, "events": []}
    spec = {
        "memory": {"ecc": False, "balanced": False, "rated_speed": False},
        "storage": {"smart": False},
        "system": {"sensors": False, "event_log": False},
        "topology": {"gpu_nic_local": False, "peer_direct": False},
    }
    found = verify(facts, spec)
    assert [finding["status"] for finding in found] == ["pass"] * 8


@pytest.mark.parametrize(
    ("check", "change"), [(name, change) for name, changes in WARNS.items() for change in changes]
)
def test_what_is_no_failure_yet_warns(facts_of: FactsOf, check: str, change: Change) -> None:
    facts = copy.deepcopy(facts_of("server"))
    change(facts)
    found = [one for one in verify(facts, CASES[check].spec) if one["id"] == check]
    assert {one["status"] for one in found} <= {"pass", "warn"}
    assert verdict_of(found) == "warn"


def test_places_are_joined(facts_of: FactsOf) -> None:
    facts = facts_of("server")
    # One slot is named by the card in it, the other by the port above its switch.
    assert [gpu["slot"] for gpu in facts["gpus"]] == [
        "CPU1 SLOT1 PCI-E 4.0 X16",
        "CPU2 SLOT4 PCI-E 4.0 X16",
    ]
    assert [disk["slot"] for disk in facts["disks"]] == ["Bay 3", "Slot 05"]
    assert facts["nics"][0]["switch_port"] == "leaf1 swp12"


def test_several_neighbours_of_one_interface_are_all_told(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("server"))
    facts["lldp"].append({**facts["lldp"][0], "switch": "leaf2", "port": None})
    join(facts)
    assert facts["nics"][0]["switch_port"] == "leaf1 swp12, leaf2"


def test_an_event_that_was_taken_back_is_over(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("lost-psu"))
    log = facts["ipmi_events"]["events"]
    log.append({**log[-1], "id": "5", "asserted": False})
    spec = {"system": {"event_log": True}}
    assert verdict_of(verify(facts, spec)) == "pass"


def test_a_slow_module_is_blamed_and_those_that_it_slows_are_not(facts_of: FactsOf) -> None:
    spec = {"memory": {"speed_mts_min": 3200}}
    (finding,) = verify(facts_of("slow-dimm"), spec)
    assert finding["observed"] == 2933
    facts = copy.deepcopy(facts_of("server"))
    for slot in facts["dimms"]["slots"]:
        slot["configured_mts"] = 2933
    found = verify(facts, spec)
    assert len(found) == 16
    assert "firmware" in found[0]["action"]


def test_several_gaps_are_all_suspected_where_the_positions_tell_nothing(
    facts_of: FactsOf,
) -> None:
    facts = copy.deepcopy(facts_of("server"))
    for slot in facts["dimms"]["slots"]:
        slot["installed"] = slot["slot"] == "P1-DIMMA1"
    (finding,) = verify(facts, {"memory": {"dimms_min": 2}})
    assert finding["part"]["slot"].count("-DIMM") == 31


def test_a_disk_that_hangs_hides_no_other(tmp_path: Path) -> None:
    def run(argv: Sequence[str]) -> ToolResult:
        if argv[-1] == "/dev/sda":
            time.sleep(60)
        return smart_nvme()

    started = time.monotonic()
    found = read_smart(Tree(str(SERVER.lay(tmp_path))), run, 0.5)
    assert time.monotonic() - started < 5
    health = {entry["name"]: entry for entry in found}
    assert (health["nvme0n1"]["passed"], health["nvme0n1"]["reason"]) == (True, "")
    assert (health["sda"]["passed"], health["sda"]["reason"]) == (None, "no answer within 0.5 s")


def test_a_disk_that_hangs_leaves_the_section(tmp_path: Path) -> None:
    def run(argv: Sequence[str]) -> ToolResult:
        if argv[0] == "smartctl" and argv[-1] == "/dev/sda":
            time.sleep(60)
        return SERVER.run(argv)

    facts = gather(Tree(str(SERVER.lay(tmp_path))), run, "x86_64", 2.0, pause_s=0.01)
    found = verify(facts, {"storage": {"smart": True}})
    assert [finding["status"] for finding in found] == ["pass", "unknown"]
    assert "no answer within" in found[1]["evidence"]


def test_no_disk_is_opened_where_that_is_switched_off(tmp_path: Path) -> None:
    asked = tmp_path / "asked"

    def run(argv: Sequence[str]) -> ToolResult:
        if argv[0] == "smartctl":
            asked.touch()
        return SERVER.run(argv)

    tree = Tree(str(SERVER.lay(tmp_path / "root")))
    facts = gather(tree, run, "x86_64", 2.0, pause_s=0.01, smart=False)
    assert (facts["smart"], asked.exists()) == (None, False)
    (finding,) = verify(facts, {"storage": {"smart": True}})
    assert finding["status"] == "unknown"
    assert "smart: false" in finding["evidence"]


def test_counters_that_grow_while_we_look(tmp_path: Path) -> None:
    """The counter is raised between the two readings, by a child of ours."""
    root = SERVER.lay(tmp_path)
    counter = next(root.glob("sys/devices/**/statistics/rx_crc_errors"))

    def run(argv: Sequence[str]) -> ToolResult:
        if argv[0] == "lldpcli":
            time.sleep(0.3)
            counter.write_text("5\n")
        return SERVER.run(argv)

    facts = gather(Tree(str(root)), run, "x86_64", 5.0, pause_s=1.0)
    assert facts["nic_counters"]["nics"][0]["delta"]["rx_crc_errors"] == 5
    (finding,) = verify(facts, {"network": {"errors_max": 1000}})
    assert (finding["status"], finding["observed"]) == ("warn", 5)
    assert "5 of these broken frames within 1.0 s" in finding["evidence"]


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (smart_ata(), "pass"),
        (smart_ata(reallocated=1), "warn"),
        (smart_ata(pending=8), "fail"),
        (smart_ata(offline=2), "fail"),
        (smart_ata(passed=False, rc=8), "fail"),
        # Bits 6 and 7: old entries in the disk's own logs.
        (smart_ata(rc=0xC0), "pass"),
        # Another number of the maker's in the high bytes.
        (smart_ata(uncorrectable=7 << 32), "pass"),
        (ToolResult(1, "smartctl: invalid option -- 'j'"), "unknown"),
        (
            ToolResult(
                2,
                '{"smartctl": {"messages": [{"string": "Smartctl open device: /dev/sda failed: '
                "DELL or MegaRaid controller, please try adding '-d megaraid,N'\"}]}}",
            ),
            "unknown",
        ),
        (ToolResult(0, "[]"), "unknown"),
    ],
)
def test_exit_status_and_counts_of_smartctl(
    tmp_path: Path, health: ToolResult, status: str
) -> None:
    machine = SERVER.tools | {"smartctl -j -a /dev/sda": health}

    def run(argv: Sequence[str]) -> ToolResult:
        return machine.get(" ".join(argv), ToolResult(127, ""))

    facts = gather(Tree(str(SERVER.lay(tmp_path))), run, "x86_64", 2.0, pause_s=0.01)
    found = verify(facts, {"storage": {"smart": True}})
    assert [finding["status"] for finding in found] == ["pass", status]
