"""Whether a node can take part, judged from what was read or from what went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.preflight.judge import (
    CHECKS,
    GIB,
    Limits,
    judge,
    judge_failure,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.preflight.table import table

LIMITS = Limits(root_gib_min=5, var_gib_min=2, clock_skew_s_max=30)
FACTS: dict[str, Any] = {
    "python": [3, 11],
    "euid": 0,
    "os_release": {"ID": "debian", "VERSION_ID": "12"},
    "free_bytes": {"/": 5 * GIB, "/var": 2 * GIB},
    "time": 1000.5,
    "gpus": [],
    "gpus_unread": "",
}


def statuses(row: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in row["checks"]}


def bad(row: dict[str, Any]) -> dict[str, str]:
    return {name: status for name, status in statuses(row).items() if status != "ok"}


def test_a_sound_node_can_go_on_at_its_limits() -> None:
    row = judge(FACTS, LIMITS, 1000, 1001)

    assert row["ok"] is True
    assert statuses(row) == dict.fromkeys(CHECKS, "ok")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"python": [3, 8]}, {"python": "fail"}),
        ({"euid": 1000}, {"sudo": "fail"}),
        ({"os_release": {}}, {"platform": "unknown"}),
        ({"os_release": {"ID": "fedora", "VERSION_ID": "42"}}, {"platform": "fail"}),
        ({"os_release": {"ID": "debian", "VERSION_ID": "11"}}, {"platform": "fail"}),
        ({"os_release": {"ID": "ubuntu", "VERSION_ID": "23.10"}}, {"platform": "fail"}),
        ({"os_release": {"ID": "debian"}}, {"platform": "fail"}),
        ({"free_bytes": {"/": 5 * GIB - 1, "/var": 2 * GIB}}, {"free /": "fail"}),
        ({"free_bytes": {"/": 5 * GIB, "/var": 0}}, {"free /var": "fail"}),
        ({"free_bytes": {"/": 5 * GIB, "/var": None}}, {"free /var": "unknown"}),
        ({"free_bytes": {}}, {"free /": "unknown", "free /var": "unknown"}),
        ({"time": 1031.1}, {"clock": "fail"}),
        ({"time": 969.9}, {"clock": "fail"}),
        ({"time": 1030.9}, {}),
        ({"time": 970.1}, {}),
    ],
)
def test_what_is_bad_or_unknown_stops_the_node(
    change: dict[str, Any], expected: dict[str, str]
) -> None:
    row = judge({**FACTS, **change}, LIMITS, 1000, 1001)

    assert bad(row) == expected
    assert row["ok"] is (not expected)
    assert all(check["action"] for check in row["checks"] if check["status"] != "ok")


@pytest.mark.parametrize(
    "release",
    [
        *(("ubuntu", version) for version in ("22.04", "24.04", "26.04")),
        *(("debian", version) for version in ("12", "13")),
        *((name, version) for name in ("rocky", "almalinux") for version in ("9.6", "10.1")),
        *(("centos", version) for version in ("9", "10")),
        ("raspbian", "12"),
    ],
)
def test_supported_platforms(release: tuple[str, str]) -> None:
    os_release = dict(zip(("ID", "VERSION_ID"), release, strict=True))

    assert judge({**FACTS, "os_release": os_release}, LIMITS, 1000, 1001)["ok"]


# As ssh, sudo and ansible-core 2.19 say it.
@pytest.mark.parametrize(
    ("message", "check", "action"),
    [
        ("ssh: connect to host x port 22: Connection timed out", "reach", "power"),
        ("ssh: connect to host x port 22: No route to host", "reach", "power"),
        ("ssh: connect to host x port 22: Connection refused", "reach", "sshd"),
        ("ssh: Could not resolve hostname x: Name or service not known", "reach", "ansible_host"),
        ("alice@x: Permission denied (publickey,password).", "reach", "authorized_keys of alice"),
        ("Host key verification failed.", "reach", "ssh-keygen -R 10.0.0.9"),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", "reach", "ssh_host_ed25519_key"),
    ],
)
def test_a_node_that_is_not_reached_names_the_next_action(
    message: str, check: str, action: str
) -> None:
    row = judge_failure(message, reached=False, address="10.0.0.9", user="alice")

    assert row["ok"] is False
    assert statuses(row) == {name: "fail" if name == check else "unknown" for name in CHECKS}
    assert action in row["checks"][0]["action"]


@pytest.mark.parametrize(
    ("message", "check", "action"),
    [
        ("Missing sudo password", "sudo", "/etc/sudoers.d"),
        ("Incorrect sudo password", "sudo", "--ask-become-pass"),
        ("sudo: a password is required", "sudo", "alice"),
        ("alice is not in the sudoers file.", "sudo", "alice"),
        ("No start of json char found\n/bin/sh: 1: sudo: not found", "sudo", "alice"),
        ("Timeout (12s) waiting for privilege escalation prompt: ", "sudo", "alice"),
        ("The module interpreter '/usr/bin/python9' was not found.", "python", "install python3"),
        ("ansible-core requires a minimum of Python version 3.8.", "python", "3.9 or newer"),
        ("No start of json char found", "python", "ssh 10.0.0.9 sudo -n python3 --version"),
        ("[Errno 28] No space left on device", "python", "No space left on device"),
        ("", "python", "nothing"),
    ],
)
def test_a_node_that_is_reached_and_fails_names_the_next_action(
    message: str, check: str, action: str
) -> None:
    row = judge_failure(message, reached=True, address="10.0.0.9", user="alice")

    found = {one["name"]: one for one in row["checks"]}
    assert row["ok"] is False
    assert (found["reach"]["status"], found[check]["status"]) == ("ok", "fail")
    assert action in found[check]["action"]


def test_the_table_has_a_line_per_node_and_an_action_per_failure() -> None:
    full = judge({**FACTS, "free_bytes": {"/": GIB, "/var": None}}, LIMITS, 1000, 1001)
    rows = {
        "node10": judge_failure("Connection refused", reached=False, address="x", user="y"),
        "full": full,
        "good": judge(FACTS, LIMITS, 1000, 1001),
        "lost": {"failed": True, "msg": "timed out"},
        "gone": "",
    }

    lines = table(rows).splitlines()

    assert lines[0].split() == [
        "node",
        "reach",
        "python",
        "sudo",
        "platform",
        "free",
        "/",
        "free",
        "/var",
        "clock",
        "gpu",
    ]
    assert [line.split()[0] for line in lines[1:6]] == ["full", "gone", "good", "lost", "node10"]
    assert "FAIL 1.0 GiB" in lines[1]
    assert lines[3].split() == [
        "good",
        "yes",
        "3.11",
        "yes",
        "debian",
        "12",
        "5.0",
        "GiB",
        "2.0",
        "GiB",
        "+0",
        "s",
        "-",
    ]
    assert lines[4].split() == ["lost", *"?" * len(CHECKS)]
    assert "1 of 5 nodes can go on." in lines
    assert [line.partition(": ")[0] for line in lines[8:]] == ["full", "gone", "lost", "node10"]
    assert "make room for 5 GiB" in lines[8]
    assert "start sshd" in lines[-1]


def test_a_node_that_is_only_unknown_is_told_why() -> None:
    row = judge({**FACTS, "free_bytes": {"/": 5 * GIB, "/var": None}}, LIMITS, 1000, 1001)

    assert "n: free /var: unknown -> df /var fails" in table({"n": row})


def gpus(*devices: str) -> dict[str, Any]:
    listed = [
        {"bdf": f"0000:{number:02x}:00.0", "device_id": device, "name": None}
        for number, device in enumerate(devices, 1)
    ]
    return {**FACTS, "gpus": listed}


V100, A100, B200 = "0x1db4", "0x20b2", "0x2901"
BOTH = {"cuda": {"versions": ["12.9", "13.0"]}}


@pytest.mark.parametrize(
    ("devices", "software", "shown"),
    [
        ((), None, "-"),
        ((V100,), None, "-"),
        ((), {}, "none: 580 open"),
        ((V100, V100), BOTH, "2 volta: 580 proprietary, CUDA 12.9"),
        ((A100,), BOTH, "1 ampere: 580 open, CUDA 13.0"),
        ((V100, A100), {}, "2 ampere+volta: 580 proprietary"),
        (("0x4a01",), {}, "1 unknown: 580 open"),
        ((), {"nvidia_driver": {"source": "distribution"}}, "none: 535 proprietary"),
    ],
)
def test_the_row_shows_which_gpu_software_the_node_gets(
    devices: tuple[str, ...], software: dict[str, Any] | None, shown: str
) -> None:
    row = judge(gpus(*devices), LIMITS, 1000, 1001, software)

    assert row["ok"]
    assert row["checks"][-1] == {"name": "gpu", "status": "ok", "detail": shown, "action": ""}


@pytest.mark.parametrize(
    ("devices", "software", "said"),
    [
        (
            (V100,),
            {"nvidia_driver": {"branch": "595"}},
            ("0000:01:00.0 GV100GL [Tesla V100", "lab_software.nvidia_driver.branch 595", "580"),
        ),
        (
            (V100,),
            {"cuda": {"versions": ["13.0"]}},
            ("Tesla V100", "lab_software.cuda.versions 13.0", "11.8 to 12.9"),
        ),
        (
            (V100, B200),
            {},
            ("Tesla V100", "B200", "lab_software.nvidia_driver.flavour", "another machine"),
        ),
    ],
)
def test_a_gpu_that_a_version_cannot_drive_stops_the_node_and_names_both(
    devices: tuple[str, ...], software: dict[str, Any], said: tuple[str, ...]
) -> None:
    row = judge(gpus(*devices), LIMITS, 1000, 1001, software)

    assert bad(row) == {"gpu": "fail"}
    text = table({"n": row})
    assert [part for part in said if part not in text] == []


def test_a_branch_past_its_end_is_said() -> None:
    december = 1796083200  # 2026-12-01
    facts = {**gpus("0x20b2"), "time": december}
    row = judge(facts, LIMITS, december, december, {"nvidia_driver": {"branch": "550"}})

    assert bad(row) == {}
    assert row["checks"][-1]["detail"] == "1 ampere: 550 open (no fixes since 2025-06)"


@pytest.mark.parametrize(
    ("devices", "branch", "said"),
    [
        (("0x1db4",), "580", "has no code for GV100"),
        (("0x20b2",), "570", "needs a driver of branch 580 or later"),
        (("0x20b2",), "580", ""),
        # The build for CPUs is theirs.
        ((), "570", ""),
    ],
)
def test_a_framework_that_the_gpus_or_the_driver_do_not_take_is_refused(
    devices: tuple[str, ...], branch: str, said: str
) -> None:
    locks = {"pytorch": "nvidia-cuda-runtime==13.0.96 --hash=sha256:r\n"}
    software = {"nvidia_driver": {"branch": branch}}
    row = judge(gpus(*devices), LIMITS, 1000, 1001, software, locks)
    assert bad(row) == ({"gpu": "fail"} if said else {})
    assert said in row["checks"][-1]["action"]


def test_a_jetson_gets_no_data_centre_driver() -> None:
    facts = {**FACTS, "os_release": {"ID": "ubuntu", "VERSION_ID": "22.04"}}
    facts["jetson"] = "NVIDIA Jetson AGX Orin Developer Kit"

    assert judge(facts, LIMITS, 1000, 1001)["ok"]
    row = judge(facts, LIMITS, 1000, 1001, {})
    assert bad(row) == {"gpu": "fail"}
    text = table({"n": row})
    assert "FAIL Jetson" in text
    assert "take it out of the group nvidia: NVIDIA Jetson AGX Orin Developer Kit has" in text
    # Whatever its bus says.
    assert bad(judge({**facts, "gpus": None}, LIMITS, 1000, 1001, {})) == {"gpu": "fail"}


def test_a_bus_that_cannot_be_read_is_unknown_where_gpus_matter() -> None:
    facts = {**FACTS, "gpus": None, "gpus_unread": "/sys/bus is not readable"}

    assert judge(facts, LIMITS, 1000, 1001)["ok"]
    row = judge(facts, LIMITS, 1000, 1001, {})
    assert bad(row) == {"gpu": "unknown"}
    assert "n: gpu: unknown -> see why the PCI bus can't be read" in table({"n": row})
