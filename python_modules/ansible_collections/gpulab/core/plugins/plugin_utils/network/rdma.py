"""The script that sets a node's RDMA devices at every boot.

What a lossless or congestion-controlled RoCE network needs of a card: packets carry a DSCP by which
switches and card sort them, the card pauses that one priority alone (PFC, IEEE 802.1Qbb), and it
marks and answers congestion (ECN). None of it survives a reboot. Untested on hardware: the decision
is tested on trees like those of the kernel's documentation, and soft RoCE runs for real.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils.network.rdma import CNP_FILE, ECN_FILES

#: Drivers that take DCB settings by netlink, which iproute2's dcb speaks (kernel, dcbnl_rtnl_ops).
_DCB_DRIVERS = ("mlx5_core", "bnxt_en", "ice", "qede", "i40e")
#: The IP header's bits that say that a sender heeds congestion marks: ECT(0), RFC 3168.
_ECT = 2
#: How long a bond or a VLAN may take to be there after the network has started.
_WAIT_S = 30
_CONFIGFS = "/sys/kernel/config/rdma_cm"


@dataclass(frozen=True)
class Settings:
    """How RoCE's packets are marked.

    Attributes:
        dscp: of RoCE's packets. 26 and 3 are what NVIDIA's cards and the switches' guides use.
        priority: the priority that they have, and that PFC pauses.
        cnp_dscp: of the packets that report congestion; 48 is the cards' own default.
        cnp_priority: theirs.
        pfc: whether PFC is on; with it off, ECN alone keeps the queues short.
    """

    dscp: int = 26
    priority: int = 3
    cnp_dscp: int = 48
    cnp_priority: int = 6
    pfc: bool = True

    @property
    def traffic_class(self) -> int:
        """Give the IP header's byte: the DSCP, and that the sender heeds congestion marks."""
        return self.dscp << 2 | _ECT


def problems(info: Mapping[str, Any], soft: list[str]) -> Iterator[str]:
    """Say what forbids soft RoCE where it is asked for.

    Args:
        info: from `read_rdma`.
        soft: interfaces, the option ``network_rdma_soft``.
    """
    hard = {device["netdev"]: device["name"] for device in info["devices"] if device["driver"]}
    for interface in soft:
        if interface in hard:
            yield (
                f"network_rdma_soft: {interface} does RDMA by itself ({hard[interface]}): leave it "
                "out"
            )
    if soft and not info["soft"]:
        yield (
            "network_rdma_soft: this kernel has no soft RoCE (rdma_rxe): boot a full one "
            "(Debian: linux-image-amd64, Ubuntu: linux-image-generic), or leave the option empty"
        )


def script(info: Mapping[str, Any], soft: list[str], settings: Settings) -> str:
    """Give the shell script that sets all RoCE devices, or "" where there is nothing to set.

    A setting that the kernel refuses does not keep the others from being made; the script ends with
    status 1 and says which it was.
    """
    devices = [device for device in info["devices"] if device["link_layer"] == "Ethernet"]
    hard = [device for device in devices if device["driver"]]
    names = [(device["name"], device["port"]) for device in hard]
    names += [(soft_name(interface), "1") for interface in soft]
    if not names:
        return ""
    lines = list(_HEAD)
    for interface in soft:
        name = soft_name(interface)
        lines.append("try modprobe rdma_rxe")
        # At boot the script starts with the network, which makes bonds and VLANs as it goes.
        lines.append(
            f"for second in $(seq {_WAIT_S}); do "
            f"[ -e /sys/class/net/{interface} ] && break; sleep 1; done"
        )
        lines.append(
            f"[ -e /sys/class/infiniband/{name} ] || "
            f"try rdma link add {name} type rxe netdev {interface}"
        )
    for device in hard:
        lines += _card(device, settings)
    lines.append("try modprobe rdma_cm")
    for name, port in names:
        folder = f"{_CONFIGFS}/{name}"
        lines.append(f"try mkdir -p {folder}")
        lines.append(f'put "RoCE v2" {folder}/ports/{port}/default_roce_mode')
        lines.append(f"put {settings.traffic_class} {folder}/ports/{port}/default_roce_tos")
    return "\n".join([*lines, "exit $failed"]) + "\n"


def soft_name(interface: str) -> str:
    """Name the soft RoCE device of an interface."""
    return f"rxe_{interface}"


_HEAD = (
    "#!/bin/sh",
    "# Written by gpulab (role network): how this machine's RDMA devices mark and pause packets.",
    "failed=0",
    'try() { "$@" || { echo "failed: $*" >&2; failed=1; }; }',
    'put() { echo "$1" > "$2" || { echo "failed: $1 > $2" >&2; failed=1; }; }',
)


def _card(device: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    netdev = device["netdev"]
    if device["driver"] in _DCB_DRIVERS:
        yield (
            f"try dcb app replace dev {netdev} dscp-prio "
            f"{settings.dscp}:{settings.priority} {settings.cnp_dscp}:{settings.cnp_priority}"
        )
        on = f" {settings.priority}:on" if settings.pfc else ""
        yield f"try dcb pfc set dev {netdev} prio-pfc all:off{on}"
    ecn = f"/sys/class/net/{netdev}/ecn"
    for pattern in ECN_FILES:
        file = pattern.format(priority=settings.priority)
        if file in device["ecn"]:
            yield f"put 1 {ecn}/{file}"
    if CNP_FILE in device["ecn"]:
        yield f"put {settings.cnp_dscp} {ecn}/{CNP_FILE}"
