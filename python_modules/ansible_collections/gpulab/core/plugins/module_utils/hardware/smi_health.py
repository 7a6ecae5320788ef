"""What the driver itself says in ``nvidia-smi -q -x`` of a GPU's health: recovery and fabric."""

from __future__ import annotations

from .gpu_facts import FABRIC_HEALTH
from .smi_element import Element, is_absent

_ACTION = "recovery_action"


def recovery_action(gpu: Element) -> str | None:
    """Return what the driver asks for, in its words ("None" if nothing); null if it does not tell.

    Drivers 535 to 565 say so by two switches, later ones by a word and leave the switches empty.
    """
    word = gpu.text(_ACTION, "gpu_recovery_action")
    asked = [
        action
        for name, action in (
            ("drain_and_reset_recommended", "Drain and Reset"),
            ("reset_required", "Reset"),
        )
        if gpu.switch(f"{_ACTION}.{name}", f"gpu_reset_status/{name}")
    ]
    told = {f"{_ACTION}.drain_and_reset_recommended", f"{_ACTION}.reset_required"}
    silent = told <= {*gpu.unsupported, *gpu.unread}
    gpu.unsupported -= told
    if word not in (None, "None"):
        return word
    if not silent:
        gpu.unsupported.discard(_ACTION)
    return asked[-1] if asked else word if silent else "None"


def fabric_state(gpu: Element) -> str | None:
    """Return whether the GPU has joined the NVSwitch fabric: ``completed``, and how if not well."""
    state = gpu.text("fabric_state", "fabric/state")
    status = gpu.said("fabric/status").strip("[]")
    if state is None:
        return None
    state = state.lower().replace(" ", "_")
    # Any word beside success is one of a failure, an error of reading it included.
    well = is_absent(status) or status == "Success"
    return state if well else f"{state} with {status}"


def fabric_health(gpu: Element) -> dict[str, str] | None:
    """Return the words of the fabric's health by their name; None where none is told.

    Since driver 570. A driver may say it of the whole in one word: that is the summary.
    """
    found = gpu.element.find("fabric/health")
    names = FABRIC_HEALTH if found is not None and len(found) else FABRIC_HEALTH[:1]
    told = {}
    for name in names:
        word = gpu.text(f"fabric_health.{name}", f"fabric/health/{name}")
        gpu.unsupported.discard(f"fabric_health.{name}")
        if word is not None:
            told[name] = word
    return told or None


def fabric_cluster(gpu: Element) -> str | None:
    """Return the fabric that spans nodes and that this GPU is in; None where there is none."""
    cluster = gpu.text("fabric_cluster", "fabric/clusterUuid")
    gpu.unsupported.discard("fabric_cluster")
    return cluster if cluster and cluster.strip("0-") else None
