"""Evaluate a model of the user's own: its accuracy, how fast it answers, how content its users are.

Either asks an endpoint the questions of a file, or scores the answers that the file has already.
Progress on stderr, one JSON document at the end, by ``schemas/evaluation.schema.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

from gpulab_bench import __version__, ratings
from gpulab_bench.service import text_scores
from gpulab_bench.service.endpoint import EndpointError, Model, Reply
from gpulab_bench.service.measure import Asked, ask_all
from gpulab_bench.service.questions import Question, QuestionsError, parse
from gpulab_bench.stats import mean, median_interval, quantile
from gpulab_bench.stop import Stop

SCHEMA = 1
EXIT_ERROR, EXIT_STOPPED = 1, 6
# Its name in every library of OpenAI's interface. Never an argument: those are seen by all users.
KEY_VARIABLE = "OPENAI_API_KEY"
# Requests before anything is measured, of each client. They are not counted.
WARMUP = 2


def make_parser() -> argparse.ArgumentParser:
    """The command line; a wrong one exits with 2."""
    parser = argparse.ArgumentParser(
        prog="gpulab_bench evaluate",
        description=__doc__,
        epilog=f"{KEY_VARIABLE} in the environment is sent to the endpoint. Exit status: 0 done, "
        f"{EXIT_ERROR} the endpoint answered nothing, 2 wrong arguments or file, {EXIT_STOPPED} "
        "stopped early (the document is partial).",
    )
    parser.add_argument("questions", type=Path, metavar="FILE", help="JSONL; see docs/benchmark.md")
    parser.add_argument("--endpoint", metavar="URL", help="such as http://node01:8000/v1")
    parser.add_argument("--model", metavar="NAME", help="its name at the endpoint")
    parser.add_argument("--instruction", default="", metavar="TEXT", help="before each question")
    parser.add_argument("--max-tokens", type=_count, default=256, metavar="N", help="of an answer")
    parser.add_argument("--clients", type=_count, default=1, metavar="N", help="that ask at once")
    parser.add_argument("--timeout-s", type=_count, default=60, metavar="N", help="for an answer")
    parser.add_argument(
        "--labels", action="store_true", help="references are labels: average over the labels"
    )
    parser.add_argument(
        "--ratings", type=Path, metavar="FILE", help="users' ratings, 1 to 5, as CSV or JSON"
    )
    parser.add_argument("--budget-s", type=_count, metavar="N", help="stop after this time")
    parser.add_argument("--json", default="-", metavar="PATH", help="where the document goes")
    return parser


def main(argv: list[str], progress: Callable[[str], None]) -> int:
    """Evaluate, and print the document.

    Returns:
        The exit status.
    """
    parser = make_parser()
    arguments = parser.parse_args(argv)
    started, began = datetime.now(timezone.utc), time.perf_counter()
    stop = Stop(arguments.budget_s, began)
    stop.listen()
    if bool(arguments.endpoint) != bool(arguments.model):
        parser.error("--endpoint and --model belong together")
    try:
        model = _model(arguments)
        questions = parse(arguments.questions, answered=model is None)
        user = _user(arguments.ratings, questions)
    except (EndpointError, QuestionsError, ratings.RatingsError) as error:
        parser.error(str(error))
    asked = None if model is None else _ask(model, questions, arguments.clients, stop, progress)
    replies = _given(questions) if asked is None else asked.replies
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "started": started.isoformat(timespec="seconds"),
        "wall_s": time.perf_counter() - began,
        "stopped_by": stop.reason() if len(replies) < len(questions) else None,
        "model": None if model is None else {"endpoint": model.url, "name": model.name},
        "questions": len(questions),
        "accuracy": accuracy(questions, replies, labels=arguments.labels),
        "service": service(replies, asked, arguments.clients),
        "reliability": reliability(replies),
        "user": user,
    }
    text = json.dumps(document, allow_nan=False) + "\n"
    if arguments.json == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        Path(arguments.json).write_text(text, encoding="utf-8")
    for line in told(document):
        progress(line)
    if document["stopped_by"] is not None:
        return EXIT_STOPPED
    return EXIT_ERROR if all(reply.text is None for reply in replies.values()) else 0


def accuracy(
    questions: Sequence[Question], replies: Mapping[int, Reply], *, labels: bool
) -> dict[str, Any] | None:
    """Return the section ``accuracy``, over the questions that were come to; None without any.

    A request that failed is a wrong answer: who asked has none.
    """
    numbers = sorted(replies)
    if not numbers:
        return None
    answers = [replies[number].text for number in numbers]
    references = [questions[number].references for number in numbers]
    if labels:
        found = text_scores.label_scores(answers, references)
    else:
        found = text_scores.mean_scores(
            [text_scores.score(*each) for each in zip(answers, references)]
        )
    return {
        "items": len(numbers),
        "average": "labels" if labels else "answers",
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "pass_at_1": found.exact,
    }


def service(
    replies: Mapping[int, Reply], asked: Asked | None, clients: int
) -> dict[str, Any] | None:
    """Return the section ``service``; None where nobody knows how long an answer took.

    Args:
        replies: by the number of the question; of a file, ``seconds`` below 0 are not known.
        asked: how the endpoint was asked; None of a file.
        clients: that asked it at once.
    """
    numbers = sorted(replies)
    milliseconds = [
        1000 * replies[number].seconds
        for number in numbers
        if replies[number].text is not None and replies[number].seconds >= 0
    ]
    if not milliseconds:
        return None
    rate = len(milliseconds) / asked.seconds if asked and asked.seconds > 0 else None
    return {
        "clients": clients if asked else None,
        "warmup_requests": WARMUP * clients if asked else None,
        "answers": len(milliseconds),
        "seconds": asked.seconds if asked else None,
        "requests_per_s": rate,
        "response_ms": {
            "mean": mean(milliseconds),
            "p50": quantile(milliseconds, 0.5),
            "p95": quantile(milliseconds, 0.95),
            "p99": quantile(milliseconds, 0.99),
        },
        "response_ms_95": median_interval(milliseconds),
    }


def reliability(replies: Mapping[int, Reply]) -> dict[str, Any]:
    """Return the section ``reliability``: how many requests failed, and why."""
    failures = [reply.failure for reply in replies.values() if reply.text is None]
    return {
        "requests": len(replies),
        "failed": len(failures),
        "error_rate": len(failures) / len(replies) if replies else None,
        "failures": dict(Counter(failures).most_common(10)),
    }


def told(document: Mapping[str, Any]) -> list[str]:
    """Return the document in lines for a person."""
    scores, speed, user = document["accuracy"], document["service"], document["user"]
    failed = document["reliability"]
    lines = []
    if scores:
        lines.append(
            f"accuracy over {scores['items']} of {document['questions']} questions: "
            f"precision {scores['precision']:.3f}, recall {scores['recall']:.3f}, "
            f"F1 {scores['f1']:.3f}, pass@1 {scores['pass_at_1']:.3f}"
        )
    if speed:
        times = speed["response_ms"]
        rate = speed["requests_per_s"]
        per_s = "" if rate is None else f"{rate:.2f} requests/s from {speed['clients']} clients, "
        lines.append(
            f"{per_s}response {times['mean']:.0f} ms (p50 {times['p50']:.0f}, "
            f"p95 {times['p95']:.0f}, p99 {times['p99']:.0f})"
        )
    lines.append(f"{failed['failed']} of {failed['requests']} requests failed")
    lines += [f"  {count} times: {why}" for why, count in failed["failures"].items()]
    satisfied = "no survey" if user is None else f"{user['satisfaction']:.2f} of 5"
    lines.append(f"user satisfaction: {satisfied}")
    return lines


def _model(arguments: argparse.Namespace) -> Model | None:
    if not arguments.endpoint:
        return None
    return Model(
        url=arguments.endpoint,
        name=arguments.model,
        instruction=arguments.instruction,
        most_tokens=arguments.max_tokens,
        timeout_s=arguments.timeout_s,
        key=os.environ.get(KEY_VARIABLE, ""),
    )


def _ask(
    model: Model,
    questions: Sequence[Question],
    clients: int,
    stop: Stop,
    progress: Callable[[str], None],
) -> Asked:
    warmup = [questions[number % len(questions)] for number in range(WARMUP * clients)]
    progress(f"{len(warmup)} requests to warm up, then {len(questions)} from {clients} clients")
    ask_all(model, warmup, clients, stop)
    return ask_all(model, questions, clients, stop)


def _given(questions: Sequence[Question]) -> dict[int, Reply]:
    """The answers of a file, as if they had just come; -1 s where it does not say how long."""
    return {
        number: Reply(
            question.answer,
            -1.0 if question.response_ms is None else question.response_ms / 1000,
            "" if question.answer is not None else "no answer in the file",
        )
        for number, question in enumerate(questions)
    }


def _user(path: Path | None, questions: Sequence[Question]) -> dict[str, Any] | None:
    """Return the section ``user`` from a file of ratings, or from those beside the answers."""
    given = [question.rating for question in questions if question.rating is not None]
    if path is not None and given:
        msg = "ratings are both in the questions' file and in --ratings: leave one of them out"
        raise ratings.RatingsError(msg)
    found = ratings.parse(path) if path is not None else given
    return ratings.summarise(found) if found else None


def _count(text: str) -> int:
    """Argument type: a whole number above zero.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) == 0:
        msg = f"must be a whole number above 0, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
