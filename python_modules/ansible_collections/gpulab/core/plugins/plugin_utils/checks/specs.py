"""Hardware specs: what a kind of node must have. Built-in ones, validation, and inheritance.

A spec is a mapping of sections, each a mapping of requirements; what is absent is not required. A
spec may extend another: a requirement of its own replaces the inherited one of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .gpu_models import DATA_CENTRE

Spec = dict[str, Any]

# Requirement -> (type that its value must have, what that means in words). bool is checked apart,
# because Python's bool is an int.
_COUNT = ((int,), "a whole number of at least 0")
_AMOUNT = ((int, float), "a number of at least 0")
_WORDS = ((list,), "a list of words")
_YES_NO = ((bool,), "true or false")
_VERSION = ((str,), "a version in quotes, such as '580.95.05' or '580'")
_WORD = ((str,), "a word")

REQUIREMENTS: dict[str, dict[str, tuple[tuple[type, ...], str]]] = {
    "cpu": {
        "architecture": ((str,), "x86_64 or aarch64"),
        "sockets_min": _COUNT,
        "cores_min": _COUNT,
        "numa_nodes_min": _COUNT,
        "governor": _WORD,
        "clocksources": _WORDS,
    },
    "memory": {
        "gib_min": _AMOUNT,
        "dimms_min": _COUNT,
        "dimm_slots": _WORDS,
        "dimm_gib_min": _AMOUNT,
        "speed_mts_min": _COUNT,
        "rated_speed": _YES_NO,
        "balanced": _YES_NO,
        "ecc": _YES_NO,
        "corrected_max": _COUNT,
    },
    "storage": {
        "ssd_tb_min": _AMOUNT,
        "hdd_tb_min": _AMOUNT,
        "smart": _YES_NO,
        # Judged by the benchmark, which measures them.
        "read_mbs_min": _AMOUNT,
        "write_mbs_min": _AMOUNT,
    },
    "network": {
        "speed_mbps_min": _COUNT,
        "links_min": _COUNT,
        "round_trip_ms_max": _AMOUNT,
        "errors_max": _COUNT,
        "link_losses_max": _COUNT,
    },
    "infiniband": {"ports_min": _COUNT, "rate_gbps_min": _AMOUNT, "errors_max": _COUNT},
    "system": {
        "psus_min": _COUNT,
        "fans_min": _COUNT,
        "sensors": _YES_NO,
        "event_log": _YES_NO,
        "intrusion": _YES_NO,
    },
    "topology": {"gpu_nic_local": _YES_NO, "peer_direct": _YES_NO},
    "gpu": {
        "count": _COUNT,
        "count_min": _COUNT,
        "models": _WORDS,
        "memory_gib_min": _AMOUNT,
        "driver_version": _VERSION,
        "cuda_version_min": _VERSION,
        "vbios_versions": _WORDS,
        "ecc": _YES_NO,
        "power_limit_w": _AMOUNT,
        "link_width": _COUNT,
        "link_generation": _COUNT,
        "nvlinks": _COUNT,
        "gpudirect": _YES_NO,
        "containers": _YES_NO,
    },
    "clock": {"synchronised": _YES_NO},
}
# Whatever a spec asks of GPUs, they must be there and sound.
ANY_GPU = tuple(REQUIREMENTS["gpu"])
_TEXTS = ("description", "extends")

BUILTIN_SPECS: dict[str, Spec] = {
    # The lab's hardware guide, "Minimum hardware of a compute node". It asks for two GPUs or
    # better, so more than two are fine, and names their class, which the list spells out as the
    # data-centre GPUs from V100 on.
    "compute-minimum": {
        "description": "The least that a compute node must have to train models",
        "cpu": {"cores_min": 16},
        "memory": {"gib_min": 128},
        "storage": {"ssd_tb_min": 2, "hdd_tb_min": 10},
        "network": {"speed_mbps_min": 10000, "links_min": 1},
        "gpu": {
            "count_min": 2,
            "models": [*DATA_CENTRE, "RTX PRO 6000"],
        },
        "clock": {"synchronised": True},
    },
}


class SpecError(ValueError):
    """A spec can't be used; the message names the spec, the key and the fix."""


class UnknownSpecError(SpecError):
    """A spec's name, or the name that a spec extends, is not declared."""


class SpecCycleError(SpecError):
    """Specs extend each other in a circle."""


def resolve_spec(name: str, specs: Mapping[str, Any]) -> Spec:
    """Return the spec with everything that it inherits.

    Args:
        name: The spec's name, in `specs` or built in.
        specs: The lab's specs by name; one named like a built-in spec replaces it.

    Returns:
        The spec without ``extends``, with the ``description`` of the named spec itself.

    Raises:
        UnknownSpecError: The name, or one that it extends, is not declared.
        SpecCycleError: The specs extend each other in a circle.
        SpecError: A spec on the way is malformed.
    """
    known: dict[str, Any] = {**BUILTIN_SPECS, **specs}
    chain: list[str] = []
    following: Any = name
    while following is not None:
        if following in chain:
            circle = " -> ".join([*chain, following])
            raise SpecCycleError(
                f"lab_hardware_specs.{chain[-1]}.extends: specs extend each other in a circle "
                f"({circle}); remove one of these extends"
            )
        if following not in known:
            where = f"lab_hardware_specs.{chain[-1]}.extends" if chain else "node_hardware_spec"
            raise UnknownSpecError(
                f"{where}: there is no hardware spec {following!r}; known: "
                f"{', '.join(sorted(known))}"
            )
        errors = spec_errors(following, known[following])
        if errors:
            raise SpecError("; ".join(errors))
        chain.append(following)
        following = known[following].get("extends")
    resolved: Spec = {"description": known[name].get("description", "")}
    for ancestor in reversed(chain):
        for section in REQUIREMENTS:
            if section in known[ancestor]:
                resolved[section] = _merged(resolved.get(section, {}), known[ancestor][section])
    return resolved


def _merged(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section's requirements, its own above those that it inherits."""
    # An exact number and a least number answer the same question: the nearer one holds.
    replaced = {"count", "count_min"} if {"count", "count_min"} & set(own) else set()
    return {**{key: inherited[key] for key in inherited if key not in replaced}, **own}


def spec_errors(name: str, spec: object) -> list[str]:
    """Return what is wrong with one declared spec, each with its key and the fix; [] if sound."""
    where = f"lab_hardware_specs.{name}"
    if not isinstance(spec, Mapping):
        return [f"{where}: must be a mapping of sections ({', '.join(REQUIREMENTS)})"]
    errors = [
        f"{where}.{key}: must be text" for key in _TEXTS if not isinstance(spec.get(key, ""), str)
    ]
    for section, content in spec.items():
        if section in _TEXTS:
            continue
        allowed = REQUIREMENTS.get(section)
        if allowed is None:
            choice = ", ".join([*_TEXTS, *REQUIREMENTS])
            errors.append(f"{where}.{section}: unknown section; known: {choice}")
        elif not isinstance(content, Mapping):
            errors.append(f"{where}.{section}: must be a mapping of {', '.join(allowed)}")
        else:
            for key, value in content.items():
                errors += _requirement_errors(f"{where}.{section}.{key}", key, value, allowed)
    return errors


def _requirement_errors(
    where: str, key: str, value: object, allowed: Mapping[str, tuple[tuple[type, ...], str]]
) -> list[str]:
    if key not in allowed:
        return [f"{where}: unknown requirement; known: {', '.join(allowed)}"]
    types, meaning = allowed[key]
    sound = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if sound and isinstance(value, (int, float)):
        sound = value >= 0
    if sound and isinstance(value, list):
        sound = bool(value) and all(isinstance(word, str) and word.strip() for word in value)
    if sound and isinstance(value, str):
        sound = bool(value.strip())
    if sound and key == "architecture":
        sound = value in ("x86_64", "aarch64")
    if sound and allowed[key] is _VERSION:
        sound = re.fullmatch(r"\d+(\.\d+)*", str(value), re.ASCII) is not None
    return [] if sound else [f"{where}: must be {meaning}, not {value!r}"]
