"""A user's own model: questions from a file, answers from a real HTTP server or from the file."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, ClassVar

import jsonschema
import pytest

from gpulab_bench.__main__ import main
from gpulab_bench.service import text_scores
from gpulab_bench.service.endpoint import answer_of

SCHEMA = json.loads(
    (
        Path(__file__).parents[3] / "python_modules/gpulab_bench/schemas/evaluation.schema.json"
    ).read_text(encoding="utf-8")
)
KEY = "sk-not-a-real-one"


class Chat(BaseHTTPRequestHandler):
    """OpenAI's interface, as far as it is used, with a model that knows some answers by heart."""

    protocol_version = "HTTP/1.1"
    ANSWERS: ClassVar[dict[str, str]] = {
        "capital of France": "Paris.",
        "author of Faust": "Goethe, I think",
        "日本の首都": "東京都",
    }
    seen: ClassVar[list[dict[str, Any]]] = []
    pause_s = 0.0

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("Authorization")
        Chat.seen.append({**request, "path": self.path, "key": key, "peer": self.client_address})
        time.sleep(Chat.pause_s)
        question = request["messages"][-1]["content"]
        if question == "break":
            self._send(500, b'{"error": "the GPU fell off\nthe bus"}')
        elif question == "redirect":
            self._send(307, b"", ("Location", "http://127.0.0.1:9/"))
        elif question == "nonsense":
            self._send(200, b"<html>")
        elif question == "hang up":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif question == "sleep":
            time.sleep(3)
        else:
            text = Chat.ANSWERS.get(question, "I do not know")
            message = {"role": "assistant", "content": text}
            self._send(200, json.dumps({"choices": [{"message": message}]}).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def endpoint() -> Iterator[str]:
    Chat.seen.clear()
    Chat.pause_s = 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up, says so
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


Evaluate = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Write the questions, run the command, and return its status and document."""
    monkeypatch.setattr("gpulab_bench.stop.Stop.listen", lambda _self: None)

    def run(lines: list[Any], *arguments: str) -> tuple[int, dict[str, Any]]:
        file, out = tmp_path / "questions.jsonl", tmp_path / "out.json"
        told = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        file.write_text("\n".join(told), encoding="utf-8")
        status = main(["evaluate", str(file), "--json", str(out), *arguments])
        document = json.loads(out.read_text(encoding="utf-8"))
        jsonschema.validate(document, SCHEMA)
        return status, document

    return run


def ask(question: str, *references: str, **more: Any) -> dict[str, Any]:
    return {"question": question, "reference": list(references), **more}


def test_an_endpoint_is_asked_and_scored(
    endpoint: str,
    evaluate: Evaluate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ratings = tmp_path / "ratings"
    ratings.write_text("5\n4\n")
    status, found = evaluate(
        [
            ask("capital of France", "Paris", "the city of Paris"),
            ask("author of Faust", "Johann Wolfgang Goethe"),
            ask("日本の首都", "東京"),
            ask("meaning of life", "42"),
        ],
        *("--endpoint", endpoint, "--model", "mine", "--clients", "2"),
        *("--ratings", str(ratings), "--instruction", "Be brief."),
    )
    assert status == 0
    # Paris: all right. Goethe: 1 of 3 said, 1 of 3 due. 東京都: 2 of 3 said, 2 of 2 due. Else none.
    scores = found["accuracy"]
    assert (scores["items"], scores["pass_at_1"], scores["average"]) == (4, 0.25, "answers")
    assert scores["precision"] == pytest.approx((1 + 1 / 3 + 2 / 3 + 0) / 4)
    assert scores["recall"] == pytest.approx((1 + 1 / 3 + 1 + 0) / 4)
    assert scores["f1"] == pytest.approx((1 + 1 / 3 + 4 / 5 + 0) / 4)
    assert found["user"] == {"satisfaction": 4.5, "ratings": 2}
    assert found["reliability"]["error_rate"] == 0
    speed = found["service"]
    assert (speed["clients"], speed["warmup_requests"], speed["answers"]) == (2, 4, 4)
    assert speed["requests_per_s"] == pytest.approx(4 / speed["seconds"])
    assert len(Chat.seen) == 8
    one = Chat.seen[-1]
    assert (one["path"], one["model"], one["temperature"]) == ("/v1/chat/completions", "mine", 0)
    assert one["key"] == f"Bearer {KEY}"
    assert one["messages"][0] == {"role": "system", "content": "Be brief."}
    # A connection for each client, once to warm up and once to be measured.
    assert len({seen["peer"] for seen in Chat.seen}) <= 4
    told = capsys.readouterr()
    assert "pass@1 0.250" in told.err
    assert KEY not in told.err + told.out + json.dumps(found)


def test_what_fails_is_a_wrong_answer_and_says_why(endpoint: str, evaluate: Evaluate) -> None:
    status, found = evaluate(
        [
            ask("capital of France", "Paris"),
            *(ask(what, "Paris") for what in ("break", "redirect", "nonsense", "hang up", "sleep")),
        ],
        *("--endpoint", endpoint, "--model", "mine", "--timeout-s", "1"),
    )
    assert status == 0
    assert found["accuracy"]["pass_at_1"] == pytest.approx(1 / 6)
    failed = found["reliability"]
    assert (failed["requests"], failed["failed"]) == (6, 5)
    assert failed["error_rate"] == pytest.approx(5 / 6)
    reasons = " | ".join(failed["failures"])
    for reason in (
        "HTTP status 500: {",
        "HTTP status 307",
        "no answer in what",
        "Disconnected",
        "timed",
    ):
        assert reason in reasons
    # Only what was answered has a response time.
    assert found["service"]["answers"] == 1


def test_response_times_are_the_servers(endpoint: str, evaluate: Evaluate) -> None:
    Chat.pause_s = 0.05
    _, found = evaluate(
        [ask("capital of France", "Paris")] * 6, "--endpoint", endpoint, "--model", "mine"
    )
    times = found["service"]["response_ms"]
    assert 50 <= times["p50"] <= times["p95"] <= times["p99"]
    assert found["service"]["requests_per_s"] < 20
    low, high = found["service"]["response_ms_95"]
    assert 50 <= low <= times["p50"] <= high


def test_an_endpoint_that_is_not_there(evaluate: Evaluate) -> None:
    status, found = evaluate(
        [ask("capital of France", "Paris")],
        *("--endpoint", "http://127.0.0.1:9/v1", "--model", "mine"),
    )
    assert status == 1
    assert (found["accuracy"]["f1"], found["service"]) == (0, None)
    assert "refused" in next(iter(found["reliability"]["failures"]))


def test_a_run_that_is_told_to_end_is_partial(
    endpoint: str, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    Chat.pause_s = 0.3
    monkeypatch.setattr("gpulab_bench.service.run.WARMUP", 1)
    status, found = evaluate(
        [ask("capital of France", "Paris")] * 20,
        *("--endpoint", endpoint, "--model", "mine", "--budget-s", "1"),
    )
    assert (status, found["stopped_by"]) == (6, "budget")
    assert 1 <= found["accuracy"]["items"] < 5
    assert found["accuracy"]["pass_at_1"] == 1


def test_answers_of_a_file_are_scored(evaluate: Evaluate) -> None:
    status, found = evaluate(
        [
            ask("q", "The cat, sat", answer="cat sat", rating=5, response_ms=100, id=1),
            ask("q", "a b c d", answer="b c", rating=2, response_ms=300),
            {"question": "q", "reference": "yes", "answer": None, "rating": 1},
            "",
        ]
    )
    assert status == 0
    scores = found["accuracy"]
    assert (scores["precision"], scores["recall"]) == (pytest.approx(2 / 3), pytest.approx(5 / 9))
    assert scores["f1"] == pytest.approx((1 + 0.8) / 3)
    assert scores["pass_at_1"] == pytest.approx(1 / 3)
    assert found["service"]["response_ms"]["mean"] == pytest.approx(200)
    assert found["service"]["requests_per_s"] is None
    assert found["reliability"]["failures"] == {"no answer in the file": 1}
    assert found["user"] == {"satisfaction": pytest.approx(8 / 3), "ratings": 3}
    assert found["model"] is None


def test_without_times_and_ratings_nothing_is_made_up(evaluate: Evaluate) -> None:
    _, found = evaluate([ask("q", "yes", answer="no")])
    assert (found["service"], found["user"]) == (None, None)


def test_labels_are_averaged_over_the_labels(evaluate: Evaluate) -> None:
    """Nine of ten are spam, and so says the model of all: right nine times of ten, and useless."""
    lines = [ask("q", "spam", answer="Spam.") for _ in range(9)]
    _, found = evaluate([*lines, ask("q", "ham", answer="spam")], "--labels")
    scores = found["accuracy"]
    assert scores["average"] == "labels"
    assert (scores["precision"], scores["recall"]) == (pytest.approx(0.45), pytest.approx(0.5))
    assert scores["f1"] == pytest.approx(18 / 19 / 2)
    assert scores["pass_at_1"] == 0.9


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The  cat's Hat!", ("cats", "hat")),
        ("東京 タワー, 333m", ("東", "京", "タ", "ワ", "ー", "333m")),
        ("\uff27\uff4f\uff45the", ("goethe",)),  # full width
        ("a an the", ()),
        ("25.5 %", ("255",)),
        ("naïve café", ("naïve", "café")),
    ],
)
def test_tokens(text: str, tokens: tuple[str, ...]) -> None:
    assert text_scores.tokens(text) == tokens


def test_the_reference_that_fits_best_counts_and_repeats_count_once() -> None:
    found = text_scores.score("new york new york", ["new york", "york"])
    assert (found.precision, found.recall, found.exact) == (0.5, 1, 0)
    assert text_scores.score("...", ["the"]).f1 == 1
    assert text_scores.score("", ["yes"]).f1 == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        b"\xff",
    ],
)
def test_no_answer_in_a_body(body: bytes) -> None:
    assert answer_of(body) is None


GOOD = ask("q", "a")


@pytest.mark.parametrize(
    ("lines", "arguments", "message"),
    [
        ([], [], "holds no questions"),
        (["{"], [], "line 1: it is not JSON"),
        ([GOOD | {"answer": "a"}, "[1]"], [], "line 2: it must be an object"),
        ([GOOD], [], "'answer' must be a text, or null"),
        ([GOOD | {"answer": 7}], [], "'answer' must be a text"),
        ([{"question": "q", "answer": "a"}], [], "'reference' must be a text"),
        ([{"question": "q", "reference": [], "answer": "a"}], [], "'reference' must be"),
        ([{"question": " ", "reference": "a", "answer": "a"}], [], "'question' must be a text"),
        ([GOOD | {"answer": "a", "refrence": "b"}], [], "unknown key 'refrence'"),
        ([GOOD | {"answer": "a", "rating": 6}], [], "'rating' is 6: it must be a number from 1 to"),
        ([GOOD | {"answer": "a", "rating": True}], [], "'rating' is True"),
        ([GOOD | {"answer": "a", "response_ms": -1}], [], "'response_ms' is -1"),
        ([GOOD], ["--endpoint", "http://h/v1"], "--endpoint and --model belong together"),
        ([GOOD], ["--model", "m"], "belong together"),
        ([GOOD], ["--endpoint", "h:80", "--model", "m"], "is no address of an endpoint"),
        ([GOOD], ["--endpoint", "http://h:99999/", "--model", "m"], "is no address of an endpoint"),
        ([GOOD], ["--endpoint", "http://u:p@h/v1", "--model", "m"], "OPENAI_API_KEY"),
        ([GOOD | {"answer": "a"}], ["--endpoint", "http://h", "--model", "m"], "has an 'answer'"),
        ([GOOD | {"answer": "a"}], ["--clients", "0"], "must be a whole number above 0"),
    ],
)
def test_what_cannot_be_used_is_refused(
    lines: list[Any],
    arguments: list[str],
    message: str,
    evaluate: Evaluate,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        evaluate(lines, *arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_two_surveys_are_one_too_many(
    evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "ratings"
    ratings.write_text("5\n")
    with pytest.raises(SystemExit):
        evaluate([GOOD | {"answer": "a", "rating": 3}], "--ratings", str(ratings))
    assert "leave one of them out" in capsys.readouterr().err
