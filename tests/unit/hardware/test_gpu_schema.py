"""Everything that nvidia-smi and NVML tell of a GPU is read, or is ignored on purpose."""

from __future__ import annotations

import inspect
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from gpu_boards import Board, smi_xml
from smi_texts import said

from ansible_collections.gpulab.core.plugins.module_utils.hardware import nvml
from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_ignored import (
    ELEMENTS,
    FIELDS,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia_smi import parse_smi

_HERE = Path(__file__).parent
# Paths below <gpu> of real outputs: A100 (driver 570), H100, B200, GB200, GB300 (580), T4, L40S
# (595), a Rubin board (615); and of V100 and earlier formats (470).
PATHS = (_HERE / "smi_paths.txt").read_text().split()
# NVML_FI_* of nvidia-ml-py 13.615.71; fields that there is one of for each link are one line.
NVML_FIELDS = (_HERE / "nvml_fields.txt").read_text().split()


def output(paths: list[str]) -> str:
    """Return an output of nvidia-smi whose GPU has these elements and no others."""
    gpu = ET.Element("gpu", id="00000000:01:00.0")
    for path in paths:
        element = gpu
        for step in path.split("/"):
            found = element.find(step)
            element = ET.SubElement(element, step) if found is None else found
        element.text = "N/A"
    text = ET.tostring(gpu, encoding="unicode")
    return f"<nvidia_smi_log><attached_gpus>1</attached_gpus>{text}</nvidia_smi_log>"


def test_every_element_of_a_real_output_is_read_or_ignored_on_purpose() -> None:
    (gpu,) = parse_smi(output(PATHS))["gpus"]
    assert gpu["unlisted"] == {}


@pytest.mark.parametrize(
    "path",
    [
        "ecc_errors/sm_repair_pending",
        "gpu_health",
        "remapped_rows/remapped_row_spare",
        "fabric/health/link_state",
        "remapped_caches/pending",
    ],
)
def test_a_new_element_is_noticed(path: str) -> None:
    (gpu,) = parse_smi(said(smi_xml([Board()]).stdout, path, "Yes"))["gpus"]
    assert gpu["unlisted"] == {path: "Yes"}


def test_nothing_is_ignored_without_a_reason() -> None:
    assert all(reason.strip() for reason in {**ELEMENTS, **FIELDS}.values())
    assert {path for path in ELEMENTS if path.startswith("/") or path.endswith("/")} == set()


@pytest.mark.parametrize("name", NVML_FIELDS)
def test_every_field_of_nvml_is_read_or_ignored_on_purpose(name: str) -> None:
    short = re.sub(r"^NVML_FI_(DEV_)?", "", name)
    is_read = name in inspect.getsource(nvml)
    assert is_read or short == "MAX" or any(short.startswith(begin) for begin in FIELDS), name


def test_no_field_that_is_read_is_on_the_list_of_those_that_are_not() -> None:
    asked = set(re.findall(r"NVML_FI_(?:DEV_)?(\w+)", inspect.getsource(nvml)))
    told = {"RESET_STATUS", "DRAIN_AND_RESET_STATUS", "GET_GPU_RECOVERY_ACTION"}
    assert told | {"PENDING_BANK_REMAPPING"} <= asked
    assert not [name for name in told if any(name.startswith(begin) for begin in FIELDS)]
