"""What disks say of themselves, from smartctl's own document to the verdict."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hardware_machines import FactsOf
from host_machines import smart_ata, smart_nvme, smart_scsi

from ansible_collections.gpulab.core.plugins.module_utils.hardware.smart import parse_smart
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify


def attribute(number: int, name: str, value: int, raw: int = 0, failed: str = "") -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "value": value,
        "worst": value,
        "thresh": 10,
        "when_failed": failed,
        "raw": {"value": raw, "string": str(raw)},
    }


def ata(*attributes: dict[str, Any], **sections: Any) -> ToolResult:
    """A SATA disk with these attributes besides its counts of sectors, and these sections."""
    document = json.loads(smart_ata().stdout)
    document["ata_smart_attributes"]["table"] += attributes
    return ToolResult(0, json.dumps({**document, **sections}))


def self_tests(*results: tuple[str, int, str, bool | None]) -> dict[str, Any]:
    """A SATA disk's log of self-tests, the newest first."""
    table = []
    for kind, value, words, passed in results:
        status: dict[str, Any] = {"value": value, "string": words}
        if passed is not None:
            status["passed"] = passed
        table.append({"type": {"value": 1, "string": kind}, "status": status})
    return {"ata_smart_self_test_log": {"standard": {"revision": 1, "table": table}}}


FINE, READ = (0, "Completed without error", True), (0x79, "Completed: read failure", False)
ABORTED = (0x19, "Aborted by host", None)
SHORT, LONG = "Short offline", "Extended offline"


def judged(facts_of: FactsOf, answer: ToolResult, name: str = "sda") -> dict[str, Any]:
    facts = copy.deepcopy(facts_of("server"))
    facts["smart"] = [
        {**entry, **parse_smart(answer)} if entry["name"] == name else entry
        for entry in facts["smart"]
    ]
    found = verify(facts, {"storage": {"smart": True}})
    return next(one for one in found if one["part"]["name"] == name)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        # Intel, Samsung, Kingston, Micron and Crucial, Silicon Motion, SanDisk, Transcend ...
        (attribute(233, "Media_Wearout_Indicator", 12), "warn"),
        (attribute(230, "Media_Wearout_Indicator", 12), "warn"),
        (attribute(233, "Media_Wearout_Indicator", 99), "pass"),
        (attribute(177, "Wear_Leveling_Count", 9, 3200), "warn"),
        (attribute(177, "Wear_Leveling_Count", 99, 12), "pass"),
        (attribute(173, "Wear_Leveling_Count", 200, 12), "pass"),
        (attribute(231, "SSD_Life_Left", 15, 15), "warn"),
        (attribute(231, "SSD_Life_Left", 95, 95), "pass"),
        (attribute(202, "Percent_Lifetime_Remain", 10, 90), "warn"),
        # Its raw value is what is used: a new disk.
        (attribute(202, "Percent_Lifetime_Remain", 98, 2), "pass"),
        (attribute(202, "Percent_Lifetime_Used", 15, 85), "warn"),
        (attribute(202, "Perc_Rated_Life_Used", 100, 101), "fail"),
        (attribute(202, "Percent_Lifetime_Remain", 0, 100), "fail"),
        (attribute(169, "Remaining_Lifetime_Perc", 11, 11), "warn"),
        (attribute(245, "DriveLife_Remaining%", 19, 19), "warn"),
        (attribute(245, "Percent_Life_Remaining", 20, 20), "warn"),
        (attribute(245, "Percent_Life_Remaining", 21, 21), "pass"),
        # The same numbers on disks on which they are something else.
        (attribute(202, "Data_Address_Mark_Errs", 12, 5), "pass"),
        (attribute(202, "Data_Address_Mark_Errs", 1, 900), "pass"),
        (attribute(233, "Lifetime_Nand_Writes", 12, 99), "pass"),
        (attribute(231, "Temperature_Celsius", 12, 40), "pass"),
        (attribute(226, "Workld_Media_Wear_Indic", 1, 65535), "pass"),
        (attribute(177, "Wear_Range_Delta", 1, 90), "pass"),
        (attribute(175, "Capacitor_Life", 1), "pass"),
        # Sectors, by name too.
        (attribute(5, "Retired_Block_Count", 100, 4), "warn"),
        (attribute(170, "Grown_Bad_Block_Count", 100, 4), "warn"),
        (attribute(196, "Reallocated_Event_Count", 100, 4), "pass"),
        (attribute(197, "Pending_Sector_Count", 100, 4), "fail"),
        (attribute(160, "Uncorrectable_Error_Cnt", 100, 4), "fail"),
        (attribute(198, "Host_Reads_GiB", 100, 4), "pass"),
        # Below the maker's threshold: now, or once on a hot day.
        (attribute(170, "Available_Reservd_Space", 5, 0, "now"), "warn"),
        (attribute(190, "Airflow_Temperature_Cel", 40, 60, "past"), "pass"),
    ],
)
def test_attributes_are_known_by_their_names(
    facts_of: FactsOf, row: dict[str, Any], status: str
) -> None:
    assert judged(facts_of, ata(row))["status"] == status


@pytest.mark.parametrize(
    ("log", "status"),
    [
        (self_tests(), "pass"),
        (self_tests((SHORT, *FINE)), "pass"),
        (self_tests((SHORT, *READ)), "fail"),
        (self_tests((LONG, *READ), (SHORT, *FINE)), "fail"),
        # Aborted says nothing; what was before it still holds.
        (self_tests((SHORT, *ABORTED)), "pass"),
        (self_tests((SHORT, *ABORTED), (SHORT, *READ)), "fail"),
        (self_tests((SHORT, 0xF5, "Self-test routine in progress", None), (LONG, *READ)), "fail"),
        # A short test does not look where the long one failed; the other way round it does.
        (self_tests((SHORT, *FINE), (LONG, *READ)), "fail"),
        (self_tests((LONG, *FINE), (SHORT, *READ)), "pass"),
        (self_tests((SHORT, *FINE), (SHORT, *READ)), "pass"),
        (self_tests((SHORT, 0x30, "Fatal or unknown error", None)), "fail"),
        (self_tests((SHORT, 0x50, "Completed: electrical failure", False)), "fail"),
    ],
)
def test_the_last_self_test_of_a_sata_disk(
    facts_of: FactsOf, log: dict[str, Any], status: str
) -> None:
    found = judged(facts_of, ata(**log))
    assert found["status"] == status
    assert (status == "fail") == ("last self-test failed" in found["evidence"])


@pytest.mark.parametrize(
    ("result", "status"),
    [(0, "pass"), (1, "pass"), (2, "pass"), (5, "fail"), (6, "fail"), (7, "fail"), (8, "pass")],
)
def test_the_last_self_test_of_an_nvme_disk(facts_of: FactsOf, result: int, status: str) -> None:
    document = json.loads(smart_nvme().stdout)
    document["nvme_self_test_log"] = {
        "current_self_test_operation": {"value": 0, "string": "No self-test in progress"},
        "table": [
            {
                "self_test_code": {"value": 2, "string": "Extended"},
                "self_test_result": {"value": result, "string": "Completed: failed segments"},
                "power_on_hours": 120,
            }
        ],
    }
    answer = ToolResult(0, json.dumps(document))
    assert judged(facts_of, answer, "nvme0n1")["status"] == status


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ((0,), "pass"),
        ((1, 2), "pass"),
        ((3,), "fail"),
        ((4,), "fail"),
        ((7, 0), "fail"),
        ((15, 5), "fail"),
        ((0, 7), "pass"),
    ],
)
def test_the_last_self_test_of_a_sas_disk(
    facts_of: FactsOf, results: tuple[int, ...], status: str
) -> None:
    document = json.loads(smart_scsi().stdout)
    for place, result in enumerate(results):
        document[f"scsi_self_test_{place}"] = {
            "code": {"value": 2, "string": "Background long"},
            "result": {"value": result, "string": "Failed in first segment"},
        }
    assert judged(facts_of, ToolResult(0, json.dumps(document)))["status"] == status


@pytest.mark.parametrize(("count", "status"), [(0, "pass"), (3, "fail")])
def test_pending_defects_of_a_sas_disk(facts_of: FactsOf, count: int, status: str) -> None:
    document = json.loads(smart_scsi(version=(7, 4)).stdout)
    document["scsi_pending_defects"] = {"count": count}
    assert judged(facts_of, ToolResult(0, json.dumps(document)))["status"] == status
