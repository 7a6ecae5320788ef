"""The version of the facts that ``hardware_info`` returns."""

from __future__ import annotations

#: Raised when a field changes its meaning.
FACTS_SCHEMA = 1
