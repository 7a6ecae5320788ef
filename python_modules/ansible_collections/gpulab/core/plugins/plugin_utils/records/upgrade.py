"""Read records that an earlier gpulab wrote."""

from __future__ import annotations

from typing import Any

_OLD, _NEW = "smoke", "benchmark"


def to_present(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in its present form; what is not of a former one stays as it is.

    Nothing is checked here: what does not fit the schema now is refused by whoever reads it.

    Schema 2 (until 2026-11) had ``smoke`` for ``benchmark``, as a key and in the checks' names, and
    did not keep how the benchmark's program had ended (``training.measured``).
    """
    if record.get("schema") != 2:
        return record
    upgraded = {(_NEW if key == _OLD else key): value for key, value in record.items()}
    upgraded["schema"] = 3
    if isinstance(checks := record.get("checks"), list):
        upgraded["checks"] = [_check(check) for check in checks]
    if isinstance(training := record.get("training"), dict):
        upgraded["training"] = {**training, "measured": None}
    return upgraded


def _check(check: object) -> object:
    if not isinstance(check, dict) or not str(check.get("id")).startswith(f"{_OLD}."):
        return check
    return {**check, "id": _NEW + str(check["id"]).removeprefix(_OLD)}
