"""Check of the clock."""

from __future__ import annotations

from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part

# Proposals, to be calibrated: logs of two nodes can no longer be put in order beyond the first;
# Kerberos-like tickets, certificates of short life and job accounting suffer beyond the second.
OFFSET_WARN_S = 0.1
OFFSET_FAIL_S = 1.0
# chrony asks every 1024 s at most by default (maxpoll 10), and remembers eight answers: after eight
# without one its source counts as unreachable.
SILENT_WARN_S = 8 * 1024.0


def _sync(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    clock = facts["clock"]
    synchronised, offset = clock.get("synchronised"), number(clock.get("offset_s"))
    source = clock.get("source")
    severity = check.severity
    # A declared `false` asks for nothing: the node may run free, and a finding says so.
    if not wanted["synchronised"]:
        status, evidence = "pass", "the spec lets this clock run free"
    elif not isinstance(synchronised, bool):
        status, evidence = "unknown", f"{source} does not tell whether the clock is synchronised"
    elif not synchronised:
        status, evidence = (
            "fail",
            f"{source} says that the clock follows {clock.get('reference') or 'nothing'}",
        )
    elif offset is None:
        status, severity = "unknown", "warn"
        evidence = f"synchronised, but {source} does not tell the offset"
    else:
        error, age = number(clock.get("error_s")), number(clock.get("update_age_s"))
        most = max(offset, error or 0)
        status = "fail" if most > OFFSET_FAIL_S else "warn" if most > OFFSET_WARN_S else "pass"
        evidence = f"offset {offset:.6f} s from {clock.get('reference')}, by {source}"
        if error is not None:
            evidence += f"; off by {error:.6f} s at most"
        if age is not None and age > SILENT_WARN_S:
            status = "warn" if status == "pass" else status
            evidence += f"; nothing heard from it for {age / 3600:.1f} hours"
    actions = {
        "pass": "",
        "unknown": check.action,
        "warn": "See in `chronyc tracking` whether the offset shrinks; if not, check the path to "
        "the time source.",
        "fail": "Check that chronyd runs and reaches its source (`chronyc sources`: one line must "
        "start with ^*); UDP port 123 may be blocked. A head that leads by its own clock "
        "on purpose declares `clock: {synchronised: false}` in its spec.",
    }
    return [
        check.finding(
            status,
            part("clock", "system clock"),
            None if status == "unknown" else offset,
            OFFSET_WARN_S if wanted["synchronised"] else None,
            unit="s",
            evidence=evidence,
            action=actions[status],
            severity=severity,
        )
    ]


CLOCK_CHECKS = (
    HardwareCheck(
        id="clock.sync",
        title="Clock synchronisation",
        section="clock",
        requires=("synchronised",),
        probes=("clock",),
        part="clock",
        source="chronyc -c tracking; timedatectl",
        threshold="synchronised; an offset, or a bound of the error, above 100 ms warns, above 1 s "
        "fails; a source that has been silent for 8192 s warns",
        threshold_source="our proposal, to be calibrated: logs and job accounting of several nodes "
        "must be comparable; 8192 s are eight polls of chrony's longest interval",
        severity="fail",
        action="Install and start chrony on the node, then run `chronyc tracking`.",
        judge=_sync,
    ),
)
