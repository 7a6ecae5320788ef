"""Every check passes, fails and is unknown where it should; findings name the physical part."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest
from case import GIB, Case, Change, put, unread
from hardware_machines import FactsOf
from verification_page import page

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.finding import HardwareCheck
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.gpu_models import is_model
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import (
    ALL_CHECKS,
    CATALOGUE,
    FactsError,
    verify,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.gpu_load import (
    LOAD_CHECKS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.network import (
    NETWORK_CHECKS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import (
    BUILTIN_SPECS,
    resolve_spec,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

# Files of cases, by part: cases_<part>.py, each with CASES, and LOAD_CASES for checks under load.
CASE_FILES = [
    importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("cases_*.py"))
]
CASES: dict[str, Case] = {
    name: case for module in CASE_FILES for name, case in module.CASES.items()
}
LOAD_CASES: dict[str, Case] = {
    name: case for module in CASE_FILES for name, case in getattr(module, "LOAD_CASES", {}).items()
}
FAILS = [(name, change) for name, case in CASES.items() for change in case.fails]
UNREADABLE = [(name, change) for name, case in CASES.items() for change in case.unreadable]


def statuses(facts: dict[str, Any], check: str) -> set[str]:
    """The statuses of one check's findings under its case's spec."""
    found = verify(facts, CASES[check].spec)
    return {finding["status"] for finding in found if finding["id"] == check}


@pytest.fixture
def healthy(facts_of: FactsOf) -> dict[str, Any]:
    return copy.deepcopy(facts_of("two-a100"))


def facts_for(facts_of: FactsOf, check: str) -> dict[str, Any]:
    """The facts of the healthy node of a check's case."""
    return copy.deepcopy(facts_of(CASES[check].machine))


def weight(check: str) -> str:
    """What a fault that a check finds is: fail or warn."""
    return next(one.severity for one in CATALOGUE if one.id == check)


def test_every_check_has_a_case_that_fails_and_one_that_is_unreadable() -> None:
    assert set(CASES) == {check.id for check in CATALOGUE}
    assert set(LOAD_CASES) == {check.id for check in LOAD_CHECKS}
    assert sum(len(module.CASES) for module in CASE_FILES) == len(CASES)
    for name, case in {**CASES, **LOAD_CASES}.items():
        assert case.fails, name
        assert case.unreadable, name


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.id)
def test_every_check_says_where_its_facts_and_its_threshold_come_from(check: HardwareCheck) -> None:
    for text in (check.title, check.source, check.threshold, check.threshold_source, check.action):
        assert text.strip()
    assert check.severity in ("fail", "warn")
    case = {**CASES, **LOAD_CASES}[check.id]
    assert set(case.spec[check.section]) <= set(check.requires)


def test_every_check_has_a_row_on_the_page_and_an_action() -> None:
    text = page()
    for check in ALL_CHECKS:
        assert f"`{check.id}` |" in text, check.id
        assert f"- `{check.id}`: {check.action}" in text, check.id


@pytest.mark.parametrize("check", [one for one in CATALOGUE if one.source.startswith("NVML")])
def test_a_check_that_asks_nvml_has_a_fixture_of_each_format(
    facts_of: FactsOf, check: HardwareCheck
) -> None:
    """Both readers, and nvidia-smi's words before and since driver 535."""
    case = CASES[check.id]
    read = {
        (
            facts_of(name)["nvidia"]["source"],
            int(facts_of(name)["nvidia"]["module_version"][:3]) < 535,
        )
        for name in (case.machine, *case.formats)
    }
    assert {("nvml", False), ("nvidia-smi", False), ("nvidia-smi", True)} <= read


@pytest.mark.parametrize(
    ("check", "machine"), [(name, one) for name, case in CASES.items() for one in case.formats]
)
def test_every_format_passes(facts_of: FactsOf, check: str, machine: str) -> None:
    assert statuses(facts_of(machine), check) == {"pass"}


@pytest.mark.parametrize("check", CASES)
def test_a_healthy_machine_passes(facts_of: FactsOf, check: str) -> None:
    assert statuses(facts_for(facts_of, check), check) == {"pass"}


@pytest.mark.parametrize(("check", "change"), FAILS)
def test_a_fault_fails(facts_of: FactsOf, check: str, change: Change) -> None:
    facts = facts_for(facts_of, check)
    change(facts)
    found = statuses(facts, check)
    assert weight(check) in found
    # What can only warn makes no node fail.
    assert weight(check) == "fail" or "fail" not in found


@pytest.mark.parametrize(("check", "change"), UNREADABLE)
def test_what_cannot_be_read_is_unknown(facts_of: FactsOf, check: str, change: Change) -> None:
    facts = facts_for(facts_of, check)
    change(facts)
    found = statuses(facts, check)
    assert "unknown" in found
    assert not found & {"fail", "warn"}


@pytest.mark.parametrize(("check", "change"), FAILS + UNREADABLE)
def test_what_does_not_pass_says_what_to_do(facts_of: FactsOf, check: str, change: Change) -> None:
    facts = facts_for(facts_of, check)
    change(facts)
    for finding in verify(facts, CASES[check].spec):
        assert_sound(finding)


def assert_sound(finding: dict[str, Any]) -> None:
    """Check the form of a finding."""
    assert set(finding) == {
        "id",
        "part",
        "observed",
        "expected",
        "unit",
        "source",
        "severity",
        "status",
        "action",
        "evidence",
    }
    assert all(isinstance(value, str) for value in finding["part"].values())
    assert finding["evidence"].count("\n") == 0
    assert finding["evidence"]
    assert bool(finding["action"]) == (finding["status"] != "pass")
    if finding["status"] == "unknown" and finding["id"] != "gpu.driver":
        assert finding["observed"] is None


def test_the_probes_reason_is_the_evidence(healthy: dict[str, Any]) -> None:
    unread("memory")(healthy)
    (finding,) = verify(healthy, CASES["memory.size"].spec)
    assert finding["evidence"] == "the probe 'memory' could not read its facts: it hung"
    assert (finding["part"]["kind"], finding["expected"]) == ("memory", 512)


def test_a_probe_that_the_spec_does_not_need_may_fail(healthy: dict[str, Any]) -> None:
    for section in ("disks", "nics", "gpus", "nvidia", "clock", "system"):
        unread(section)(healthy)
    assert verdict_of(verify(healthy, CASES["memory.size"].spec)) == "pass"


def test_a_spec_without_requirements_finds_nothing(healthy: dict[str, Any]) -> None:
    assert verify(healthy, {"description": "anything"}) == []


@pytest.mark.parametrize(
    ("offset", "status"),
    [(0.0, "pass"), (0.1, "pass"), (0.101, "warn"), (1.0, "warn"), (1.001, "fail")],
)
def test_limits_of_the_clock(healthy: dict[str, Any], offset: float, status: str) -> None:
    put("clock", "offset_s", value=offset)(healthy)
    assert statuses(healthy, "clock.sync") == {status}


@pytest.mark.parametrize(
    ("error", "age", "status"),
    [
        (0.001, 8192.0, "pass"),
        (0.001, 8193.0, "warn"),
        (0.101, 17.0, "warn"),
        (1.001, 9000.0, "fail"),
        (None, None, "pass"),
    ],
)
def test_a_clock_whose_source_fell_silent(
    healthy: dict[str, Any], error: float | None, age: float | None, status: str
) -> None:
    put("clock", "error_s", value=error)(healthy)
    put("clock", "update_age_s", value=age)(healthy)
    assert statuses(healthy, "clock.sync") == {status}


def test_a_clock_whose_offset_nobody_tells_is_worth_a_warning(healthy: dict[str, Any]) -> None:
    put("clock", "offset_s", value=None)(healthy)
    assert verdict_of(verify(healthy, CASES["clock.sync"].spec)) == "warn"


def test_a_clock_that_may_run_free_passes(healthy: dict[str, Any]) -> None:
    put("clock", "synchronised", value=False)(healthy)
    assert verdict_of(verify(healthy, {"clock": {"synchronised": False}})) == "pass"


@pytest.mark.parametrize(
    ("check", "path", "value", "status"),
    [
        ("memory.size", ("memory", "total_bytes"), int(486.5 * GIB), "pass"),
        ("gpu.memory", ("nvidia", "gpus", 0, "memory_bytes"), int(74.5 * GIB), "pass"),
        ("cpu.cores", ("cpu", "cores"), 64, "pass"),
        ("disk.ssd", ("disks", 0, "size_bytes"), 3_800_000_000_000, "pass"),
        ("nic.speed", ("nics", 0, "speed_mbps"), 25000, "pass"),
        ("nic.speed", ("nics", 0, "speed_mbps"), 24999, "fail"),
    ],
)
def test_limits(
    healthy: dict[str, Any], check: str, path: tuple, value: object, status: str
) -> None:
    put(*path, value=value)(healthy)
    assert statuses(healthy, check) == {status}


def test_the_guides_minimum_is_met_by_more(facts_of: FactsOf) -> None:
    spec = resolve_spec("compute-minimum", {})
    for name in ("two-a100", "eight-h100", "two-v100"):
        found = verify(facts_of(name), spec)
        assert verdict_of(found) == "pass", [f for f in found if f["status"] != "pass"]


@pytest.mark.parametrize(
    ("machine", "verdict", "failed"),
    [
        ("fallen-gpu", "fail", {"gpu.driver"}),
        ("lost-gpu", "fail", {"gpu.driver"}),
        ("nouveau", "fail", {"gpu.driver"}),
        ("no-driver", "fail", {"gpu.driver"}),
        ("mismatch", "fail", {"gpu.driver", "gpu.software"}),
        ("slow-nic", "fail", {"nic.speed"}),
        ("hung-disk", "unknown", set()),
        ("garbage", "unknown", set()),
        ("empty", "unknown", set()),
        (
            "raspberry-pi",
            "fail",
            {"cpu.cores", "memory.size", "disk.ssd", "disk.hdd", "nic.speed", "gpu.count"},
        ),
        (
            "virtual",
            "fail",
            {"cpu.cores", "memory.size", "disk.ssd", "disk.hdd", "gpu.count"},
        ),
    ],
)
def test_machines_against_the_guides_minimum(
    facts_of: FactsOf, machine: str, verdict: str, failed: set[str]
) -> None:
    found = verify(facts_of(machine), resolve_spec("compute-minimum", {}))
    assert {finding["id"] for finding in found if finding["status"] == "fail"} == failed
    assert verdict_of(found) == verdict


def by_id(facts: dict[str, Any], check: str, spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in verify(facts, spec) if finding["id"] == check]


def test_a_fallen_gpu_is_named_by_address(facts_of: FactsOf) -> None:
    good, bad = by_id(facts_of("fallen-gpu"), "gpu.driver", BUILTIN_SPECS["compute-minimum"])
    assert good["status"] == "pass"
    assert good["part"]["uuid"] == "GPU-00000000-0000-0000-0000-000000000000"
    assert good["part"]["serial"] == "1650522003800"
    assert (bad["status"], bad["part"]["bdf"]) == ("fail", "0000:41:00.0")
    assert bad["part"]["name"] == "GA100 [A100 SXM4 80GB]"
    assert bad["part"]["slot"] == "5"
    assert "on the PCI bus, but NVML does not list it (1 listed)" in bad["evidence"]
    assert "Xid 79" in bad["action"]


def test_nouveau_is_named(facts_of: FactsOf) -> None:
    found = by_id(facts_of("nouveau"), "gpu.driver", {"gpu": {"count": 2}})
    assert [finding["observed"] for finding in found] == ["nouveau", "nouveau"]
    assert "Blacklist nouveau" in found[0]["action"]


def test_a_driver_without_any_gpu_says_so(facts_of: FactsOf) -> None:
    (found,) = by_id(facts_of("virtual"), "gpu.driver", {"gpu": {"count": 1}})
    assert (found["status"], found["evidence"]) == (
        "unknown",
        "not loaded: no NVIDIA device on the PCI bus",
    )


def test_a_missing_gpu_fails_even_where_the_spec_names_no_number(facts_of: FactsOf) -> None:
    found = verify(facts_of("virtual"), {"gpu": {"models": ["A100"]}})
    assert verdict_of(found) == "fail"


def test_a_node_without_gpus_may_be_declared(facts_of: FactsOf, healthy: dict[str, Any]) -> None:
    assert verdict_of(verify(facts_of("virtual"), {"gpu": {"count": 0}})) == "pass"
    assert verdict_of(verify(healthy, {"gpu": {"count": 0}})) == "fail"


def test_count_is_exact_and_count_min_is_not(facts_of: FactsOf) -> None:
    (exact,) = by_id(facts_of("eight-h100"), "gpu.count", {"gpu": {"count": 2}})
    assert (exact["status"], exact["part"]["name"]) == ("fail", "6 undeclared")
    (least,) = by_id(facts_of("eight-h100"), "gpu.count", {"gpu": {"count_min": 2}})
    assert least["status"] == "pass"


def test_a_slow_nic_is_named(facts_of: FactsOf) -> None:
    (found,) = by_id(facts_of("slow-nic"), "nic.speed", {"network": {"speed_mbps_min": 10000}})
    assert found["part"] == {
        "kind": "nic",
        "name": "ens1f0np0",
        "serial": "b8:ce:f6:00:00:01",
        "bdf": "0000:41:00.0",
        "slot": "5",
        "uuid": "",
        "port": "",
    }
    assert (found["observed"], found["expected"], found["unit"]) == (1000, 10000, "Mb/s")


def card(name: str, link: str, speed: int | None, bus: str = "pci") -> dict[str, Any]:
    return {"name": name, "physical": True, "link": link, "speed_mbps": speed, "bus": bus}


@pytest.mark.parametrize(
    ("nics", "links", "status", "observed", "name"),
    [
        ([card("a", "up", 1000), card("b", "down", None)], 1, "fail", 1000, "a"),
        ([card("a", "down", None), card("b", "down", None)], 1, "fail", 0, "a b"),
        ([card("a", "up", 10000), card("b", "up", 1000)], 1, "pass", 10000, "a"),
        ([card("a", "up", 10000), card("b", "up", 1000)], 2, "fail", 1000, "b"),
        ([card("a", "up", 10000), card("b", "up", None)], 2, "unknown", None, "b"),
        # A management controller's USB interface cannot turn a failure into an unknown.
        ([card("a", "up", 1000), card("usb0", "up", None, "usb")], 1, "fail", 1000, "a"),
        ([], 1, "fail", 0, "no network interface"),
    ],
)
def test_several_nics(
    healthy: dict[str, Any],
    nics: list,
    links: int,
    status: str,
    observed: int | None,
    name: str,
) -> None:
    healthy["nics"] = nics
    spec = {"network": {"speed_mbps_min": 10000, "links_min": links}}
    (found,) = by_id(healthy, "nic.speed", spec)
    assert (found["status"], found["observed"], found["part"]["name"]) == (status, observed, name)


def test_a_disk_is_named_by_serial(healthy: dict[str, Any]) -> None:
    (found,) = by_id(healthy, "disk.hdd", {"storage": {"hdd_tb_min": 24}})
    assert (found["part"]["name"], found["part"]["serial"]) == ("sda", "ZJV0A1B2")
    assert found["evidence"] == "HDD: sda 12 TB (serial ZJV0A1B2)"


def test_disks_of_unknown_kind_too_small_to_matter_leave_the_failure(
    healthy: dict[str, Any],
) -> None:
    put("disks", 0, "kind", value="unknown")(healthy)
    assert statuses(healthy, "disk.ssd") == {"unknown"}
    put("disks", 0, "size_bytes", value=10**12)(healthy)
    assert statuses(healthy, "disk.ssd") == {"fail"}


@pytest.mark.parametrize(
    ("name", "models", "matches"),
    [
        ("NVIDIA A100-SXM4-80GB", ["A100"], True),
        ("NVIDIA A100-SXM4-80GB", ["A10"], False),
        ("NVIDIA H200", ["H20"], False),
        ("NVIDIA GB200", ["B200"], False),
        ("NVIDIA L40S", ["L4", "L40"], False),
        ("NVIDIA GeForce RTX 4090", ["rtx 4090"], True),
        ("Tesla V100-PCIE-16GB", ["H100", "V100"], True),
        ("GH100 [H100 SXM5 80GB]", ["H100"], True),
    ],
)
def test_models_are_whole_words(name: str, models: list[str], matches: bool) -> None:
    assert is_model(name, models) is matches


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("schema", value=2), "not facts of schema 1"),
        (put("probes", value=None), "hardware.probes"),
        (put("cpu", value=[]), "hardware.cpu: must be a dict"),
        (put("disks", value=["sda"]), "hardware.disks: must be a list of mappings"),
        (lambda facts: facts.pop("nics"), "hardware.nics: missing"),
    ],
)
def test_facts_of_another_shape_are_refused(
    healthy: dict[str, Any], change: Change, message: str
) -> None:
    change(healthy)
    with pytest.raises(FactsError, match=message):
        verify(healthy, {})


def test_facts_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(FactsError):
        verify("garbage", {})


def _container(*, virtualization: str, link: str) -> dict[str, Any]:
    end = {"name": "eth0", "physical": False, "link": link, "speed_mbps": None, "mac": "02:00"}
    return {
        "nics": [end],
        "os": {"virtualization": virtualization},
        "probes": {"nics": {"status": "ok", "reason": "", "seconds": 0.0}},
    }


@pytest.mark.parametrize(
    ("virtualization", "link", "status"),
    [
        ("container", "up", "pass"),
        ("container", "down", "fail"),
        # On a node of its own, a virtual interface is no cable.
        ("none", "up", "fail"),
        ("vm", "up", "fail"),
    ],
)
def test_a_containers_own_links_count_and_nobody_elses(
    virtualization: str, link: str, status: str
) -> None:
    facts = _container(virtualization=virtualization, link=link)
    findings = NETWORK_CHECKS[0].judge(NETWORK_CHECKS[0], facts, {"links_min": 1})
    assert [finding["status"] for finding in findings] == [status]


GPUS = {"gpu": {"count_min": 1}}


def software_of(facts: dict[str, Any], name: str) -> dict[str, Any]:
    found = by_id(facts, "gpu.software", GPUS)
    return next(finding for finding in found if finding["part"]["name"] == name)


def test_a_skew_says_which_parts_differ_and_what_to_do(healthy: dict[str, Any]) -> None:
    healthy["gpu_software"].update(module_on_disk="580.95.05", library="580.95.05")

    finding = software_of(healthy, "driver")

    assert finding["status"] == "fail"
    assert finding["observed"] == ["580.65.06", "580.95.05"]
    assert "the loaded module is 580.65.06, the module on disk is 580.95.05" in finding["evidence"]
    assert finding["action"].startswith("Reboot, so that 580.95.05 is loaded")


def test_a_skewed_fabric_manager_is_repaired_by_the_role(healthy: dict[str, Any]) -> None:
    put("gpu_software", "fabricmanager", value="570.86.15")(healthy)

    finding = software_of(healthy, "driver")

    assert "the fabric manager is 570.86.15" in finding["evidence"]
    assert "--tags gpu" in finding["action"]


def test_a_pending_reboot_warns_and_says_why(healthy: dict[str, Any]) -> None:
    put("gpu_software", "reboot_reasons", value=["/run/reboot-required is there"])(healthy)

    finding = software_of(healthy, "reboot")

    assert (finding["status"], finding["severity"]) == ("warn", "warn")
    assert finding["evidence"] == "a reboot is pending: /run/reboot-required is there"
    assert verdict_of(by_id(healthy, "gpu.software", GPUS)) == "warn"


def test_a_driver_that_is_not_installed_fails_where_gpus_are_declared(
    healthy: dict[str, Any],
) -> None:
    for key in ("module_loaded", "module_on_disk", "library"):
        put("gpu_software", key, value=None)(healthy)

    finding = software_of(healthy, "driver")
    assert (finding["status"], finding["evidence"]) == ("fail", "NVIDIA's driver is not installed")
    (finding,) = by_id(healthy, "gpu.software", {"gpu": {"count": 0}})
    assert finding["status"] == "pass"


def test_a_skew_fails_even_on_a_node_that_is_declared_to_have_no_gpu(
    healthy: dict[str, Any],
) -> None:
    none = {"gpu": {"count": 0}}
    put("gpu_software", "module_on_disk", value=None)(healthy)
    assert {one["status"] for one in by_id(healthy, "gpu.software", none)} == {"pass"}

    put("gpu_software", "library", value="580.95.05")(healthy)
    assert {one["status"] for one in by_id(healthy, "gpu.software", none)} == {"fail"}


@pytest.mark.parametrize("count", [{"count_min": 1}, {"count": 0}])
def test_a_kernel_without_a_module_fails(healthy: dict[str, Any], count: dict[str, int]) -> None:
    """As after an upgrade of the kernel that nobody built the module for."""
    healthy["gpu_software"].update(
        module_loaded=None, module_on_disk=None, library="580.95.05", fabricmanager=None
    )

    (finding,) = [
        one
        for one in by_id(healthy, "gpu.software", {"gpu": count})
        if one["part"]["name"] == "driver" and one["status"] == "fail"
    ]

    assert "the running kernel has no module of NVIDIA's" in finding["evidence"]
    assert "--tags gpu" in finding["action"]


def test_a_container_has_its_hosts_module(healthy: dict[str, Any]) -> None:
    healthy["gpu_software"].update(
        module_loaded="580.95.05", module_on_disk=None, library="580.95.05", fabricmanager=None
    )

    assert software_of(healthy, "driver")["status"] == "unknown"


def test_an_unknown_order_of_kernels_is_no_pass(healthy: dict[str, Any]) -> None:
    said = "kernel 6.18.43-custom runs, and whether 6.18.44-custom is newer can't be told"
    put("gpu_software", "unread", value={"reboot": said})(healthy)
    finding = software_of(healthy, "reboot")
    assert (finding["status"], finding["evidence"]) == ("unknown", said)
    # What is known stays known.
    put("gpu_software", "reboot_reasons", value=["/run/reboot-required is there"])(healthy)
    assert software_of(healthy, "reboot")["status"] == "warn"


def test_a_pending_reboot_warns_where_a_driver_is_without_a_gpu(healthy: dict[str, Any]) -> None:
    put("gpu_software", "reboot_reasons", value=["/run/reboot-required is there"])(healthy)

    (finding,) = by_id(healthy, "gpu.software", {"gpu": {"count": 0}})

    assert finding["status"] == "warn"


def test_nouveau_on_a_blacklist_waits_for_a_reboot(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("nouveau"))
    assert facts["gpu_software"]["reboot_reasons"] == []
    assert {finding["status"] for finding in by_id(facts, "gpu.driver", GPUS)} == {"fail"}
