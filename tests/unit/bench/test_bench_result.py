"""The document against its published schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from gpulab_bench.config import PRESETS
from gpulab_bench.profiles import PROFILES
from gpulab_bench.result import Report, to_json, training_section
from gpulab_bench.stats import mean, quantile

XS = PRESETS["xs"]
SMOKE = PROFILES["smoke"]


def errors(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(document)]


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def test_complete_documents_are_valid(
    cpu_document: dict[str, Any], gpu_document: dict[str, Any], schema: dict[str, Any]
) -> None:
    assert errors(cpu_document, schema) == []
    assert errors(gpu_document, schema) == []
    assert cpu_document["partial"] is False


def test_a_run_that_reached_nothing_is_valid_and_partial(schema: dict[str, Any]) -> None:
    report = Report(XS, SMOKE, 1, "auto")
    report.error = {"kind": "framework", "message": "ImportError: libcudart.so"}
    document = report.document(0.1)
    assert errors(document, schema) == []
    assert document["partial"] is True
    assert document["training"] is None


def test_a_run_stopped_in_the_warmup_is_valid_and_has_no_times(schema: dict[str, Any]) -> None:
    report = Report(XS, SMOKE, 1, "cpu", stopped_by="budget")
    training = training_section(XS, [3.5, None], [0.1, 0.1], 1, 0)
    report.results["train"] = {
        "status": "stopped",
        "data": {"training": training, "memory": None},
        "error": None,
        "reason": "",
        "seconds": 0.2,
        "started": 100.0,
        "ended": 100.2,
        "windows": {},
    }
    document = report.document(0.5)
    assert errors(document, schema) == []
    assert document["training"]["step_s"] == {"n": 0, "mean": None, "median": None, "p95": None}
    assert document["training"]["tokens_per_s"] is None
    assert document["training"]["loss_first"] == 3.5


@pytest.mark.parametrize("key", ["partial", "training", "device"])
def test_a_document_that_lacks_a_key_is_invalid(
    key: str, cpu_document: dict[str, Any], schema: dict[str, Any]
) -> None:
    del cpu_document[key]
    assert errors(cpu_document, schema) == [f"'{key}' is a required property"]


def test_times_leave_the_warmup_out() -> None:
    section = training_section(XS, [1.0] * 20, [9.0] * XS.warmup_steps + [0.1, 0.2, 0.3], 0, 0)
    assert section["step_s"]["n"] == 3
    assert section["step_s"]["median"] == pytest.approx(0.2)
    assert section["tokens_per_s"] == pytest.approx(XS.tokens_per_step / 0.2)
    assert section["epoch_s"] == pytest.approx(XS.task.train_items / XS.batch_items * 0.2)


def test_a_number_that_is_not_finite_never_becomes_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"loss": float("nan")})
    assert json.loads(to_json({"loss": None})) == {"loss": None}


@pytest.mark.parametrize(("q", "expected"), [(0.0, 1.0), (0.5, 2.5), (0.95, 3.85), (1.0, 4.0)])
def test_quantiles_interpolate_as_numpy_does(q: float, expected: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], q) == pytest.approx(expected)


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_mean_leaves_out_what_is_not_finite() -> None:
    assert mean([1.0, None, 3.0]) == 2.0
    assert mean([None]) is None
