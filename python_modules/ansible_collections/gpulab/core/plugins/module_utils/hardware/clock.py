"""Whether the clock follows a time source, and how far it is off."""

from __future__ import annotations

import math
import time
from typing import Any

from .sysfs import ProbeError
from .tools import RunTool

_CHRONYC = ("chronyc", "-n", "-c", "tracking")
_TIMEDATECTL = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
# chronyc(1), "tracking", as comma-separated values.
_FIELDS = 14
_REFERENCE_ID, _REFERENCE, _STRATUM, _UPDATED, _OFFSET, _DELAY, _DISPERSION, _LEAP = (
    *(0, 1, 2, 3),
    *(4, 10, 11, 13),
)
# 127.127.1.1: chrony leads by its own clock (directive "local") and follows nobody.
_OWN_CLOCK = "7F7F0101"
_LEAP_STATES = ("Normal", "Insert second", "Delete second", "Not synchronised")


def read_clock(run: RunTool) -> dict[str, Any]:
    """Return ``synchronised``, ``offset_s`` (magnitude), ``reference``, ``stratum``, ``source``.

    ``error_s`` is the most that the clock can be off, ``update_age_s`` how long ago chrony heard
    from its source. A source that fell silent shows in these alone: chrony goes on to call itself
    synchronised, and its offset stays what it was.

    chrony is asked first. systemd tells only whether the clock is synchronised, so the numbers are
    then null.

    Raises:
        ProbeError: Neither can be asked.
    """
    chrony = run(_CHRONYC)
    if chrony.rc == 0:
        return parse_tracking(chrony.stdout, time.time())
    systemd = run(_TIMEDATECTL)
    if systemd.rc == 0:
        return parse_timedatectl(systemd.stdout)
    raise ProbeError(f"chronyc: {chrony.complaint}; timedatectl: {systemd.complaint}")


def parse_tracking(text: str, now_s: float) -> dict[str, Any]:
    """Return the clock facts in the output of ``chronyc -c tracking``.

    Args:
        text: The output.
        now_s: The time when it was asked, seconds since 1970.

    Raises:
        ProbeError: The text is no such output.
    """
    fields = text.strip().split(",")
    if len(fields) != _FIELDS or fields[_LEAP] not in _LEAP_STATES:
        raise ProbeError(f"chronyc: not a tracking report: {text.strip()[:80]!r}")
    try:
        offset, stratum = abs(float(fields[_OFFSET])), int(fields[_STRATUM])
        # chronyc(1), "Root dispersion": the bound of the clock's error.
        error = offset + float(fields[_DISPERSION]) + float(fields[_DELAY]) / 2
        updated = float(fields[_UPDATED])
    except ValueError as error:
        raise ProbeError(f"chronyc: {error}") from error
    if not all(map(math.isfinite, (offset, error, updated))):
        raise ProbeError(f"chronyc: the offset is {fields[_OFFSET]}")
    own_clock = fields[_REFERENCE_ID] == _OWN_CLOCK
    return {
        "source": "chrony",
        "synchronised": fields[_LEAP] != "Not synchronised" and not own_clock,
        "offset_s": offset,
        "error_s": error,
        # Before the first update its time is 0.
        "update_age_s": max(0.0, round(now_s - updated, 3)) if updated else None,
        "stratum": stratum,
        "reference": "its own clock" if own_clock else fields[_REFERENCE] or None,
    }


def parse_timedatectl(text: str) -> dict[str, Any]:
    """Return the clock facts in the value of timedatectl's property NTPSynchronized.

    Raises:
        ProbeError: The text is neither yes nor no.
    """
    answer = text.strip()
    if answer not in ("yes", "no"):
        raise ProbeError(f"timedatectl: NTPSynchronized is {answer[:80]!r}")
    return {
        "source": "timedatectl",
        "synchronised": answer == "yes",
        "offset_s": None,
        "error_s": None,
        "update_age_s": None,
        "stratum": None,
        "reference": None,
    }
