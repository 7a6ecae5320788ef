"""Parsers of what the tools say of a server's parts: tables of forms, and arbitrary text."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hardware_machines import Machine
from host_machines import config, dimms, edac_rows, events, lldp, sensors, smart_scsi
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.hardware.dimms import (
    channel_of,
    parse_size,
    parse_speed,
    read_dimms,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.dmi import parse_records
from ansible_collections.gpulab.core.plugins.module_utils.hardware.edac import read_edac
from ansible_collections.gpulab.core.plugins.module_utils.hardware.infiniband import (
    parse_rate,
    state_name,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.ipmi import (
    parse_events,
    parse_sensors,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.lldp import (
    parse_neighbours,
    read_lldp,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.smart import parse_smart
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import ProbeError, Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.module_utils.hardware.topology import redirects


@pytest.mark.parametrize("version", ["3.0", "3.5"])
def test_modules_read_alike_from_every_version(version: str) -> None:
    found = read_dimms(lambda _: dimms(version=version))
    assert found["ecc"] == "Multi-bit ECC"
    assert len(found["slots"]) == 32
    first, second = found["slots"][:2]
    assert first == {
        "slot": "P1-DIMMA1",
        "bank": "P0_Node0_Channel0_Dimm0",
        "channel": "0/0",
        "installed": True,
        "size_bytes": 32 * 1024**3,
        "type": "DDR4",
        "rated_mts": 3200,
        "configured_mts": 3200,
        "manufacturer": "Samsung",
        "part_number": "M393A4K40EB3-CWE",
        "serial": "H0KE1A1",
    }
    assert (second["installed"], second["serial"], second["rated_mts"]) == (False, None, None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ToolResult(127, ""), "install the package dmidecode"),
        (ToolResult(1, "# dmidecode 3.3\n", "/dev/mem: Permission denied"), "Permission denied"),
        (
            ToolResult(0, "# dmidecode 3.5\n# No SMBIOS nor DMI entry point found, sorry.\n"),
            "No SMBIOS nor DMI entry point found",
        ),
        (ToolResult(0, "SMBIOS 3.3.0 present.\n"), "no memory slot"),
    ],
)
def test_modules_that_cannot_be_read(answer: ToolResult, reason: str) -> None:
    with pytest.raises(ProbeError, match=reason):
        read_dimms(lambda _: answer)


def test_locators_that_repeat_are_told_apart_by_their_bank() -> None:
    text = "SMBIOS 3.3.0 present.\n"
    for bank in ("NODE 1", "NODE 2"):
        text += (
            "Handle 0x01, DMI type 17, 40 bytes\nMemory Device\n"
            f"\tLocator: DIMM_A1\n\tBank Locator: {bank}\n\tSize: 16 GB\n"
        )
    found = read_dimms(lambda _: ToolResult(0, text))
    assert [slot["slot"] for slot in found["slots"]] == ["NODE 1 DIMM_A1", "NODE 2 DIMM_A1"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16384 MB", 16 * 1024**3),
        ("16 GB", 16 * 1024**3),
        ("64 GiB", 64 * 1024**3),
        ("1 TB", 1024**4),
        ("512 kB", 512 * 1024),
        ("No Module Installed", None),
        ("Unknown", None),
        ("", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "speed"),
    [("3200 MT/s", 3200), ("2133 MHz", 2133), ("2133 MHz (0.5 ns)", 2133), ("Unknown", None)],
)
def test_speeds(text: str, speed: int | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize(
    ("locator", "bank", "channel"),
    [
        ("P1-DIMMA1", "P0_Node0_Channel0_Dimm0", "0/0"),
        ("P1-DIMMA1", "BANK 0", "1/A"),
        ("CPU2_DIMM_B2", "NODE 2", "2/B"),
        ("DIMM 0", "P0 CHANNEL A", "0/A"),
        ("A1", "Not Specified", None),
        ("PROC 1 DIMM 8", "", None),
    ],
)
def test_channels(locator: str, bank: str, channel: str | None) -> None:
    assert channel_of(locator, bank) == channel


def test_rows_of_old_kernels(tmp_path: Path) -> None:
    tree = Tree(str(Machine(edac_rows(ce=4)).lay(tmp_path)))
    (controller,) = read_edac(tree)
    assert (controller["driver"], controller["ce"], controller["ue"]) == ("i5100", 4, 0)
    assert [(dimm["label"], dimm["ce"]) for dimm in controller["dimms"]] == [
        ("DIMM_A1", 4),
        ("DIMM_B1", 0),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "level", "value", "states"),
    [
        ("FAN1 | 41h | ok  | 29.1 | 5600 RPM", "fan", "ok", 5600.0, []),
        ("FAN1 | 41h | lnr | 29.1 | 0 RPM", "fan", "critical", 0.0, []),
        ("Temp | 01h | ucr |  3.1 | 97 degrees C", "other", "critical", 97.0, []),
        ("Temp | 01h | unc |  3.1 | 90 degrees C", "other", "warning", 90.0, []),
        ("P1 VR | 09h | ns  |  8.1 | Disabled", "other", "absent", None, []),
        (
            "Status | 85h | ok | 10.1 | Presence detected, Failure detected",
            "psu",
            "ok",
            None,
            ["Presence detected", "Failure detected"],
        ),
        (
            "Power Supply 1 | 05h | ok | 7.1 | 110 Watts, Presence detected",
            "psu",
            "ok",
            110.0,
            ["Presence detected"],
        ),
        ("Fan 2 | 07h | ok | 7.1 | 29.40 percent", "fan", "ok", 29.4, []),
    ],
)
def test_sensors(line: str, kind: str, level: str, value: float | None, states: list[str]) -> None:
    (found,) = parse_sensors(line)
    assert (found["kind"], found["level"], found["value"], found["states"]) == (
        kind,
        level,
        value,
        states,
    )


def test_event_only_records_are_no_sensors() -> None:
    names = [sensor["name"] for sensor in parse_sensors(sensors().stdout)]
    assert "Memory ECC" not in names
    assert len(names) == 12


@pytest.mark.parametrize(
    ("date", "clock", "at"),
    [
        ("11/23/2025", "14:02:11", 1763906531),
        ("11/23/25", "14:02:11 UTC", 1763906531),
        ("Pre-Init ", "0000000018", None),
        ("Unspecified", "Unspecified", None),
        ("99/99/2025", "14:02:11", None),
    ],
)
def test_times_of_events(date: str, clock: str, at: int | None) -> None:
    (found,) = parse_events(f" 1f | {date} | {clock} | Fan FAN1 | Lower Critical | Asserted")
    assert (found["id"], found["at_s"], found["asserted"]) == ("1f", at, True)


def test_events_of_the_fixture() -> None:
    found = parse_events(events().stdout)
    assert [event["sensor"] for event in found] == [
        "Power Supply PS1 Status",
        "Fan FAN1",
        "OS Boot",
    ]


@pytest.mark.parametrize("version", [(7, 0), (7, 4)])
def test_the_wear_of_a_sas_disk_in_every_version(version: tuple[int, int]) -> None:
    found = parse_smart(smart_scsi(version=version, used=85, grown=2, uncorrected=1))
    assert (found["protocol"], found["used_percent"]) == ("scsi", 85)
    assert (found["reallocated"], found["uncorrectable"]) == (2, 1)


def test_neighbours() -> None:
    assert read_lldp(lambda _: lldp()) == [
        {
            "interface": "ens1f0np0",
            "switch": "leaf1",
            "port": "swp12",
            "port_description": "to node01",
        }
    ]
    by_address = lldp().stdout.replace('"ifname"', '"mac"')
    assert parse_neighbours(by_address)[0]["port"] == "to node01"
    # Nobody has spoken yet.
    assert parse_neighbours('{"lldp": [{}]}') == []
    with pytest.raises(ProbeError, match="install the package lldpd"):
        read_lldp(lambda _: ToolResult(127, ""))


@pytest.mark.parametrize(
    ("registers", "answer"),
    [
        (config(acs_control=0x01), False),
        (config(acs_control=0x04), True),
        (config(acs_control=0x08), True),
        (config(acs_control=0x1D), True),
        (config(acs_control=None), False),
        (bytes(64), None),
        (b"", None),
        # A chain that points at itself.
        (bytes(0x100) + (0x10010001).to_bytes(4, "little") + bytes(0xEFC), False),
    ],
)
def test_redirection_from_a_bridges_registers(registers: bytes, answer: bool | None) -> None:
    assert redirects(registers) is answer


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("400 Gb/sec (4X NDR)", 400.0),
        ("2.5 Gb/sec (1X SDR)", 2.5),
        ("25 Gb/sec (1X EDR)", 25.0),
        ("fast", None),
        (None, None),
    ],
)
def test_rates(text: str | None, rate: float | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "state"), [("4: ACTIVE", "ACTIVE"), ("1: DOWN", "DOWN"), ("", None), (None, None)]
)
def test_states(text: str | None, state: str | None) -> None:
    assert state_name(text) == state


def _all_of(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(ProbeError):
        parse(text)


@given(st.text() | st.text(alphabet="0123456789|:., \n\tHandle DMI type17ok"))
def test_arbitrary_text_raises_nothing_but_the_probes_own_error(text: str) -> None:
    for parse in (parse_records, parse_sensors, parse_events, parse_neighbours):
        _all_of(parse, text)
    _all_of(lambda said: parse_smart(ToolResult(0, said)), text)
    _all_of(lambda said: read_dimms(lambda _: ToolResult(0, f"present.\n{said}")), text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_arbitrary_json_raises_nothing_but_the_probes_own_error(document: object) -> None:
    text = json.dumps(document)
    _all_of(parse_neighbours, text)
    for key in ("nvme_smart_health_information_log", "ata_smart_attributes", "smart_status"):
        nested = json.dumps({key: document, "smartctl": document, "device": document})
        _all_of(lambda said: parse_smart(ToolResult(0, said)), nested)


@given(st.binary(max_size=64).map(lambda tail: bytes(0x100) + tail * 64))
def test_arbitrary_registers_come_to_an_end(registers: bytes) -> None:
    assert redirects(registers) in (True, False, None)
