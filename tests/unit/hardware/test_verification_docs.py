"""docs/verification.md says what the catalogue says."""

from __future__ import annotations

from verification_page import page

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import CATALOGUE


def test_every_check_is_on_the_page() -> None:
    text = page()
    assert [check.id for check in CATALOGUE if f"`{check.id}` |" not in text] == []
