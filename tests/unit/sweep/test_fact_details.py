"""What one reading of a node must get right: tools at once, counters twice, logs in part."""

from __future__ import annotations

import shlex
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hardware_machines import MACHINES, Machine
from host_machines import SERVER, smart_nvme

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nic_counters import PAUSE_S
from ansible_collections.gpulab.core.plugins.module_utils.hardware.runner import run_in_turn
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.captured import (
    CapturedTree,
    captured_tools,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.plan import Plan
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.snapshot import GROUPS
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.stream import Capture

from .conftest import LIMIT_S, Ask

_CARD = "sys/devices/pci0000:00/0000:00:02.0/0000:05:00.0/net/ens1f0np0"


def facts_in(capture: Capture) -> dict[str, Any]:
    """Return the facts in what the script read."""
    tree, tools = CapturedTree(capture, Plan(), LIMIT_S), captured_tools(capture, LIMIT_S)
    return gather(tree, tools, capture.machine, run_all=run_in_turn)


def instead(folder: Path, tool: str, script: str) -> str:
    """Return shell that puts another script in the place of a fixture machine's fake."""
    return f"cat > {folder}/bin/{tool} <<'FAKE'\n#!/bin/sh\n{script}\nFAKE\n"


def test_tools_that_hang_cost_the_time_of_one_and_their_own_sections(
    ask: Ask, tmp_path: Path
) -> None:
    hanging = ("dmidecode", "ipmitool", "lldpcli", "journalctl", "dmesg", "chronyc", "systemctl")
    tools = {**SERVER.tools, **dict.fromkeys(("dmesg", "nvidia-smi"), SERVER.tools["chronyc"])}
    prepare = "".join(instead(tmp_path, name, "exec sleep 60") for name in (*hanging, "nvidia-smi"))
    began = time.monotonic()
    facts = facts_in(ask(Machine(SERVER.files, tools), prepare=prepare))
    # One after the other, the twelve would take twelve times the limit.
    assert time.monotonic() - began < 6 * LIMIT_S
    unknown = [name for name in facts["probes"] if facts[name] is None]
    assert unknown == [
        *("dimms", "slots", "lldp", "ipmi_sensors", "ipmi_events", "nvidia", "gpu_software"),
        *("gpu_fabric", "kernel_log", "clock"),
    ]
    # The server has no package manager.
    for name in set(unknown) - {"gpu_software"}:
        assert facts["probes"][name]["reason"].endswith(": no answer within 1 s"), name
    assert [disk["passed"] for disk in facts["smart"]] == [True, True]


def test_a_disk_that_hangs_costs_its_own_health_alone(ask: Ask, tmp_path: Path) -> None:
    healthy = shlex.quote(smart_nvme().stdout)
    prepare = instead(
        tmp_path, "smartctl", f"case $3 in */sda) exec sleep 60;; esac\nprintf %s {healthy}"
    )
    healths = {disk["name"]: disk for disk in facts_in(ask(SERVER, prepare=prepare))["smart"]}
    assert (healths["nvme0n1"]["passed"], healths["nvme0n1"]["reason"]) == (True, "")
    assert healths["sda"]["passed"] is None
    assert healths["sda"]["reason"] == "smartctl: no answer within 1 s"


def test_counters_are_read_twice(ask: Ask, tmp_path: Path) -> None:
    """What a line loses between the two readings shows as going on."""
    counter = f"{tmp_path}/root/{_CARD}/statistics/rx_crc_errors"
    # What waits for the second reading begins after the first.
    prepare = f'sleep() {{ echo 5 > {counter}; command sleep "$@"; }}\n'
    counters = facts_in(ask(SERVER, prepare=prepare))["nic_counters"]
    assert counters["pause_s"] == PAUSE_S
    (card,) = counters["nics"]
    assert (card["total"]["rx_crc_errors"], card["delta"]["rx_crc_errors"]) == (5, 5)
    assert (card["total"]["rx_dropped"], card["delta"]["rx_dropped"]) == (1200, 0)


def test_the_second_reading_comes_as_late_as_it_says(ask: Ask) -> None:
    began = time.monotonic()
    # The system's own; the one in `ask` does not wait.
    assert ask(SERVER, prepare='sleep() { command -p sleep "$@"; }\n').again
    assert time.monotonic() - began >= PAUSE_S


def test_without_a_second_reading_the_counters_are_unknown(ask: Ask) -> None:
    capture = ask(SERVER)
    capture.again = None
    missing = facts_in(capture)
    assert missing["nic_counters"] is None
    assert "not read a second time" in missing["probes"]["nic_counters"]["reason"]
    capture.late = {"again"}
    late = facts_in(capture)
    assert late["nic_counters"] is None
    reason = late["probes"]["nic_counters"]["reason"]
    assert reason == "the second reading: no answer within 1 s"


def test_a_machine_without_a_network_card_is_not_read_twice(ask: Ask) -> None:
    assert ask(MACHINES["empty"]).again is None


def test_of_a_long_kernel_log_what_matters_is_read(ask: Ask, tmp_path: Path) -> None:
    noise = "pcieport 0000:00:01.0: AER: Corrected error message received\n" * 100_000
    xid = "NVRM: Xid (PCI:0000:03:00): 79, pid=1, GPU has fallen off the bus.\n"
    (tmp_path / "log").write_text(noise + xid + noise)
    prepare = instead(tmp_path, "journalctl", f"exec cat {tmp_path}/log")
    log = facts_in(ask(SERVER, prepare=prepare))["kernel_log"]
    assert [(event["code"], event["count"]) for event in log["events"]] == [(79, 1)]
    # The kernel's first line is not in it.
    assert (log["source"], log["complete"]) == ("journalctl", False)


def test_the_age_of_a_reading_is_by_the_nodes_own_clock(ask: Ask) -> None:
    capture = ask(SERVER)
    before = facts_in(capture)
    capture.now += 3600
    after = facts_in(capture)
    assert after["clock"]["update_age_s"] - before["clock"]["update_age_s"] == 3600
    offsets = (facts["ipmi_events"]["clock_offset_s"] for facts in (before, after))
    assert next(offsets) - next(offsets) == 3600


def test_only_bridges_are_asked_for_their_registers(ask: Ask) -> None:
    """A device that fell off the bus may stall whoever reads its registers."""
    gpu = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/config"
    capture = ask(Machine({**SERVER.files, gpu: bytes(4096)}, SERVER.tools))
    read = [path for path in capture.contents if path.endswith("/config")]
    assert len(read) == 8
    assert not any("0000:03:00.0" in path for path in read)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_shell_of_a_supported_server_reads_the_same(ask: Ask, shell: str) -> None:
    """``/bin/sh`` is dash on Debian and Ubuntu, bash on EL."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed here")
    capture = ask(SERVER, shell=path)
    answered = {words: answer for words, answer in capture.tools.items() if not answer.missing}
    # All tools but nvidia-smi, dmesg and the package managers, which the server lacks.
    assert len(answered) == 11
    for words, answer in answered.items():
        whole = SERVER.run(words)
        if words[0] == "journalctl":
            # The lines that matter; its second one is none.
            whole = replace(whole, stdout=whole.stdout.splitlines(keepends=True)[0])
        assert answer == whole, words
    assert facts_in(capture)["infiniband"][0]["state"] == "ACTIVE"


def test_no_container_is_started(ask: Ask) -> None:
    nothing = {"asked": False, "tried": False, "proved": [], "problems": []}
    assert facts_in(ask(SERVER))["gpu_container"] == nothing
    words = {tool.argv[0] for group in GROUPS for tool in group.tools}
    assert words.isdisjoint({"podman", "docker", "nvidia-ctk"})
