"""How GPUs are set, as nvidia-smi tells it, against what ``node_gpu`` declares. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENABLED, DISABLED = "Enabled", "Disabled"
# Watts that a card may round a limit by.
_ROUNDING_W = 1.0


@dataclass(frozen=True)
class GpuSettings:
    """One GPU's settings; a mode or limit that the card does not have is None.

    Attributes:
        bus_id: as nvidia-smi writes it.
        power_limit: in watts, as the minimum and maximum.
        ecc: ``Enabled`` or ``Disabled``, current and pending (after the next reboot).
        mig: likewise.
        persistence: ``Enabled`` or ``Disabled``, now.
    """

    bus_id: str
    power_limit: float | None
    power_min: float | None
    power_max: float | None
    ecc: tuple[str | None, str | None]
    mig: tuple[str | None, str | None]
    persistence: str | None


def judge_settings(text: str, wanted: Mapping[str, Any]) -> dict[str, list[str]]:
    """Say how GPUs and declaration differ.

    Args:
        text: of ``nvidia-smi --query-gpu=pci.bus_id,power.limit,power.min_limit,power.max_limit,
            ecc.mode.current,ecc.mode.pending,mig.mode.current,mig.mode.pending,persistence_mode
            --format=csv,noheader,nounits``.
        wanted: ``node_gpu``.

    Returns:
        ``refused``: what no setting can reach on these cards; ``off``: what is not set as declared;
        ``pending``: what is set, and waits for a reboot.
    """
    gpus = parse_settings(text)
    return {
        "refused": [line for gpu in gpus for line in _refused(gpu, wanted)],
        "off": [line for gpu in gpus for line in _off(gpu, wanted)],
        "pending": [line for gpu in gpus for line in _pending(gpu)],
    }


def parse_settings(text: str) -> list[GpuSettings]:
    """Return the GPUs of the query that `judge_settings` names; other lines are left out.

    The last column may be missing: whoever asks without it wants nothing of it.
    """
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    return [
        GpuSettings(
            bus_id=row[0],
            power_limit=_watts(row[1]),
            power_min=_watts(row[2]),
            power_max=_watts(row[3]),
            ecc=(_mode(row[4]), _mode(row[5])),
            mig=(_mode(row[6]), _mode(row[7])),
            persistence=_mode(row[8]) if len(row) > 8 else None,
        )
        for row in rows
        if len(row) in (8, 9)
    ]


def mig_is_laid_out(listed: str, wanted: Sequence[str]) -> bool:
    """Tell from ``nvidia-smi --list-gpus`` whether every GPU is cut into these MIG profiles."""
    gpus = re.split(r"^GPU \d+:", listed, flags=re.MULTILINE)[1:]
    found = [sorted(re.findall(r"^\s+MIG (\S+)\s+Device", gpu, re.MULTILINE)) for gpu in gpus]
    return bool(gpus) and all(profiles == sorted(wanted) for profiles in found)


def _watts(cell: str) -> float | None:
    return float(cell) if re.fullmatch(r"\d+(\.\d+)?", cell, re.ASCII) else None


def _mode(cell: str) -> str | None:
    return cell if cell in (ENABLED, DISABLED) else None


def _refused(gpu: GpuSettings, wanted: Mapping[str, Any]) -> list[str]:
    lines = []
    limit, least, most = wanted.get("power_limit_w"), gpu.power_min, gpu.power_max
    if limit is not None and (least is None or most is None):
        lines.append(f"GPU {gpu.bus_id} has no power limit to set: remove node_gpu.power_limit_w")
    elif limit is not None and not least <= limit <= most:
        lines.append(
            f"node_gpu.power_limit_w is {limit}, and GPU {gpu.bus_id} takes {least:g} to {most:g} W"
        )
    if "ecc" in wanted and gpu.ecc[1] is None:
        lines.append(f"GPU {gpu.bus_id} has no ECC to switch: remove node_gpu.ecc")
    if wanted.get("mig") and gpu.mig[1] is None:
        lines.append(f"GPU {gpu.bus_id} has no MIG: remove node_gpu.mig")
    return lines


def _off(gpu: GpuSettings, wanted: Mapping[str, Any]) -> list[str]:
    lines = []
    limit = wanted.get("power_limit_w")
    if limit is not None and (
        gpu.power_limit is None or abs(gpu.power_limit - limit) > _ROUNDING_W
    ):
        now = "unknown" if gpu.power_limit is None else f"{gpu.power_limit:g}"
        lines.append(
            f"node_gpu.power_limit_w is {limit}, and the limit of GPU {gpu.bus_id} is {now}"
        )
    if "ecc" in wanted and gpu.ecc[1] != (ENABLED if wanted["ecc"] else DISABLED):
        lines.append(
            f"node_gpu.ecc is {wanted['ecc']}, and GPU {gpu.bus_id} will have {gpu.ecc[1]}"
        )
    if wanted.get("persistence", True) and gpu.persistence == DISABLED:
        lines.append(
            f"node_gpu.persistence is true, and persistence mode of GPU {gpu.bus_id} is off"
        )
    return lines


def _pending(gpu: GpuSettings) -> list[str]:
    return [
        f"{name} of GPU {gpu.bus_id} is {current} and will be {pending} after a reboot"
        for name, (current, pending) in (("ECC", gpu.ecc), ("MIG mode", gpu.mig))
        if current != pending and pending is not None
    ]
