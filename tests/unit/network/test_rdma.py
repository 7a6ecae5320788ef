"""How RDMA devices are set, decided on trees like those of the kernel's documentation."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.network.rdma import read_rdma
from ansible_collections.gpulab.core.plugins.plugin_utils.network.rdma import (
    Settings,
    problems,
    script,
)


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / target).mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(root / target)


def card(root: Path, device: str, netdev: str, driver: str, layer: str = "Ethernet") -> None:
    """Build a card's RDMA device and network interface."""
    port = f"sys/class/infiniband/{device}/ports/1"
    put(root, f"{port}/link_layer", f"{layer}\n")
    put(root, f"{port}/gid_attrs/ndevs/0", f"{netdev}\n")
    link(root, f"sys/class/infiniband/{device}/device", f"sys/devices/{device}")
    link(root, f"sys/class/net/{netdev}/device/driver", f"sys/bus/pci/drivers/{driver}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node with a kernel that has soft RoCE, and no device."""
    put(tmp_path, "proc/sys/kernel/osrelease", "6.8.0\n")
    put(
        tmp_path,
        "lib/modules/6.8.0/modules.dep",
        "kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko.zst: kernel/drivers/infiniband/core/x.ko\n",
    )
    return tmp_path


def read(root: Path) -> dict[str, Any]:
    return read_rdma(Tree(str(root)))


def test_nothing_is_set_where_there_is_nothing(root: Path) -> None:
    assert script(read(root), [], Settings()) == ""


def test_a_card_with_nvidias_driver(root: Path) -> None:
    card(root, "mlx5_0", "ens1f0", "mlx5_core")
    for file in ("roce_np/enable/3", "roce_rp/enable/3", "roce_np/enable/5", "roce_np/cnp_dscp"):
        put(root, f"sys/class/net/ens1f0/ecn/{file}", "0\n")
    lines = script(read(root), [], Settings()).splitlines()
    assert lines[0] == "#!/bin/sh"
    assert lines[5:] == [
        "try dcb app replace dev ens1f0 dscp-prio 26:3 48:6",
        "try dcb pfc set dev ens1f0 prio-pfc all:off 3:on",
        "put 1 /sys/class/net/ens1f0/ecn/roce_np/enable/3",
        "put 1 /sys/class/net/ens1f0/ecn/roce_rp/enable/3",
        "put 48 /sys/class/net/ens1f0/ecn/roce_np/cnp_dscp",
        "try modprobe rdma_cm",
        "try mkdir -p /sys/kernel/config/rdma_cm/mlx5_0",
        'put "RoCE v2" /sys/kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_mode',
        # DSCP 26 and ECT(0).
        "put 106 /sys/kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos",
        "exit $failed",
    ]


def test_a_card_with_the_kernels_driver_has_no_ecn_files(root: Path) -> None:
    card(root, "mlx5_0", "ens1f0", "mlx5_core")
    assert "/ecn/" not in script(read(root), [], Settings())


def test_without_pfc(root: Path) -> None:
    card(root, "mlx5_0", "ens1f0", "mlx5_core")
    lines = script(read(root), [], Settings(pfc=False)).splitlines()
    assert "try dcb pfc set dev ens1f0 prio-pfc all:off" in lines


def test_a_driver_without_dcb(root: Path) -> None:
    card(root, "irdma0", "ens1f0", "some_nic")
    found = script(read(root), [], Settings())
    assert "dcb" not in found
    assert "rdma_cm/irdma0/ports/1/default_roce_tos" in found


def test_infiniband_has_no_dscp(root: Path) -> None:
    card(root, "mlx5_0", "ib0", "mlx5_core", "InfiniBand")
    assert script(read(root), [], Settings()) == ""


def test_soft_roce(root: Path) -> None:
    found = script(read(root), ["bond0"], Settings(dscp=10))
    assert "try modprobe rdma_rxe\n" in found
    assert "try rdma link add rxe_bond0 type rxe netdev bond0\n" in found
    assert "put 42 /sys/kernel/config/rdma_cm/rxe_bond0/ports/1/default_roce_tos\n" in found


def test_soft_roce_that_is_there_already_is_no_card(root: Path) -> None:
    put(root, "sys/class/infiniband/rxe_bond0/ports/1/link_layer", "Ethernet\n")
    put(root, "sys/class/infiniband/rxe_bond0/parent", "bond0\n")
    info = read(root)
    assert info["devices"][0]["netdev"] == "bond0"
    assert list(problems(info, ["bond0"])) == []
    assert script(info, ["bond0"], Settings()).count("default_roce_tos") == 1


def test_what_forbids_soft_roce(root: Path) -> None:
    card(root, "mlx5_0", "ens1f0", "mlx5_core")
    (root / "lib/modules/6.8.0/modules.dep").write_text("")
    hard, kernel = problems(read(root), ["ens1f0"])
    assert "ens1f0 does RDMA by itself (mlx5_0)" in hard
    assert "this kernel has no soft RoCE" in kernel


def test_one_refused_setting_does_not_keep_the_others_back(root: Path, tmp_path: Path) -> None:
    found = script(read(root), ["bond0"], Settings())
    # No modprobe, rdma or configfs of this host's: all commands but mkdir fail.
    bin_folder = tmp_path / "bin"
    for name in ("modprobe", "rdma", "sleep"):
        put(bin_folder, name, "#!/bin/sh\nexit 1\n")
        (bin_folder / name).chmod(0o755)
    at = tmp_path / "configfs"
    text = found.replace("/sys/kernel/config/rdma_cm", str(at))
    (at / "rxe_bond0/ports/1").mkdir(parents=True)
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        env={"PATH": f"{bin_folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "failed: modprobe rdma_rxe" in done.stderr
    assert (at / "rxe_bond0/ports/1/default_roce_tos").read_text() == "106\n"
