"""NVIDIA's catalogue of Xids: what each code asks for.

Codes 1 to 172: NVIDIA, "Analyzing Xid Errors with the Xid Catalog", column "Resolution Bucket
(Immediate Action)" (https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html, read on
1 December 2026). The names of 173 to 176 are those of nverror.h in NVIDIA's open kernel modules
595.45 (March 2026), that of 185 is of the release notes of "GPU Operational Events" R620 (November
2026): NVIDIA asks for nothing of them yet, and the class follows the name. To bring the table up to
date, compare it with that page; tests/unit/hardware/test_xid.py holds that no code is left out.
"""

from __future__ import annotations


def _codes(*runs: int | tuple[int, int]) -> tuple[int, ...]:
    """Return the codes of single numbers and of runs, both ends included."""
    found: list[int] = []
    for run in runs:
        first, last = run if isinstance(run, tuple) else (run, run)
        found += range(first, last + 1)
    return tuple(found)


# Class -> its codes. The classes are those of xid.py.
_BY_CLASS: dict[str, tuple[int, ...]] = {
    # RESTART_BM: 79 the GPU has fallen off the bus. RESTART_VM: 151 a key could not be rotated.
    "reboot": (79, 151),
    # RESET_GPU, and WORKFLOW_XID_48 (uncorrectable memory error) and WORKFLOW_NVLINK_ERR (74),
    # whose text says that a reset is needed; 150 has fatal faults only. Of those without a bucket:
    # 167 a fatal time-out of PCIe, 169 a halted micro-controller as 62 is, 171 and 172 which come
    # with 48, 173 a fatal fault of C2C.
    "reset": _codes(
        *(46, 48, 62, 64, 74, 95, 109, 110, 119, 120, 136, 140, 143, 150),
        *((155, 156), 158, 167, 169, (171, 173)),
    ),
    # CHECK_MECHANICALS: auxiliary power is not connected.
    "isolate": (54,),
    # RESTART_APP, and those of IGNORE and WORKFLOW_XID_45 that the catalogue says an application
    # makes or that end one: 37, 43, 44, 45, 66, 67, 141, 152, 153; 174 ends a process.
    "application": _codes(
        *(8, 11, 13, 25, 31, 32, 37, (39, 41), (43, 45), 60, (66, 72), (75, 77), 80, (82, 86)),
        *(88, 89, 94, (96, 105), (126, 135), 139, 141, 152, 153, 174),
    ),
    # IGNORE: 14 an injected error, 63 a row was remapped or a page retired, 92 many corrected
    # errors, 93 a limit that somebody set, 106 and 107 test messages, 121 corrected errors of C2C;
    # 162 power smoothing works again.
    "information": (14, 63, 92, 93, 106, 107, 121, 162),
}
# IGNORE or no bucket, and something to keep an eye on: 38 a watchdog of the firmware, 157 and 161
# no spare is left, 160 a memory channel was retired, 163 to 165 the power smoothing wears out, 176
# corrected errors of PCIe, 185 a spare was taken.
WATCHED = _codes(38, 157, 160, 161, (163, 165), 176, 185)
# CONTACT_SUPPORT, UPDATE_SWFW (78), CHECK_UVM (159), WORKFLOW_NVLINK5_ERR (144 to 149, where the
# driver's word decides), XID_137_FLOW (108, 137: an application, the driver or the hardware),
# XID_154, and the rest of those without a bucket.
UNCLASSED = _codes(
    *((1, 7), 9, 10, 12, (15, 24), (26, 30), (33, 36), 42, 47, (49, 53), (55, 59), 61, 65, 73),
    *(78, 81, 87, 90, 91, 108, (111, 118), (122, 125), 137, 138, 142, (144, 149), 154, 159),
    *(166, 168, 170, 175),
)
# Each code that asks for something of its own.
XID_CLASSES = {code: name for name, codes in _BY_CLASS.items() for code in codes}
# Faults of NVLink come fatal and not: the driver says which (WORKFLOW_NVLINK_ERR and _NVLINK5_ERR).
NVLINK_CODES = (74, *range(144, 151))
