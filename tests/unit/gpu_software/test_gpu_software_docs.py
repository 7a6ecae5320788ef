"""docs/gpu-software.md says what the catalogue says."""

from __future__ import annotations

from gpu_software_page import page

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    BRANCHES,
    TOOLKITS,
)


def test_the_page_is_complete() -> None:
    text = page()
    assert [name for name in (*BRANCHES, *TOOLKITS) if f"| {name} |" not in text] == []
