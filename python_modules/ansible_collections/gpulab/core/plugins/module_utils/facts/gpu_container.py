"""Whether containers get the node's GPUs, where the lab declares the container toolkit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ..gpu_software.container_proof import Request, prove
from ..gpu_software.kernel_modules import loaded_version
from ..hardware.pci import is_nvidia, read_gpus
from ..hardware.sysfs import Tree
from ..hardware.tools import RunTool

_ENGINES = ("podman", "docker")
Prove = Callable[[Request], tuple[list[str], list[str]]]


def read_gpu_container(
    tree: Tree, run: RunTool, toolkit: Mapping[str, str] | None, prove_request: Prove = prove
) -> dict[str, Any]:
    """Return what containers get of the GPUs.

    ``asked`` is false where the lab declares no toolkit, ``tried`` where no container was started;
    ``proved`` and ``problems`` are sentences.

    Args:
        tree: The node's files.
        run: How to run a tool.
        toolkit: ``version``, ``spec`` and ``image`` of the container toolkit; None where the lab
            declares none.
        prove_request: Does the proof.
    """
    if toolkit is None:
        return {"asked": False, "tried": False, "proved": [], "problems": []}
    gpus = sum(is_nvidia(gpu) for gpu in read_gpus(tree))
    engines = [name for name in _ENGINES if run((name, "--version")).rc == 0]
    proved, problems = prove_request(
        Request(
            version=toolkit["version"],
            spec=toolkit["spec"],
            engines=engines,
            image=toolkit["image"],
            gpus=gpus,
            loaded=loaded_version(tree) or "",
        )
    )
    if not engines:
        problems = [*problems, f"no container engine is installed ({' or '.join(_ENGINES)})"]
    tried = bool(gpus and engines and toolkit["image"])
    return {"asked": True, "tried": tried, "proved": proved, "problems": problems}
