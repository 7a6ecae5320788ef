"""Read records that an earlier gpulab wrote."""

from __future__ import annotations

from typing import Any

_OLD, _NEW = "smoke", "benchmark"


def to_present(record: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a record in its present form; what is not of a former one stays as it is.

    Schema 2 (until 2026-11) had ``smoke`` for ``benchmark``, as a key and in the checks' names, and
    did not keep how the benchmark's program had ended (``training.measured``).
    """
    if not isinstance(record, dict) or record.get("schema") != 2:
        return record
    upgraded = {(_NEW if key == _OLD else key): value for key, value in record.items()}
    training = record.get("training")
    return upgraded | {
        "schema": 3,
        "checks": [{**check, "id": check_id(str(check["id"]))} for check in record["checks"]],
        "training": {**training, "measured": None} if training else training,
    }


def check_id(name: str) -> str:
    """Return today's name of a check."""
    return _NEW + name.removeprefix(_OLD) if name.startswith(f"{_OLD}.") else name
