"""The transient units of a change: its dead man's timer, and the service that applies it."""

from __future__ import annotations

from ..process import call

#: What the role ``commit`` installs; it undoes changes without Ansible.
RUNNER = "/usr/local/sbin/gpulab-rollback"
BOOT_UNIT = "gpulab-rollback.service"
_CALL_S = 20.0


class UnitError(RuntimeError):
    """systemd does not do what it was asked; the text says what it said."""


def timer_name(change_id: str) -> str:
    """Name the units that undo a change when its time is up."""
    return f"gpulab-rollback-{change_id}"


def start_timer(change_id: str, timeout_s: int) -> None:
    """Start the timer. It counts the monotonic clock, which nobody sets.

    Raises:
        UnitError: there is no systemd, or it refuses.
    """
    _run(
        timer_name(change_id),
        # Not up to a minute later, which is systemd's way to save wake-ups.
        *(f"--on-active={timeout_s}s", "--timer-property=AccuracySec=100ms"),
        *(RUNNER, "expired", change_id),
    )


def start_apply(change_id: str, lifetime_s: int, after_pid: int) -> None:
    """Start the service that applies a change once a process has ended.

    Raises:
        UnitError: systemd refuses.
    """
    _run(
        f"gpulab-apply-{change_id}",
        f"--property=RuntimeMaxSec={lifetime_s}",
        *(RUNNER, "apply", change_id, str(after_pid)),
    )


def stop_timer(change_id: str) -> None:
    """Stop the timer; one that fires nevertheless finds its change over."""
    call("systemctl", "stop", f"{timer_name(change_id)}.timer", timeout_s=_CALL_S)


def timer_is_active(change_id: str) -> bool:
    """Say whether a change will be undone by itself."""
    status, _ = call(
        *("systemctl", "is-active", "--quiet", f"{timer_name(change_id)}.timer"),
        timeout_s=_CALL_S,
    )
    return status == 0


def boot_unit_is_enabled() -> bool:
    """Say whether a change would be undone at the next boot."""
    status, _ = call("systemctl", "is-enabled", "--quiet", BOOT_UNIT, timeout_s=_CALL_S)
    return status == 0


def _run(unit: str, *rest: str) -> None:
    status, said = call(
        "systemd-run", "--quiet", "--collect", f"--unit={unit}", *rest, timeout_s=_CALL_S
    )
    if status != 0:
        raise UnitError(f"systemd-run {unit}: {said}")
