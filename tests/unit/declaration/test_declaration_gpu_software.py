"""Versions of GPU software that contradict the catalogue, or each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab


@pytest.mark.parametrize(
    ("driver", "cuda", "key", "wrong", "right"),
    [
        (
            {"branch": "585"},
            {"versions": ["13.0"]},
            "nvidia_driver.branch",
            "there is no driver branch '585'",
            "Known: 535, 550, 570, 580, 590, 595, 610, 615, 620",
        ),
        (
            {"branch": "585", "version": "580.95.05"},
            {},
            "nvidia_driver.branch",
            "there is no driver branch '585'",
            "did you mean",
        ),
        (
            {"version": "999.1"},
            {},
            "nvidia_driver.version",
            "'999.1' is of no driver branch that is known",
            "known branches: 535",
        ),
        (
            {"branch": "620", "flavour": "proprietary"},
            {},
            "nvidia_driver.flavour",
            "branch '620' has no proprietary modules",
            "a branch before 620",
        ),
        (
            {"branch": "570"},
            {"versions": ["12.9", "13.0"]},
            "cuda.versions[1]",
            "CUDA 13.0 does not run on driver branch '570'",
            "branch 580 or later, or CUDA 12.8",
        ),
        (
            {"version": "535.261.03", "source": "distribution"},
            {"versions": ["13.0"]},
            "cuda.versions[0]",
            "CUDA 13.0 does not run on driver branch '535'",
            "branch 580 or later",
        ),
        (
            {},
            {"default": "13.0"},
            "cuda.default",
            "'13.0' is not among the versions",
            "add it to lab_software.cuda.versions (empty)",
        ),
    ],
)
def test_a_contradiction_is_told_with_its_fix(
    sound: Lab, driver: dict[str, Any], cuda: dict[str, Any], key: str, wrong: str, right: str
) -> None:
    sound.lab["lab_software"] = {"nvidia_driver": driver, "cuda": cuda}

    (error,) = sound.check()

    assert (error["key"], error["wrong"]) == (f"lab_software.{key}", wrong)
    assert right in error["right"]


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ({}, {}),
        ({}, {"versions": ["12.9", "13.0", "13.2"]}),
        ({"branch": "535"}, {"versions": ["12.9"], "default": "12.9"}),
        ({"version": "620.10.01"}, {"versions": ["13.4"]}),
        # Which branch Debian ships is known on the node only.
        ({"source": "distribution"}, {"versions": ["11.8"]}),
    ],
)
def test_what_fits_is_sound(sound: Lab, driver: dict[str, Any], cuda: dict[str, Any]) -> None:
    sound.lab["lab_software"] = {"nvidia_driver": driver, "cuda": cuda}

    assert sound.check() == []


@pytest.mark.parametrize("nonsense", [None, 3, "x", [], {"versions": 3}, {"versions": [None, {}]}])
def test_nonsense_is_told_and_does_not_crash(sound: Lab, nonsense: object) -> None:
    sound.lab["lab_software"] = {"nvidia_driver": nonsense, "cuda": nonsense}

    assert all(error["wrong"] and error["right"] for error in sound.check())
    assert sound.check() != [] or nonsense == []
