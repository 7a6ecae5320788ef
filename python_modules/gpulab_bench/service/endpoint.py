"""Ask an endpoint with OpenAI's interface for chats: POST <base>/chat/completions.

One connection for each client, kept open as OpenAI's own library does, so that a response time is
the model's and not TCP's. Directly: no proxy, no redirect.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# Of an answer; what is longer is no answer of a chat.
MOST_BYTES = 16 * 1024**2


class EndpointError(ValueError):
    """An address that cannot be one; the text says what is wrong with it."""


@dataclass(frozen=True)
class Model:
    """A model behind an endpoint.

    Attributes:
        url: base of the interface, such as ``http://node01:8000/v1``.
        name: of the model, as the endpoint knows it.
        instruction: goes before each question; "" for none.
        most_tokens: of an answer.
        timeout_s: how long to wait for the next byte.
        key: sent as a bearer token; "" for none.
    """

    url: str
    name: str
    instruction: str = ""
    most_tokens: int = 256
    timeout_s: float = 60.0
    key: str = ""

    def __post_init__(self) -> None:
        """Refuse an address that cannot be used.

        Raises:
            EndpointError: it is none of HTTP, names no machine, or holds a password.
        """
        try:
            parts = urlsplit(self.url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname)
            fits = fits and not parts.query and (parts.port is None or parts.port > 0)
        except ValueError:
            fits = False
        if not fits:
            msg = f"{self.url!r} is no address of an endpoint, such as http://node01:8000/v1"
            raise EndpointError(msg)
        if parts.username is not None:
            msg = "a password does not belong into the address: give the key in OPENAI_API_KEY"
            raise EndpointError(msg)


@dataclass(frozen=True)
class Reply:
    """What came of one question.

    Attributes:
        text: the answer, or None.
        seconds: from sending the question to having the whole answer.
        failure: why there is none, or "".
    """

    text: str | None
    seconds: float
    failure: str = ""


class Client:
    """One connection to a model."""

    def __init__(self, model: Model) -> None:
        """Connect when the first question is asked."""
        parts = urlsplit(model.url)
        kind = http.client.HTTPSConnection
        if parts.scheme == "http":
            kind = http.client.HTTPConnection  # type: ignore[assignment]  # its base class
        self._connection = kind(parts.hostname or "", parts.port, timeout=model.timeout_s)
        self._path = f"{parts.path.rstrip('/')}/chat/completions"
        self._model = model

    def ask(self, question: str) -> Reply:
        """Ask one question, greedily; whatever goes wrong is a reply that says so."""
        started = time.perf_counter()
        try:
            status, body = self._post(self._request(question))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            seconds = time.perf_counter() - started
            return Reply(None, seconds, f"{type(error).__name__}: {error}"[:200])
        seconds = time.perf_counter() - started
        if status != http.client.OK:
            said = " ".join(body[:200].decode(errors="replace").split())
            return Reply(None, seconds, f"HTTP status {status}: {said}")
        text = answer_of(body)
        return Reply(text, seconds, "" if text is not None else "no answer in what it sent")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _request(self, question: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": question}]
        if self._model.instruction:
            messages.insert(0, {"role": "system", "content": self._model.instruction})
        return {
            "model": self._model.name,
            "messages": messages,
            "temperature": 0,
            "max_tokens": self._model.most_tokens,
        }

    def _post(self, request: dict[str, Any]) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._model.key:
            headers["Authorization"] = f"Bearer {self._model.key}"
        body = json.dumps(request).encode()
        kept = self._connection.sock is not None
        try:
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError):
            # A server may close a connection that it kept, just when the next request comes.
            if not kept:
                raise
            self._connection.close()
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
        found = response.read(MOST_BYTES + 1)
        if len(found) > MOST_BYTES or response.will_close:
            self._connection.close()
        return response.status, found[:MOST_BYTES]


def answer_of(body: bytes) -> str | None:
    """Return the text of the first choice, or None where there is none."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return None
    return text if isinstance(text, str) else None
