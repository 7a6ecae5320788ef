"""Questions with their references, and perhaps answers, from a file: one JSON object per line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpulab_bench.ratings import HIGHEST, LOWEST

KEYS = ("id", "question", "reference", "answer", "rating", "response_ms")


class QuestionsError(ValueError):
    """A file that cannot be used; the text names it, the line and the fix."""


@dataclass(frozen=True)
class Question:
    """One line of the file.

    Attributes:
        question: what is asked.
        references: right answers, one at least.
        answer: what the model said; None where it said nothing, or was not asked yet.
        rating: of the answer by a user, 1 to 5, or None.
        response_ms: how long the answer took, or None where the file does not say.
    """

    question: str
    references: tuple[str, ...]
    answer: str | None = None
    rating: float | None = None
    response_ms: float | None = None


def parse(path: Path, *, answered: bool) -> list[Question]:
    """Read a file of questions.

    Args:
        path: JSON objects, one on each line; empty lines are left out.
        answered: each line must say what the model answered (``answer``, null for no answer);
            else none may, since the model is about to be asked.

    Raises:
        QuestionsError: it cannot be read, holds no question, or a line is not as it should be.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise QuestionsError(msg) from error
    # Not splitlines(): a text may hold other line separators of Unicode, unescaped.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        msg = f"{path}: it holds no questions"
        raise QuestionsError(msg)
    return [_question(f"{path}, line {number}", line, answered) for number, line in lines]


def _question(place: str, line: str, answered: bool) -> Question:
    found = _object(place, line)
    unknown = sorted(set(found) - set(KEYS))
    if unknown:
        raise _error(place, f"unknown key {unknown[0]!r}: the keys are {', '.join(KEYS)}")
    references = found.get("reference")
    references = references if isinstance(references, list) else [references]
    if not references or not all(isinstance(one, str) for one in references):
        raise _error(place, "'reference' must be a text, or an array of texts that are all right")
    if not isinstance(found.get("question"), str) or not found["question"].strip():
        raise _error(place, "'question' must be a text")
    if answered and not isinstance(found.get("answer", 0), (str, type(None))):
        raise _error(place, "'answer' must be a text, or null where there was no answer")
    if not answered and "answer" in found:
        raise _error(place, "it has an 'answer' already: leave out --endpoint, or the answers")
    return Question(
        question=found["question"],
        references=tuple(references),
        answer=found.get("answer"),
        rating=_number(place, found, "rating", LOWEST, HIGHEST),
        response_ms=_number(place, found, "response_ms", 0, math.inf),
    )


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise _error(place, f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise _error(place, 'it must be an object, such as {"question": …, "reference": …}')
    return found


def _number(
    place: str, found: Mapping[str, Any], key: str, low: float, high: float
) -> float | None:
    value = found.get(key)
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        limits = f"from {low} to {high}" if math.isfinite(high) else f"of {low} or more"
        raise _error(place, f"{key!r} is {value!r}: it must be a number {limits}")
    return float(value)


def _error(place: str, what: str) -> QuestionsError:
    return QuestionsError(f"{place}: {what}")
