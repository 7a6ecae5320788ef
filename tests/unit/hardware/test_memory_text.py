"""The memory's modules, from dmidecode's own text to the verdict."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from hardware_machines import FactsOf

from ansible_collections.gpulab.core.plugins.module_utils.hardware.dimm_names import (
    channel_of,
    place_on_processor,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.dimms import read_dimms
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

HEAD = "# dmidecode 3.5\nGetting SMBIOS data from sysfs.\nSMBIOS 3.3.0 present.\n\n"


def array(correction: str, use: str = "System Memory") -> str:
    return (
        "Handle 0x0010, DMI type 16, 23 bytes\nPhysical Memory Array\n"
        f"\tLocation: System Board Or Motherboard\n\tUse: {use}\n"
        f"\tError Correction Type: {correction}\n\tMaximum Capacity: 1 TB\n"
    )


def device(
    locator: str, bank: str = "BANK 0", size: str = "32 GB", kind: str = "DDR4", **more: str
) -> str:
    fields = {"Size": size, "Locator": locator, "Bank Locator": bank, "Type": kind, **more}
    lines = "".join(f"\t{name.replace('_', ' ')}: {value}\n" for name, value in fields.items())
    return f"Handle 0x0020, DMI type 17, 92 bytes\nMemory Device\n{lines}"


EMPTY = {"size": "No Module Installed", "kind": "Unknown"}


def judged(facts_of: FactsOf, spec: dict[str, Any], records: Sequence[str]) -> list[dict[str, Any]]:
    facts = copy.deepcopy(facts_of("server"))
    facts["dimms"] = read_dimms(lambda _: ToolResult(0, HEAD + "\n".join(records)))
    return verify(facts, {"memory": spec})


@pytest.mark.parametrize(
    ("arrays", "status"),
    [
        ([array("Multi-bit ECC")], "pass"),
        ([array("Single-bit ECC")], "pass"),
        ([array("None")], "fail"),
        ([array("Parity")], "fail"),
        ([array("CRC")], "fail"),
        ([array("Unknown")], "unknown"),
        ([array("Other")], "unknown"),
        ([array("<OUT OF SPEC>")], "unknown"),
        ([], "unknown"),
        # Every array is judged, and one that is not told hides no fault of another.
        ([array("Multi-bit ECC"), array("None")], "fail"),
        ([array("Multi-bit ECC"), array("Unknown")], "unknown"),
        ([array("Unknown"), array("None")], "fail"),
        ([array("Multi-bit ECC"), array("Multi-bit ECC")], "pass"),
        ([array("None", "Flash Memory"), array("Multi-bit ECC")], "pass"),
        ([array("None", "Cache Memory"), array("None", "Video Memory")], "unknown"),
    ],
)
def test_error_correction(facts_of: FactsOf, arrays: list[str], status: str) -> None:
    (found,) = judged(facts_of, {"ecc": True}, [*arrays, device("DIMM_A1")])
    assert found["status"] == status


@pytest.mark.parametrize(
    ("record", "modules"),
    [
        (device("DIMM_A2"), 2),
        (device("DIMM_A2", kind="Logical non-volatile device"), 1),
        (device("BIOS", size="32 MB", kind="Flash"), 1),
        (device("ROM", size="1 MB", kind="EEPROM"), 1),
        (
            device(
                "NVDIMM_A2",
                size="126 GB",
                kind="DDR4",
                Volatile_Size="None",
                Non_Volatile_Size="126 GB",
            ).replace("Non Volatile", "Non-Volatile"),
            1,
        ),
        (
            device("DIMM_A2", Volatile_Size="32 GB", Non_Volatile_Size="None").replace(
                "Non Volatile", "Non-Volatile"
            ),
            2,
        ),
        (device("DIMM_A2", **EMPTY), 1),
    ],
)
def test_what_is_no_module_of_main_memory_is_not_counted(
    facts_of: FactsOf, record: str, modules: int
) -> None:
    for wanted, status in ((modules, "pass"), (modules + 1, "fail")):
        (found,) = judged(facts_of, {"dimms_min": wanted}, [device("DIMM_A1"), record])
        assert found["status"] == status


@pytest.mark.parametrize(
    ("locator", "bank", "channel"),
    [
        # NVIDIA's DGX, Gigabyte.
        ("DIMM_P0_A0", "BANK 0", "0/A"),
        ("DIMM_P0_B0", "BANK 0", "0/B"),
        ("DIMM_P1_H1", "BANK 0", "1/H"),
        # No letter after the number: it is the sixteenth channel.
        ("DIMM_P1", "BANK 3", "0/P"),
        # Supermicro: a processor's second memory controller counts its channels anew.
        ("P1-DIMMA1", "P0_Node0_Channel0_Dimm0", "0/0"),
        ("P1-DIMMC1", "P0_Node1_Channel0_Dimm0", "0/1.0"),
        ("P2-DIMMA1", "P1_Node0_Channel0_Dimm0", "1/0"),
        # Without a processor, the node is one.
        ("ChannelA_Dimm0", "_Node1_Channel0_Dimm0", "1/0"),
        ("DIMM_A1", "NODE 1", "1/A"),
        ("DIMM_A1", "NODE 2", "2/A"),
        # Intel's own boards, and its desktop chips with two controllers.
        ("CPU1_DIMM_A1", "CPU 1", "1/A"),
        ("Controller0-ChannelA-DIMM0", "BANK 0", "0/A"),
        ("Controller1-ChannelA-DIMM0", "BANK 0", "0/1.A"),
        # Inspur, Huawei.
        ("CPU1_C3D0", "NODE 1", "1/3"),
        ("DIMM131", "", "1/3"),
        ("DIMM031", "SOCKET 0 CHANNEL 3 DIMM 1", "0/3"),
        # Dell, HPE and Lenovo name no channel.
        ("A1", "Not Specified", None),
        ("PROC 1 DIMM 9", "Not Specified", None),
        ("DIMM 1", "Bank 1", None),
    ],
)
def test_names_of_channels(locator: str, bank: str, channel: str | None) -> None:
    assert channel_of(locator, bank) == channel


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("PROC 1 DIMM 9", "PROC 2 DIMM 9", True),
        ("PROC 1 DIMM 9", "PROC 2 DIMM 8", False),
        ("P1-DIMMA1", "P2-DIMMA1", True),
        ("DIMM_P0_A0", "DIMM_P1_A0", True),
        ("DIMM_P0_A0", "DIMM_P1_B0", False),
        ("CPU0_C3D0", "CPU1_C3D0", True),
        ("DIMM031", "DIMM131", True),
        ("A9", "B9", True),
    ],
)
def test_the_same_place_on_another_processor(one: str, other: str, alike: bool) -> None:
    first, second = place_on_processor(one), place_on_processor(other)
    assert first
    assert second
    assert first[0] != second[0]
    assert (first[1] == second[1]) == alike


@pytest.mark.parametrize("name", ["DIMM 1", "DIMM_A1", "DIMM_P1", "ChannelA-DIMM0", ""])
def test_a_name_without_a_processor(name: str) -> None:
    assert place_on_processor(name) is None


@pytest.mark.parametrize(
    ("names", "fitted", "missing"),
    [
        # HPE: twelve for each processor, fitted from the outermost inwards.
        ([f"PROC {p} DIMM {n}" for p in (1, 2) for n in range(1, 13)], (1, 4, 9, 12), 9),
        ([f"{p}{n}" for p in "AB" for n in range(1, 13)], (1, 2, 3, 4), 3),
        ([f"DIMM_P{p}_{c}0" for p in (0, 1) for c in "ABCDEFGH"], "ACEG", "G"),
    ],
)
def test_the_one_that_is_missing_is_named(
    facts_of: FactsOf, names: list[str], fitted: Sequence[Any], missing: object
) -> None:
    half = len(names) // 2
    records = []
    lost = ""
    for place, name in enumerate(names):
        letter = name[-2] if "_" in name else int(name.split()[-1].lstrip("AB"))
        if place >= half and letter == missing:
            lost = name
        empty = letter not in fitted or name == lost
        records.append(device(name, "Not Specified", **(EMPTY if empty else {})))
    (found,) = judged(facts_of, {"dimms_min": 2 * len(fitted)}, records)
    assert (found["status"], found["part"]["slot"]) == ("fail", lost)


def test_controllers_of_one_processor_are_not_merged(facts_of: FactsOf) -> None:
    def slots(*second: str) -> list[str]:
        return [
            device("P1-DIMMA1", "P0_Node0_Channel0_Dimm0"),
            device("P1-DIMMB1", "P0_Node0_Channel1_Dimm0"),
            device("P1-DIMMC1", "P0_Node1_Channel0_Dimm0"),
            *second,
        ]

    even = slots(device("P1-DIMMD1", "P0_Node1_Channel1_Dimm0"))
    odd = slots(device("P1-DIMMD1", "P0_Node1_Channel1_Dimm0", size="16 GB"))
    assert verdict_of(judged(facts_of, {"balanced": True}, even)) == "pass"
    (found,) = judged(facts_of, {"balanced": True}, odd)
    assert (found["status"], found["part"]["slot"]) == (
        "warn",
        "P1-DIMMD1 (P0_Node1_Channel1_Dimm0)",
    )
