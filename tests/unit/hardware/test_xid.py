"""Lines of the kernel's log, in every form that the drivers wrote them in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.hardware.xid import (
    CLASSES,
    XID_CLASSES,
    parse_xids,
    worst,
)

_X = "NVRM: Xid (PCI:0000:3b:00): "
_ACTION = "154, GPU recovery action changed from 0x0 (None) to "


@pytest.mark.parametrize(
    ("line", "kind", "bdf", "code", "asks"),
    [
        (
            "NVRM: Xid (0000:3b:00): 79, GPU has fallen off the bus.",
            *("xid", "0000:3b:00.0", 79, "reboot"),
        ),
        (
            (
                "[  912.1] NVRM: Xid (PCI:0000:3b:00): 48, pid='<unknown>', name=<unknown>, An "
                "uncorrectable double bit error (DBE) has been detected"
            ),
            *("xid", "0000:3b:00.0", 48, "reset"),
        ),
        (
            "kernel: NVRM: Xid (PCI:0000:3B:00): 31, pid=2413, name=python, Ch 00000008",
            *("xid", "0000:3b:00.0", 31, "application"),
        ),
        (
            "NVRM: Xid (PCI:0000:3b:00 GPU-I:05): 94, pid=7, Contained: SM (0x1).",
            *("xid", "0000:3b:00.0", 94, "application"),
        ),
        ("NVRM: Xid (PCI:0009:01:00): 63", *("xid", "0009:01:00.0", 63, "information")),
        ("NVRM: Xid (PCI:00010000:01:00): 119, Timeout", *("xid", "10000:01:00.0", 119, "reset")),
        ("NVRM: Xid (PCI:0000:3b:00): 137, NVLink", *("xid", "0000:3b:00.0", 137, "other")),
        (
            (
                "nvidia-nvswitch0: SXid (PCI:0000:c3:00.0): 12028, Non-fatal, Link 32 egress "
                "non-posted PRIV error (First)"
            ),
            *("sxid", "0000:c3:00.0", 12028, "information"),
        ),
        (
            "nvidia-nvswitch3: SXid (PCI:0000:c3:00.0): 24007, Fatal, Link 30 sourcetrack timeout",
            *("sxid", "0000:c3:00.0", 24007, "reset"),
        ),
        (
            "nvidia-nvswitch0: SXid (PCI:0000:c3:00.0): 00123, Severity 0 Engine",
            *("sxid", "0000:c3:00.0", 123, "other"),
        ),
    ],
)
def test_lines(line: str, kind: str, bdf: str, code: int, asks: str) -> None:
    (found,) = parse_xids(f"usb 1-1: new device\n{line}\nEXT4-fs: mounted\n")
    assert (found["kind"], found["bdf"], found["code"]) == (kind, bdf, code)
    assert (found["class"], found["count"]) == (asks, 1)


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.65.06",
        "NVRM: Xid (PCI:0000:3b:00): many",
        "NVRM: Xid : 79",
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): garbled, Fatal",
        "NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.",
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert parse_xids(line) == []


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("0x0 (None)", "information"),
        ("0x1 (GPU Reset Required)", "reset"),
        ("0x1 (PF FLR)", "reset"),
        ("0x2 (Node Reboot Required)", "reboot"),
        ("0x2 (OS Reboot)", "reboot"),
        ("0x3 (Drain P2P)", "reset"),
        ("0x4 (Drain and Reset)", "reset"),
        ("a state nobody knows", "other"),
    ],
)
def test_the_driver_says_what_the_gpu_needs(words: str, asks: str) -> None:
    (found,) = parse_xids(_X + _ACTION + words)
    assert found["class"] == asks


def classes(*lines: str) -> str | None:
    return worst(parse_xids("\n".join(lines)))


def test_the_drivers_word_overrides_what_came_before() -> None:
    assert classes(_X + "31, MMU Fault") == "application"
    assert classes(_X + "31, MMU Fault", _X + _ACTION + "0x2 (OS Reboot)") == "reboot"
    assert classes(_X + "79, off", _X + _ACTION + "0x1 (GPU Reset Required)") == "reset"
    recovered = (
        _X + "95, Uncontained",
        _X + "154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)",
    )
    assert classes(*recovered) == "recovered"
    assert classes(*recovered, _X + "48, DBE") == "reset"
    assert classes() is None


def test_a_flood_is_one_event() -> None:
    found = parse_xids("\n".join([_X + "31, a", "NVRM: Xid (PCI:0000:5e:00): 13, b"] * 500))
    assert [(one["bdf"], one["count"]) for one in found] == [
        ("0000:3b:00.0", 500),
        ("0000:5e:00.0", 500),
    ]


@pytest.mark.parametrize(
    ("asks", "codes"),
    [
        ("reboot", {79}),
        ("reset", {48, 64, 95, 109, 119, 120}),
        ("isolate", {54}),
        ("application", {13, 31, 94}),
        ("information", {63, 92}),
    ],
)
def test_the_table(asks: str, codes: set[int]) -> None:
    assert {code for code, kind in XID_CLASSES.items() if kind == asks} == codes
    assert asks in CLASSES


@given(st.one_of(st.text(), st.text().map(lambda text: _X + text)))
def test_arbitrary_text_raises_nothing(text: str) -> None:
    found: list[dict[str, Any]] = parse_xids(text)
    worst(found)
