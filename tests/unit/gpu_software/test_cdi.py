"""A CDI specification against nvidia-smi -L: both in the tools' own words."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.cdi import (
    Device,
    compare,
    parse_list,
    parse_mig_modes,
)

ONE, TWO = "GPU-5f3f0e2c-1111-2222-3333-444455556666", "GPU-9a9a0e2c-1111-2222-3333-444455556666"
CUT_A, CUT_B = (
    "MIG-11111111-aaaa-5bbb-8ccc-000000000001",
    "MIG-22222222-aaaa-5bbb-8ccc-000000000002",
)
WHOLE = f"""\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: {ONE})
GPU 1: NVIDIA A100-SXM4-80GB (UUID: {TWO})
"""
CUT = f"""\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: {ONE})
  MIG 3g.40gb     Device  0: (UUID: {CUT_A})
  MIG 3g.40gb     Device  1: (UUID: {CUT_B})
GPU 1: NVIDIA A100-SXM4-80GB (UUID: {TWO})
"""


def listed(*names: str) -> str:
    """The answer of nvidia-ctk cdi list."""
    head = f'time="2026-11-30" level=info msg="Found {len(names)} CDI devices"\n'
    return head + "".join(f"nvidia.com/gpu={name}\n" for name in (*names, "all"))


def test_what_containers_can_get_is_read() -> None:
    assert parse_list(WHOLE) == {ONE: [Device("0", ONE)], TWO: [Device("1", TWO)]}
    assert parse_list(CUT) == {
        ONE: [Device("0:0", CUT_A), Device("0:1", CUT_B)],
        TWO: [Device("1", TWO)],
    }
    assert parse_list("No devices were found\n") == {}
    assert parse_mig_modes(f"{ONE}, Enabled\n{TWO}, Disabled\n") == {ONE}
    assert parse_mig_modes(f"{ONE}, [N/A]\n") == set()


@pytest.mark.parametrize(
    ("smi", "names", "said"),
    [
        (WHOLE, ("0", "1", ONE, TWO), ""),
        (WHOLE, (ONE, TWO), ""),
        # Of a toolkit that names by index alone.
        (WHOLE, ("0", "1"), ""),
        (WHOLE, ("0", ONE), f"lacks {TWO}"),
        (WHOLE, ("0",), "lacks 1"),
        # Another card by now: the number is the same.
        (WHOLE, ("0", "1", ONE, "GPU-old"), f"lacks {TWO} and has GPU-old, which nvidia-smi -L"),
        (CUT, ("0:0", "0:1", "1", CUT_A, CUT_B, TWO), ""),
        (CUT, ("0:0", "0:1", "1"), ""),
        # As it was before MIG was laid out.
        (CUT, ("0", "1", ONE, TWO), f"lacks {CUT_A}, {CUT_B} and has {ONE}"),
        # As many as there are, of a former layout.
        (CUT, ("0:0", "0:1", "1", CUT_A, "MIG-old", TWO), f"lacks {CUT_B} and has MIG-old"),
        (CUT, ("0:0", "1"), "lacks 0:1"),
        (WHOLE, ("0:0", "0:1", "1", CUT_A, CUT_B, TWO), f"lacks {ONE} and has {CUT_A}, {CUT_B}"),
        (WHOLE, (), "lacks 0, 1"),
    ],
)
def test_a_specification_must_have_what_the_driver_shows(
    smi: str, names: tuple[str, ...], said: str
) -> None:
    found = compare(listed(*names), parse_list(smi))
    assert found.startswith(said)
    assert bool(found) is bool(said)
