"""Checks of the ways between GPUs and network devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Facts, Finding, HardwareCheck, Requirements, part, waived

# From near to far; the last crosses the link between processors.
_NEAR = ("PIX", "PXB", "PHB", "NODE")
_FAR = "SYS"


def _local(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["gpu_nic_local"]:
        return waived(check, part("link"), "gpu_nic_local")
    ways: dict[str, list[Mapping[str, Any]]] = {}
    for way in facts["topology"]["paths"]:
        ways.setdefault(way["gpu"], []).append(way)
    if not ways:
        evidence = "no NVIDIA GPU, or no network device, on the PCI bus"
        return [
            check.finding(
                "unknown",
                part("link"),
                None,
                "one NUMA node",
                evidence=evidence,
                action=check.action,
            )
        ]
    return [_nearest(check, facts, gpu, own) for gpu, own in ways.items()]


def _nearest(
    check: HardwareCheck, facts: Facts, gpu: str, ways: list[Mapping[str, Any]]
) -> Finding:
    """Judge a GPU by the nearest device that does RDMA, or of all where none does."""
    rdma = [way for way in ways if way["rdma"]] or ways
    near = [way for relation in _NEAR for way in rdma if way["relation"] == relation]
    told = ", ".join(f"{way['device']} {way['relation'] or 'unknown'}" for way in rdma)
    which = part("gpu", _gpu_of(facts, gpu).get("name"), bdf=gpu, slot=_gpu_of(facts, gpu)["slot"])
    status = "pass" if near else "warn"
    if not near and any(way["relation"] is None for way in rdma):
        status = "unknown"
    observed = near[0]["relation"] if near else _FAR
    return check.finding(
        status,
        which,
        None if status == "unknown" else observed,
        "one NUMA node",
        evidence=f"from the GPU at {gpu} to: {told}",
        action=check.action
        if status == "unknown"
        else "Move the network adapter (or the GPU) to a slot of the other processor; the board's "
        "manual says which slots hang off which.",
    )


def _gpu_of(facts: Facts, bdf: str) -> Mapping[str, Any]:
    found = [gpu for gpu in facts.get("gpus") or [] if gpu.get("bdf") == bdf]
    return found[0] if found else {"slot": None}


def _acs(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["peer_direct"]:
        return waived(check, part("link"), "peer_direct")
    bridges = facts["topology"]["acs"]
    unread = [bridge["bdf"] for bridge in bridges if bridge["redirects"] is None]
    redirecting = [bridge for bridge in bridges if bridge["redirects"]]
    groups = facts["topology"].get("iommu_groups")
    if redirecting:
        return [
            check.finding(
                "warn",
                part("link", "PCI bridge", bdf=bridge["bdf"]),
                "redirected",
                "direct",
                evidence=f"the bridge {bridge['bdf']} above {', '.join(bridge['gpus'])} sends "
                f"peer traffic up to the root (ACS); {groups} IOMMU groups",
                action="Switch ACS off in the firmware, or set this bridge's with `setpci -s "
                f"{bridge['bdf']} ECAP_ACS+6.w=0000` at boot. Leave it on where virtual machines "
                "get whole GPUs: it keeps them apart.",
            )
            for bridge in redirecting
        ]
    if unread or not bridges:
        evidence = (
            f"the registers of {', '.join(unread)} can't be read whole (as root they can)"
            if unread
            else "no bridge above an NVIDIA GPU"
        )
        return [
            check.finding(
                "unknown", part("link"), None, "direct", evidence=evidence, action=check.action
            )
        ]
    names = ", ".join(bridge["bdf"] for bridge in bridges)
    return [
        check.finding(
            "pass",
            part("link", "PCI bridges"),
            "direct",
            "direct",
            evidence=f"no redirection by the bridges above the GPUs: {names}",
        )
    ]


TOPOLOGY_CHECKS = (
    HardwareCheck(
        id="topology.gpu_nic",
        title="Way from each GPU to the network",
        section="topology",
        requires=("gpu_nic_local",),
        probes=("topology",),
        part="link",
        source="/sys/bus/pci/devices (paths and numa_node)",
        threshold="each GPU has a network device on its NUMA node (an RDMA device where there is "
        "one)",
        threshold_source="NVIDIA, GPUDirect RDMA: over the link between processors (SYS) it is "
        "slow or does not work",
        severity="warn",
        action="Run `nvidia-smi topo -m` on the node; the firmware does not tell the NUMA node.",
        judge=_local,
    ),
    HardwareCheck(
        id="topology.acs",
        title="Direct way between GPUs (ACS)",
        section="topology",
        requires=("peer_direct",),
        probes=("topology",),
        part="link",
        source="/sys/bus/pci/devices/*/config",
        threshold="no bridge above a GPU redirects requests or completions between its devices",
        threshold_source="NVIDIA, NCCL troubleshooting: with ACS, traffic between GPUs goes over "
        "the root and may hang",
        severity="warn",
        action="Run `lspci -vvv | grep -i acsctl` as root on the node.",
        judge=_acs,
    ),
)
