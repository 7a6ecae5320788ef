"""Why modules do not load: modprobe's own words."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.module_failure import (
    module_failure,
)

INVALID = "modprobe: ERROR: could not insert 'nvidia_peermem': Invalid argument\n"
OFED = ["peer-memory", "ofed MLNX_OFED_LINUX-24.10-0.7.0.0:"]


@pytest.mark.parametrize(
    ("said", "evidence", "words"),
    [
        (INVALID, OFED, "built for another RDMA stack than MLNX_OFED_LINUX-24.10-0.7.0.0"),
        (INVALID, ["peer-memory"], "another RDMA stack than the one that is loaded"),
        (INVALID, [], "take DMA-BUF instead"),
        (INVALID.replace("Invalid argument", "Unknown symbol in module"), [], "DMA-BUF"),
        (INVALID.replace("Invalid argument", "Exec format error"), OFED, "another RDMA stack"),
        (INVALID.replace("Invalid argument", "Key was rejected by service"), OFED, "Secure Boot"),
        (INVALID.replace("Invalid argument", "No such device"), [], "dmesg | grep -i peer"),
        (
            "modprobe: FATAL: Module nvidia_peermem not found in directory /lib/modules/6.8.0-85",
            [],
            "no nvidia_peermem for this kernel",
        ),
        ("modprobe: ERROR: could not insert 'nvidia': No such device", [], "dmesg | tail"),
        (
            "modprobe: ERROR: could not insert 'nvidia': Required key not available",
            [],
            "Secure Boot refuses",
        ),
    ],
)
def test_the_cause_is_named(said: str, evidence: list[str], words: str) -> None:
    found = module_failure(said, evidence)
    assert found.startswith(said.strip())
    assert words in found
