"""Checks of how the GPUs are connected: PCIe, NVLink, network cards."""

from __future__ import annotations

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, part
from ..gpu_models import nvlinks_of
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, label, named, nvml_of, on_bus, part_of, why_null

_SEATING = "Reseat {part} and its riser, look for a narrower slot or a BIOS setting (bifurcation)."


def _link(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    def judge(gpu: Gpu) -> Finding:
        which, nvml = part_of(gpu, facts), nvml_of(gpu, facts).get("link") or {}
        bus = gpu.get("link") or {}
        width = nvml.get("width") or bus.get("width")
        most = nvml.get("width_max") or bus.get("width_max")
        expected = wanted.get("link_width", most)
        if not width or not expected:
            return check.finding(
                "unknown",
                which,
                None,
                expected or None,
                unit="lanes",
                evidence=f"{label(gpu, facts)}: the width of its PCIe link is not told",
                action=check.action,
            )
        return check.finding(
            "pass" if width >= expected else "warn",
            which,
            width,
            expected,
            unit="lanes",
            evidence=f"{label(gpu, facts)}: x{width} now, board and slot can do x{most or '?'}; an "
            "idle GPU may lower its link",
            action=_SEATING.format(part=named(which))
            + " The benchmark judges it under load (gpu.link_load).",
        )

    return [judge(gpu) for gpu in on_bus(facts)]


def nvlinks_expected(name: str | None, wanted: Requirements) -> int | None:
    """Return how many NVLinks a GPU must have: declared, else by its model; None where open."""
    declared: int | None = wanted.get("nvlinks")
    return nvlinks_of(name) if declared is None else declared


def _nvlink(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        expected, links = nvlinks_expected(nvml["name"], wanted), nvml["nvlinks"]
        if links is None:
            if not expected and "nvlinks" not in nvml["unread"]:
                return None
            return check.finding(
                "unknown",
                which,
                None,
                expected,
                unit="links",
                evidence=f"NVLinks: {why_null(nvml, 'nvlinks')}",
                action=check.action,
            )
        if not links and not expected:
            return None
        active = [link for link in links if link["active"]]
        speeds = {link["mb_per_s"] for link in active}
        down = [str(link["link"]) for link in links if link["active"] is False]
        untold = [str(link["link"]) for link in links if link["active"] is None]
        shown = f"{len(active)} of {len(links)} links are active" + (
            f" (not {', '.join(down)})" if down else ""
        )
        action = (
            f"Reseat {named(which)} or its NVLink bridge, and look at the fabric manager's log; "
            "if a link stays down or slow, replace the GPU, then the baseboard."
        )
        # A link that can't be read may be one of those that are missing, and hides none that is
        # down.
        short = expected is not None and len(active) + len(untold) < expected
        wrong = expected is not None and len(active) != expected and not untold
        if short or wrong or (down and untold and expected):
            status, evidence = "fail", shown
        elif len(speeds - {None}) > 1:
            fastest = max(speed for speed in speeds if speed is not None)
            slow = [
                f"link {link['link']} {link['mb_per_s'] / 1000:g} GB/s"
                for link in active
                if link["mb_per_s"] is not None and link["mb_per_s"] < fastest
            ]
            status = "fail"
            evidence = f"{shown}; slower than {fastest / 1000:g} GB/s: {', '.join(slow)}"
        elif untold:
            status, action = "unknown", check.action
            evidence = f"{shown}; link {', '.join(untold)}: {why_null(nvml, 'nvlinks')}"
        elif active and None in speeds:
            status, evidence = "unknown", f"{shown}; {why_null(nvml, 'nvlinks.mb_per_s')} a speed"
            action = check.action
        else:
            status = "pass"
            evidence = shown + (f", {max(speeds) / 1000:g} GB/s each" if active else "")
        return check.finding(
            status,
            which,
            None if status == "unknown" else len(active),
            expected,
            unit="links",
            evidence=evidence,
            action=action,
        )

    return each_listed(check, facts, judge, wanted.get("nvlinks"))


def _gpudirect(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["gpudirect"] or not on_bus(facts):
        return []
    fabric = facts["gpu_fabric"]
    modules, dma_buf = fabric["peer_modules"], fabric["dma_buf"]
    status = "pass" if modules or dma_buf else "unknown" if dma_buf is None else "warn"
    found = [*modules, *(["dma-buf"] if dma_buf else [])]
    return [
        check.finding(
            status,
            part("gpu", "GPUDirect RDMA"),
            None if status == "unknown" else found,
            ["nvidia_peermem or dma-buf"],
            evidence=f"network cards reach the GPUs' memory by: {', '.join(found) or 'nothing'}",
            action=check.action
            if status == "unknown"
            else "Declare node_gpu.gpudirect: true and run `ansible-playbook site.yml --tags gpu`, "
            "or load the module: `modprobe nvidia-peermem`.",
        )
    ]


GPU_LINK_CHECKS = (
    HardwareCheck(
        id="gpu.link",
        title="PCIe width of the GPUs, idle",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source="NVML; /sys/bus/pci/devices/*/{current,max}_link_width",
        threshold="at least `gpu.link_width`, or what board and slot can do; only a hint: "
        "gpu.link_load judges under load",
        threshold_source=f"{DECLARED}, or the board's own maximum",
        severity="warn",
        action="Run `lspci -vv -d 10de:` as root on the node and look at LnkSta.",
        judge=_link,
    ),
    HardwareCheck(
        id="gpu.nvlink",
        title="NVLinks of the GPUs",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source="NVML; nvidia-smi nvlink -s",
        threshold="as many active links as `gpu.nvlinks`, or 6 on V100 SXM, 12 on A100 SXM, 18 on "
        "H100, H200, B200 and B300 SXM; all of one GPU equally fast",
        threshold_source=f"{DECLARED}, or NVIDIA's data sheets; a link that is slower than its "
        "neighbours has lost a lane",
        severity="fail",
        action="Run `nvidia-smi nvlink -s` on the node.",
        judge=_nvlink,
    ),
    HardwareCheck(
        id="gpu.gpudirect",
        title="GPUDirect RDMA",
        section="gpu",
        requires=("gpudirect",),
        probes=("gpus", "gpu_fabric"),
        part="gpu",
        source="/sys/module, /proc/driver/nvidia/version, kernel release",
        threshold="where `gpu.gpudirect` is true: nvidia_peermem (nv_peer_mem) is loaded, or the "
        "open kernel modules run on Linux 5.12 or later (dma-buf)",
        threshold_source="NVIDIA, GPUDirect RDMA",
        severity="warn",
        action="Run `lsmod` and `uname -r` on the node.",
        judge=_gpudirect,
    ),
)
