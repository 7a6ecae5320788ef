"""Changes of a healthy document, and what each check answers to them."""

from __future__ import annotations

from typing import Any, Callable

Document = dict[str, Any]
Change = Callable[[Document], None]


def put(*path: str, value: object) -> Change:
    """A change that sets one value of a document."""

    def change(document: Document) -> None:
        here = document
        for key in path[:-1]:
            here = here[key]
        here[path[-1]] = value

    return change


def stopped_by_budget(document: Document) -> None:
    document.update(partial=True, stopped_by="budget", evaluation=None)


def halved(document: Document) -> None:
    """The loss falls to the limit, and no further."""
    document["training"].update(loss_first=3.0, loss_last=1.5)


def even_steps(document: Document) -> None:
    """All steps take one time, and half of them all of the training's."""
    document["training"]["step_s"].update(n=100, median=0.01, p95=0.01)
    document["durations_s"]["train"] = 0.5


CASES = [
    ("nonfinite", None, "pass"),
    ("nonfinite", put("training", "nonfinite_steps", value=1), "fail"),
    ("nonfinite", put("training", value=None), "unknown"),
    ("nonfinite", put("training", "nonfinite_steps", value=float("nan")), "unknown"),
    ("nonfinite", put("training", "steps_done", value=0), "unknown"),
    ("loss_falls", None, "pass"),
    ("loss_falls", put("training", "loss_last", value=3.4), "fail"),
    ("loss_falls", halved, "pass"),
    ("loss_falls", put("training", "loss_last", value=None), "unknown"),
    ("loss_falls", put("training", "loss_first", value=0), "unknown"),
    ("loss_falls", stopped_by_budget, "unknown"),
    ("exact_match", None, "pass"),
    ("exact_match", put("evaluation", "exact_match", value=0.89), "fail"),
    # The limit itself passes; each score of another kind says nothing here.
    ("exact_match", put("evaluation", "exact_match", value=0.9), "pass"),
    ("exact_match", put("evaluation", "token_accuracy", value=0.1), "pass"),
    ("exact_match", put("evaluation", value=None), "unknown"),
    ("exact_match", put("evaluation", "exact_match", value="1.0"), "unknown"),
    ("exact_match", put("evaluation", "items", value=0), "unknown"),
    ("time_budget", None, "pass"),
    ("time_budget", put("wall_s", value=135), "pass"),
    ("time_budget", put("wall_s", value=135.1), "fail"),
    ("time_budget", put("wall_s", value=136), "fail"),
    ("time_budget", stopped_by_budget, "fail"),
    ("time_budget", put("wall_s", value=None), "unknown"),
    ("step_time", None, "pass"),
    ("step_time", put("training", "step_s", "median", value=0.0), "fail"),
    ("step_time", put("training", "step_s", "p95", value=0.001), "fail"),
    ("step_time", put("training", "step_s", "median", value=0.09), "fail"),
    ("step_time", put("durations_s", "train", value=0.1), "fail"),
    ("step_time", even_steps, "pass"),
    ("step_time", put("training", "step_s", "n", value=0), "unknown"),
    ("step_time", put("training", value=None), "unknown"),
    ("step_jitter", None, "pass"),
    ("step_jitter", put("training", "step_s", "p95", value=0.15), "warn"),
    ("step_jitter", put("training", "step_s", "p95", value=None), "unknown"),
]
