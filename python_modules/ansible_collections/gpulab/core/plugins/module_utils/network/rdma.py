"""Read a node's RDMA devices, and what their network cards can be set to."""

from __future__ import annotations

import shutil
from typing import Any

from ..hardware.sysfs import Tree

_INFINIBAND = "sys/class/infiniband"
#: Only NVIDIA's own driver has these (its sysfs files for congestion control).
ECN_FILES = ("roce_np/enable/{priority}", "roce_rp/enable/{priority}")
CNP_FILE = "roce_np/cnp_dscp"


def read_rdma(tree: Tree | None = None) -> dict[str, Any]:
    """Read the RDMA devices.

    Returns:
        ``devices``: for each port ``name``, ``port``, ``driver`` (of the network card; "" for soft
        RoCE), ``link_layer``, ``netdev``, ``ecn`` (files below ``/sys/class/net/<netdev>/ecn``);
        ``interfaces``: all network interfaces; ``soft``: whether the kernel has soft RoCE;
        ``tools``: whether rdma-core's tools are there; ``vendor``: whether NVIDIA's own stack is
        installed, whose packages replace rdma-core.
    """
    tree = tree or Tree()
    release = tree.text("proc/sys/kernel/osrelease") or ""
    modules = tree.text(f"lib/modules/{release}/modules.dep") or ""
    return {
        "devices": [
            _device(tree, name, port)
            for name in tree.names(_INFINIBAND)
            for port in tree.names(f"{_INFINIBAND}/{name}/ports")
        ],
        "interfaces": tree.names("sys/class/net"),
        "soft": "/rdma_rxe.ko" in modules or tree.exists("sys/module/rdma_rxe"),
        "tools": shutil.which("ibv_devinfo") is not None,
        "vendor": shutil.which("ofed_info") is not None,
    }


def _device(tree: Tree, name: str, port: str) -> dict[str, Any]:
    path = f"{_INFINIBAND}/{name}"
    netdev = (
        tree.text(f"{path}/ports/{port}/gid_attrs/ndevs/0") or tree.text(f"{path}/parent") or ""
    )
    ecn = f"sys/class/net/{netdev}/ecn"
    return {
        "name": name,
        "port": port,
        "driver": tree.link_name(f"sys/class/net/{netdev}/device/driver") or ""
        if tree.exists(f"{path}/device")
        else "",
        "link_layer": tree.text(f"{path}/ports/{port}/link_layer") or "",
        "netdev": netdev,
        "ecn": [
            *(
                f"{kind}/enable/{priority}"
                for kind in ("roce_np", "roce_rp")
                for priority in tree.names(f"{ecn}/{kind}/enable")
            ),
            *([CNP_FILE] if netdev and tree.exists(f"{ecn}/{CNP_FILE}") else []),
        ],
    }
