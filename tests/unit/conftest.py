"""What holds for all unit tests."""

from __future__ import annotations

from hypothesis import settings

# No deadline: what is tested is what comes out, and a loaded machine may take its time.
settings.register_profile("gpulab", deadline=None)
settings.load_profile("gpulab")
