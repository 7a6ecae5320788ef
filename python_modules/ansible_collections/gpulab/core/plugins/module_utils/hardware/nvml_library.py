"""Find NVIDIA's Python binding of NVML (nvidia-ml-py, module `pynvml`), without installing it."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

# Where the framework's own environment keeps its packages, whatever Python it was made with.
FRAMEWORK_PACKAGES = "opt/gpulab/pytorch/lib/python3*/site-packages"


def find_pynvml(root: str = "/") -> ModuleType | None:
    """Return the module `pynvml`, or None where it is not installed.

    Looks in this Python first, then in the framework's environment: the binding is one file without
    other parts, so it runs under any Python. Nothing is initialised.
    """
    try:
        found = importlib.import_module("pynvml")
    except Exception:  # whatever a broken installation raises, it is not usable
        found = None
    if _is_binding(found):
        return found
    for folder in sorted(Path(root).glob(FRAMEWORK_PACKAGES), reverse=True):
        found = _load(folder / "pynvml.py")
        if _is_binding(found):
            return found
    return None


def _load(path: Path) -> ModuleType | None:
    """Load one file as a module of its own; None where that fails."""
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("gpulab_pynvml", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception:  # a file for another Python, or half a file
        return None
    return module


def _is_binding(module: ModuleType | None) -> bool:
    return all(hasattr(module, name) for name in ("nvmlInit", "nvmlShutdown", "NVMLError"))
