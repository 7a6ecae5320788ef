"""Put all questions to a model, by several clients at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gpulab_bench.service.endpoint import Client, Model, Reply
from gpulab_bench.service.questions import Question
from gpulab_bench.stop import Stop

_POLL_S = 0.05


@dataclass
class Asked:
    """What came of asking.

    Attributes:
        replies: by the number of the question; a question that was not come to is not there.
        ends_s: when each answer was there, in order, in seconds from the first question.
        seconds: from the first question to the last reply.
    """

    replies: dict[int, Reply] = field(default_factory=dict)
    ends_s: list[float] = field(default_factory=list)
    seconds: float = 0.0


def ask_all(model: Model, questions: Sequence[Question], clients: int, stop: Stop) -> Asked:
    """Ask each question once. A client asks its next one when it has its last reply.

    Args:
        model: who is asked.
        questions: in this order.
        clients: that ask at once.
        stop: with a reason, no further question is asked, and who is waited for is left behind.
    """
    asked, lock = Asked(), threading.Lock()
    waiting: Iterator[tuple[int, Question]] = iter(enumerate(questions))
    started = time.perf_counter()

    def client() -> None:
        connection = Client(model)
        while stop.reason() is None:
            with lock:
                number, question = next(waiting, (-1, None))
            if question is None:
                break
            reply = connection.ask(question.question)
            with lock:
                asked.replies[number] = reply
                asked.seconds = time.perf_counter() - started
                if reply.text is not None:
                    asked.ends_s.append(asked.seconds)
        connection.close()

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and stop.reason() is None:
        time.sleep(_POLL_S)
    with lock:
        # A client that is left behind must not change what is read.
        return Asked(dict(asked.replies), list(asked.ends_s), asked.seconds)
