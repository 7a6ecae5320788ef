"""Lines of the kernel's log, in every form that the drivers wrote them in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.hardware.xid import (
    CLASSES,
    parse_xids,
    worst,
    xid_class,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.xid_catalogue import (
    UNCLASSED,
    WATCHED,
    XID_CLASSES,
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


# NVIDIA's catalogue of 1 December 2026, "Immediate Action": every code of it.
_BUCKETS = {
    "RESTART_BM": {79},
    "RESTART_VM": {151},
    "RESET_GPU": {
        *(46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158),
    },
    "RESTART_APP": {
        *(8, 11, 13, 25, 31, 32, 39, 40, 41, 60, 68, 69, 70, 71, 72, 75, 76, 77, 80),
        *(82, 83, 84, 85, 86, 88, 89, 94, *range(96, 106), *range(126, 136), 139),
    },
    "CHECK_MECHANICALS": {54},
    "IGNORE": {
        *(14, 37, 38, 43, 44, 63, 66, 67, 92, 93, 106, 107, 108, 121, 137, 141),
        *(152, 153, 157, 160, 161),
    },
    "WORKFLOW": {45, 48, 74, *range(144, 151), 154, 159, 78},
    "NONE": set(range(162, 173)),
}
_ASKS = {
    "RESTART_BM": {"reboot"},
    "RESTART_VM": {"reboot"},
    "RESET_GPU": {"reset"},
    "RESTART_APP": {"application"},
    "CHECK_MECHANICALS": {"isolate"},
    # None of them takes a GPU out of service.
    "IGNORE": {"information", "application", "watch", "other"},
}


def test_the_table_is_the_whole_catalogue() -> None:
    tables = (XID_CLASSES, WATCHED, UNCLASSED)
    told = [code for table in tables for code in table]
    assert sorted(told) == [*range(1, 177), 185]
    assert {xid_class(code) for code in told} <= set(CLASSES)
    classed = set().union(*_BUCKETS.values())
    for bucket, asks in _ASKS.items():
        assert {xid_class(code) for code in _BUCKETS[bucket]} <= asks, bucket
    # CONTACT_SUPPORT, most of them unused: look it up.
    assert {xid_class(code) for code in set(range(1, 173)) - classed} == {"other"}


@pytest.mark.parametrize(
    ("asks", "codes"),
    [
        ("reboot", {79}),
        ("reset", {46, 48, 62, 64, 74, 95, 109, 119, 120, 140, 150, 158}),
        ("isolate", {54}),
        ("application", {13, 31, 43, 45, 94}),
        ("information", {63, 92}),
        ("watch", {157}),
    ],
)
def test_the_table(asks: str, codes: set[int]) -> None:
    assert {xid_class(code) for code in codes} == {asks}


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("149, NETIR_LINK_EVT Fatal XC0 i0 Link 3", "reset"),
        ("149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 01 (0x021425c6 0x00000000)", "reset"),
        ("145, RLW_RXPIPE Nonfatal XC0 i0 Link 13 (0x0409a0c2 0x00000008)", "watch"),
        ("144, SAW_MVB Non-fatal XC0 i0 Link 0", "watch"),
        ("146, TLW_CTRL FATAL XC0 i0 Link 2", "reset"),
        ("74, pid=1, name=x, NVLink: fatal error detected on link 2(0x0, 0x10000)", "reset"),
        ("74, NVLink: non-fatal error detected on link 2", "watch"),
        ("74, pid=1, Channel 00000010", "reset"),
        ("147, TREX", "other"),
        ("150, MSE_WATCHDOG", "reset"),
        ("62, pid=1, 0c83 0 0", "reset"),
        ("62, pid=1, nonfatal by somebody's words", "reset"),
        ("140, pid=1, name=x, uncorrectable ECC error detected DRAM:1, SRAM:0", "reset"),
        ("64, pid=1, Dynamic Page Retirement: Fatal error, unable to retire page", "reset"),
        ("94, pid=1, Contained ECC error, not fatal", "application"),
        # Codes that nobody has classed yet.
        ("190, SOME_UNIT Fatal error", "reset"),
        ("190, SOME_UNIT Nonfatal error", "watch"),
        ("190, SOME_UNIT", "other"),
    ],
)
def test_the_code_and_the_drivers_own_word(words: str, asks: str) -> None:
    (found,) = parse_xids(_X + words)
    assert found["class"] == asks


def test_words_that_are_not_understood_override_nothing() -> None:
    garbled = _X + "154, GPU recovery action is now a word of next year"
    assert classes(_X + "79, off", garbled) == "reboot"
    assert classes(_X + "31, MMU Fault", garbled) == "application"


_S = "nvidia-nvswitch3: SXid (PCI:0000:04:00.0): "
_DATA = _S + "22013, Data {0x0000002b, 0x0000002b, 0x00000000}"
_SOFT = _S + "22013, Non-fatal, Link 44 Minion Link DLREQ interrupt"
_HARD = _S + "22013, Fatal, Link 44 Minion Link DLREQ interrupt"
_SEVERITY = _S + "22013, Severity 0 Engine instance 44 Sub-engine instance 00"
_GRAVE = _S + "22013, Severity 1 Engine instance 44 Sub-engine instance 00"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((_DATA, _SOFT, _SEVERITY), [("information", 1)]),
        ((_SOFT, _SEVERITY, _DATA), [("information", 1)]),
        ((_DATA, _SOFT, _SEVERITY) * 3, [("information", 3)]),
        ((_DATA, _HARD, _GRAVE), [("reset", 1)]),
        ((_GRAVE, _HARD, _DATA), [("reset", 1)]),
        # A fatal one after one that was not, or with its word cut off, is not hidden by it.
        ((_SOFT, _SEVERITY, _HARD, _GRAVE), [("information", 1), ("reset", 1)]),
        ((_SOFT, _GRAVE), [("information", 1), ("reset", 1)]),
        ((_GRAVE, _SOFT), [("reset", 1), ("information", 1)]),
        ((_DATA,), [("other", 1)]),
        ((_DATA, _SEVERITY), [("other", 1)]),
        ((_DATA, _GRAVE), [("reset", 1)]),
        # Another code, and another switch.
        ((_DATA, _SOFT.replace("22013", "22011")), [("other", 1), ("information", 1)]),
        ((_DATA, _SOFT.replace(":04:", ":05:")), [("other", 1), ("information", 1)]),
    ],
)
def test_the_lines_of_an_sxid_are_one_event(
    lines: tuple[str, ...], found: list[tuple[str, int]]
) -> None:
    events = parse_xids("\n".join(lines))
    assert [(one["class"], one["count"]) for one in events] == found


@given(st.one_of(st.text(), st.text().map(lambda text: _X + text)))
def test_arbitrary_text_raises_nothing(text: str) -> None:
    found: list[dict[str, Any]] = parse_xids(text)
    worst(found)
