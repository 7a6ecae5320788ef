"""The catalogue: every chip is one, every number has a source, and names and ids agree."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    ARCHITECTURES,
    BRANCHES,
    CAPABILITIES,
    DEBIAN_BRANCHES,
    DEFAULT_BRANCH,
    FIRST_BRANCH,
    FIRST_OPEN_ONLY_BRANCH,
    SOURCES,
    TOOLKITS,
    branch_flavours,
    branch_number,
    branch_runs,
    compiles_for,
    version_key,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.chips import (
    CHIPS,
    GRACE_HOPPER,
    HGX_BLACKWELL,
    RACK_BLACKWELL,
    architecture_of,
    identify,
    is_grace_hopper,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_names import NVIDIA_NAMES


def test_every_number_has_a_source() -> None:
    entries = [*ARCHITECTURES.values(), *BRANCHES.values(), *TOOLKITS.values()]

    assert all(entry.source for entry in entries)
    assert {key for entry in entries for key in entry.source} <= set(SOURCES)


def test_every_named_gpu_is_a_known_chip_by_its_id_too() -> None:
    by_name = {device: identify(device) for device in NVIDIA_NAMES}

    assert None not in by_name.values()
    # An id in nobody's range, with a name that no chip has, would hide behind the table of names.
    assert by_name == {device: identify(device, "?") for device in NVIDIA_NAMES}


def test_ranges_do_not_overlap() -> None:
    ranges = sorted(pair for chip in CHIPS for pair in chip.ranges)

    assert all(low <= high for low, high in ranges)
    # GK210 sits alone amid GK110's block, and stands before it.
    ranges.remove((0x102D, 0x102D))
    assert all(one[1] < other[0] for one, other in itertools.pairwise(ranges))


def test_chips_branches_and_toolkits_refer_to_what_there_is() -> None:
    assert {chip.architecture for chip in CHIPS} == set(ARCHITECTURES)
    assert {chip.capability for chip in CHIPS} - {""} == set(CAPABILITIES)
    assert set(FIRST_BRANCH) <= set(CAPABILITIES)
    assert {branch.cuda_max for branch in BRANCHES.values()} <= set(TOOLKITS)
    assert set(DEBIAN_BRANCHES.values()) | {DEFAULT_BRANCH} <= set(BRANCHES)
    for name, branch in BRANCHES.items():
        assert branch_runs(name, branch.cuda_max)
        assert branch_number(name) >= branch_number(TOOLKITS[branch.cuda_max].driver[:3])


def test_tables_are_in_order() -> None:
    assert list(TOOLKITS) == sorted(TOOLKITS, key=version_key)
    assert list(BRANCHES) == sorted(BRANCHES)


@pytest.mark.parametrize(
    ("device", "architecture"),
    [
        ("0x1db4", "volta"),
        ("0x1b06", "pascal"),
        ("0x102d", "kepler"),
        ("0x2187", "turing"),
        ("0x20b5", "ampere"),
        ("0x2484", "ampere"),
        ("0x2782", "ada"),
        ("0x2330", "hopper"),
        ("0x2901", "blackwell"),
        ("0x2f04", "blackwell"),
        ("0x3340", "blackwell"),
        ("0x4000", None),
        ("rubbish", None),
        (None, None),
    ],
)
def test_an_id_tells_the_architecture(device: str | None, architecture: str | None) -> None:
    assert architecture_of(device) == architecture


def test_a_name_wins_over_an_id_that_is_not_known() -> None:
    assert architecture_of("0x4000", "GB110 [B300]") == "blackwell"
    assert architecture_of("0x4000", "GR100 [R100]") is None


@pytest.mark.parametrize(
    ("cuda", "capability", "compiles"),
    [
        ("12.9", "7.0", True),
        ("13.0", "7.0", False),
        ("12.6", "10.0", False),
        ("12.8", "10.0", True),
        ("12.8", "10.3", False),
        ("13.4", "7.5", True),
        ("11.8", "3.7", True),
        ("12.0", "3.7", False),
    ],
)
def test_a_toolkit_compiles_for_what_it_should(cuda: str, capability: str, compiles: bool) -> None:
    assert compiles_for(cuda, capability) is compiles


def test_branches_and_toolkits_fit_by_major_version() -> None:
    assert branch_runs("535", "12.9")
    assert not branch_runs("570", "13.0")
    assert branch_runs("580", "13.3")
    assert not branch_runs("580", "99.0")
    assert branch_flavours("610") == ("open", "proprietary")
    assert branch_flavours(str(FIRST_OPEN_ONLY_BRANCH)) == ("open",)


def test_special_boards_are_of_the_architecture_that_they_are_special_in() -> None:
    assert is_grace_hopper("0x2342")
    assert not is_grace_hopper("0x2330")
    for low, high in GRACE_HOPPER:
        assert {architecture_of(hex(low)), architecture_of(hex(high))} == {"hopper"}
    boards = HGX_BLACKWELL | RACK_BLACKWELL
    assert {architecture_of(f"0x{number:04x}") for number in boards} == {"blackwell"}
    assert not HGX_BLACKWELL & RACK_BLACKWELL
