"""Say why NVIDIA's kernel modules do not load, and what to do about it. Pure.

Source of nvidia_peermem's causes (read 2026-12-01):
    https://docs.nvidia.com/cuda/gpudirect-rdma/ and the GPU Operator's page on GPUDirect RDMA:
    nvidia_peermem needs the peer memory of MLNX_OFED or DOCA's RDMA stack, and is built for the one
    that is there at that time; with the kernel's own stack, DMA-BUF takes its place (open modules,
    kernel 5.12 or later).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PEERMEM = "nvidia_peermem"
_OTHER_STACK = re.compile(r"Invalid argument|Unknown symbol|disagrees about version|Exec format")
#: What the role's look at the node prints of a vendor's RDMA stack.
PEER_MEMORY, OFED = "peer-memory", "ofed"


def module_failure(stderr: str, evidence: Sequence[str]) -> str:
    """Return why ``modprobe`` failed and what helps.

    Args:
        stderr: what modprobe said.
        evidence: lines ``peer-memory``, where the running kernel has peer memory, and ``ofed
            <version>``, where a vendor's RDMA stack is installed.
    """
    said = " ".join(stderr.split())
    return f"{said}. {_advice(said, evidence)}"


def _advice(said: str, evidence: Sequence[str]) -> str:
    if "Key was rejected" in said or "Required key not available" in said:
        return (
            "Secure Boot refuses the module's signature: enrol the key that it is signed with "
            "(mokutil --import), or declare a source with signed modules"
        )
    if not re.search(r"nvidia[-_]peermem", said):
        return "Look at `dmesg | tail` on the node"
    if "not found in directory" in said:
        return (
            f"This driver's packages have no {_PEERMEM} for this kernel: declare "
            "lab_software.nvidia_driver.source: nvidia, or node_gpu.gpudirect: false"
        )
    stack = next((line.partition(" ")[2] for line in evidence if line.startswith(OFED)), "")
    if not _OTHER_STACK.search(said):
        return f"Look at `dmesg | grep -i peer` on the node for what {_PEERMEM} lacks"
    if PEER_MEMORY in evidence or stack:
        return (
            f"{_PEERMEM} was built for another RDMA stack than {stack or 'the one that is loaded'}"
            ": build the driver's modules again (dkms remove and install nvidia for this kernel) "
            "after each change of that stack, then run again"
        )
    return (
        "The kernel's own RDMA stack has no peer memory, which this module needs: declare "
        "node_gpu.gpudirect: false; NCCL and UCX take DMA-BUF instead (open modules, kernel 5.12 "
        "or later). Or install DOCA-OFED and build the driver's modules again"
    )
