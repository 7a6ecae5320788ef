# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""What the modules that prove a part of the GPU software have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that say what a node's GPUs are."""

    DOCUMENTATION = r"""
options:
  gpus:
    description: NVIDIA GPUs on the PCI bus.
    type: int
    required: true
  loaded:
    description: Version of the loaded driver module; empty where none is.
    type: str
    default: ""
"""
