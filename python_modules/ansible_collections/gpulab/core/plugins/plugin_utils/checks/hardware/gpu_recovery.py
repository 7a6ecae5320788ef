"""Check of what the driver itself says that a GPU needs."""

from __future__ import annotations

from ..finding import Facts, Finding, HardwareCheck, Requirements
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, is_unsupported, named, unread, why_null

_NOTHING = "None"
# What is said in the place of readings of a GPU that has to be reset before it tells anything: by
# NVML and nvidia-smi, and by NVML's Python binding (nvidia-ml-py 13.615).
_NEEDS_RESET = ("requires reset", "requires restart")
# Words of an element that nobody knows yet, which say that something is wrong.
_ALARMS = ("yes", "true", "pending", "required", "failed", "failure", "unhealthy", "degraded")


def _recovery(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        action, reasons = nvml.get("recovery_action"), unread(nvml)
        resets = [
            field
            for field, words in reasons.items()
            if any(one in words.lower() for one in _NEEDS_RESET)
        ]
        alarms = _alarms(nvml)
        failed = [field for field in reasons if field.startswith("recovery_action")]
        if action not in (None, _NOTHING):
            status, evidence = "fail", f"the driver asks for: {action}"
        elif resets:
            status = "fail"
            evidence = f"the driver says {reasons[resets[0]]!r} of {', '.join(sorted(resets))}"
        elif alarms:
            status, evidence = "warn", f"new words of the driver: {', '.join(alarms)}"
        elif failed:
            status, evidence = "unknown", f"recovery action: {why_null(nvml, failed[0])}"
        elif action is None:
            if is_unsupported(nvml, "recovery_action") or "recovery_action" not in nvml:
                return None
            status, evidence = "unknown", "the driver does not tell its recovery action"
        else:
            status, evidence = "pass", "the driver asks for no recovery"
        return check.finding(
            status,
            which,
            None if status == "unknown" else action or ("GPU requires reset" if resets else None),
            _NOTHING,
            evidence=evidence,
            action={
                "fail": f"Drain the node and do for {named(which)} what the driver asks for "
                f"(`nvidia-smi -r -i {which['bdf']}`, or reboot the node); if it asks again, "
                "replace it.",
                "warn": f"See in nvidia-smi's manual what that means for {named(which)}, and tell "
                "gpulab's maintainers.",
            }.get(status, check.action),
            severity="warn" if status == "warn" else "",
        )

    return each_listed(check, facts, judge, _NOTHING)


def _alarms(nvml: Gpu) -> list[str]:
    """Return the new elements whose word says that something is wrong, as ``path=word``."""
    return [
        f"{path}={words}"
        for path, words in sorted((nvml.get("unlisted") or {}).items())
        if words.lower() in _ALARMS
    ]


GPU_RECOVERY_CHECKS = (
    HardwareCheck(
        id="gpu.recovery",
        title="Recovery that the driver asks for",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source="nvidia-smi -q -x, or NVML: GPU recovery action",
        threshold="the driver asks for no reset, drain or reboot (where it can say so: since "
        "driver 535), and no reading says that the GPU requires a reset; a word that is new to "
        "gpulab and says that something is wrong warns",
        threshold_source="nvml.h of driver 615, nvmlDeviceGpuRecoveryAction_t",
        severity="fail",
        action="Run `nvidia-smi -q` on the node and look at GPU Recovery Action.",
        judge=_recovery,
    ),
)
