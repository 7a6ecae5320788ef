"""Time zones that every supported release has, and those that only some have."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING

import pytest

from ansible_collections.gpulab.core.plugins.filter.time_zone_problem import time_zone_problem
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration import time_zones
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.time_zones import LEGACY

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("US/Eastern", "America/New_York"),
        ("US/Pacific", "America/Los_Angeles"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Asia/Saigon", "Asia/Ho_Chi_Minh"),
        ("Asia/Katmandu", "Asia/Kathmandu"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Canada/Eastern", "America/Toronto"),
        ("Japan", "Asia/Tokyo"),
        ("GB", "Europe/London"),
        ("PRC", "Asia/Shanghai"),
        ("Zulu", "Etc/UTC"),
    ],
)
def test_an_old_name_is_refused_with_the_new_one(sound: Lab, given: str, right: str) -> None:
    sound.lab["lab_timezone"] = given

    (error,) = sound.check()

    assert error["key"] == "lab_timezone"
    assert "tzdata-legacy" in error["wrong"]
    assert error["right"] == right
    assert right in time_zone_problem(given)


@pytest.mark.parametrize("given", ["CET", "EST", "PST8PDT", "localtime", "Factory", "posixrules"])
def test_what_is_no_place_is_refused(sound: Lab, given: str) -> None:
    sound.lab["lab_timezone"] = given

    (error,) = sound.check()

    assert error["key"] == "lab_timezone"
    assert time_zone_problem(given)


@pytest.mark.parametrize(
    "given",
    [
        *("Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata", "Etc/UTC", "Etc/GMT+5", "UTC", "GMT"),
        *("America/Argentina/Ushuaia", "America/Indiana/Knox", "Europe/Belfast", "Africa/Asmara"),
    ],
)
def test_a_name_that_every_release_has_is_fine(sound: Lab, given: str) -> None:
    sound.lab["lab_timezone"] = given

    assert sound.check() == []
    assert time_zone_problem(given) == ""


def test_every_new_name_is_a_zone_and_none_is_old() -> None:
    assert set(LEGACY.values()) <= zoneinfo.available_timezones()
    assert LEGACY.keys() & set(LEGACY.values()) == set()
    # No old name is suggested for a misspelt one.
    assert "did you mean 'US/" not in time_zone_problem("US/Easter")


def test_without_a_database_it_is_unknown(sound: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_zones, "_time_zones", frozenset)

    (error,) = sound.check()

    assert "no time-zone database" in error["wrong"]
