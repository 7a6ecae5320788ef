"""Recognise an NVIDIA Jetson: its driver comes with its system. Runs on the node."""

from __future__ import annotations

from ..hardware.sysfs import Tree

# Jetson Linux (L4T) has it: "# R36 (release), REVISION: 4.3, …" (Jetson Linux Developer Guide).
RELEASE = "etc/nv_tegra_release"
# What the firmware calls the machine: texts with a NUL after each, such as
# "nvidia,p3768-0000+p3767-0005" and "nvidia,tegra234" (Linux, arch/arm64/boot/dts/nvidia/). A
# server with Grace has no device tree, but ACPI.
DEVICE_TREES = ("proc/device-tree", "sys/firmware/devicetree/base")
TEGRA = "nvidia,tegra"
UNNAMED = "an NVIDIA Tegra"


def jetson(tree: Tree) -> str:
    """Name the Jetson, such as ``NVIDIA Jetson Orin Nano Developer Kit``; "" when it is none."""
    for folder in DEVICE_TREES:
        names = (tree.text(f"{folder}/compatible") or "").split("\0")
        if any(name.startswith(TEGRA) for name in names):
            return tree.text(f"{folder}/model") or UNNAMED
    return UNNAMED if tree.data(RELEASE) is not None else ""
