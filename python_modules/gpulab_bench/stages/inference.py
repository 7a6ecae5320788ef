"""Requests to the trained model: how many per second, and how long each waits for its answer.

Measured so that equal nodes give equal numbers. Each load is warmed up by itself, since a batch of
eight runs other kernels than a batch of one. The server waits for the requests of all clients
before it starts a batch, at most `QUEUE_DELAY_S`: else chance decides how many it takes, and two
equal nodes differ by half. The rate is that of the median round of `ROUND_REQUESTS`, which a pause
of the operating system does not move, and it has a confidence interval.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from gpulab_bench.context import Context
from gpulab_bench.stats import mean, median_interval, quantile

if TYPE_CHECKING:
    import torch

    from gpulab_bench.model import Decoder

    Answer = Callable[[torch.Tensor], list[bool]]

CONCURRENCIES = (1, 8)
# Requests of a round, of all clients together; a multiple of each concurrency.
ROUND_REQUESTS = 8
# Rounds before anything is measured, of each load.
WARMUP_ROUNDS = 2
# Rounds that are measured at least, however slow the device is: six make a median's interval of
# 95 %, ten a narrow one.
LEAST_ROUNDS = 10
# How long a request waits for others to share its batch, as in servers that batch dynamically.
QUEUE_DELAY_S = 0.005
# Tokens of an answer; a task with shorter answers gives all of them.
ANSWER_TOKENS = 16
# How long a client waits for an answer before it counts as failed.
RESPONSE_TIMEOUT_S = 30.0


@dataclass
class Request:
    """One prompt on its way.

    Attributes:
        prompt: ``source, separator``, [1, K + 1].
        answered: set when ``ok`` is known.
        ok: whether it got an answer of the right shape, from finite numbers.
    """

    prompt: torch.Tensor
    answered: threading.Event = field(default_factory=threading.Event)
    ok: bool = False


def run(context: Context) -> dict[str, Any]:
    """Serve requests at each concurrency.

    A client sends its next request when it has the answer to the last one. The server answers all
    requests that wait, as one batch.

    Returns:
        The document's section ``inference``; times in milliseconds, from sending a request to
        having its answer on the host.
    """
    import torch

    from gpulab_bench.data import draw_items

    device, task = context.device, context.preset.task
    model = context.model()
    generator = torch.Generator(device.torch_device).manual_seed(context.order.seed + 2)
    prompts = draw_items(task, "heldout", generator)[:, : task.source_tokens + 1]
    length = min(ANSWER_TOKENS, task.source_tokens)
    loads = []

    def answer(batch: torch.Tensor) -> list[bool]:
        return _answer(model, batch, context, length)

    with context.window("inference", alone=True):
        for concurrency in CONCURRENCIES:
            if context.stop.reason() is None:
                seconds = context.plan.seconds / len(CONCURRENCIES)
                loads.append(_serve_load(answer, prompts, concurrency, seconds, context))
    return {"answer_tokens": length, "loads": loads}


def _serve_load(
    answer: Answer, prompts: torch.Tensor, concurrency: int, seconds: float, context: Context
) -> dict[str, Any]:
    """Start a server, warm it up, and measure a load."""
    waiting: queue.Queue[Request | None] = queue.Queue()
    server = threading.Thread(target=_serve, args=(waiting, answer, concurrency), daemon=True)
    server.start()
    _load(waiting, prompts, concurrency, WARMUP_ROUNDS, 0.0, context)
    load = _load(waiting, prompts, concurrency, LEAST_ROUNDS, seconds, context)
    waiting.put(None)
    server.join(RESPONSE_TIMEOUT_S)
    return load


def _answer(model: Decoder, batch: torch.Tensor, context: Context, length: int) -> list[bool]:
    """Answer a batch; whether each answer is whole and came from finite numbers."""
    import torch

    from gpulab_bench.evaluate import greedy_answers

    with torch.inference_mode():
        answers, finite = greedy_answers(model, batch, context.device, length)
    whole = answers.shape == (len(batch), length)
    return [whole and ok for ok in finite.tolist()]


def _serve(waiting: queue.Queue[Request | None], answer: Answer, clients: int) -> None:
    """Answer what waits, as one batch, until None comes."""
    import torch

    while True:
        requests = gather(waiting, clients)
        batch = [request for request in requests if request is not None]
        if batch:
            try:
                oks = answer(torch.cat([request.prompt for request in batch]))
            except Exception as error:  # a failed request is a number to report
                oks = [False] * len(batch)
                _complain(error)
            for request, ok in zip(batch, oks):
                request.ok = ok
                request.answered.set()
        if None in requests:
            return


def _complain(error: Exception) -> None:
    sys.stderr.write(f"request failed: {type(error).__name__}: {error}\n")


def gather(waiting: queue.Queue[Request | None], clients: int) -> list[Request | None]:
    """Take what makes a batch: a request of each client, or those that came in `QUEUE_DELAY_S`.

    None among them says that no more will come.
    """
    requests = [waiting.get()]
    until = time.perf_counter() + QUEUE_DELAY_S
    with contextlib.suppress(queue.Empty):
        while len(requests) < clients and None not in requests:
            requests.append(waiting.get(timeout=max(0.0, until - time.perf_counter())))
    return requests


def _load(
    waiting: queue.Queue[Request | None],
    prompts: torch.Tensor,
    concurrency: int,
    rounds: int,
    seconds: float,
    context: Context,
) -> dict[str, Any]:
    """Let clients send requests, ``rounds`` rounds at least, until ``seconds`` are over."""
    times: list[float] = []
    ends: list[float] = []
    failed = [0]
    lock = threading.Lock()
    started = time.perf_counter()

    def wanted() -> bool:
        with lock:
            least = len(times) + failed[0] < rounds * ROUND_REQUESTS
        return context.stop.reason() is None and (least or time.perf_counter() - started < seconds)

    def client(number: int) -> None:
        sent = 0
        while wanted():
            at = (number + sent * concurrency) % len(prompts)
            request = Request(prompts[at : at + 1])
            begun = time.perf_counter()
            waiting.put(request)
            ok = request.answered.wait(RESPONSE_TIMEOUT_S) and request.ok
            ended = time.perf_counter()
            sent += 1
            with lock:
                if ok:
                    times.append(ended - begun)
                    ends.append(ended - started)
                else:
                    failed[0] += 1
            if not request.answered.is_set():
                return  # the server hangs; the stage's limit sees to it

    clients = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(concurrency)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return summarise(concurrency, times, failed[0], time.perf_counter() - started, ends)


def summarise(
    concurrency: int,
    times_s: list[float],
    failed: int,
    seconds: float,
    ends_s: Sequence[float] = (),
) -> dict[str, Any]:
    """Return the numbers of one load.

    Args:
        concurrency: clients.
        times_s: seconds of each request that was answered, in the order of the answers.
        failed: requests that were not, or wrongly.
        seconds: from the first request to the last answer.
        ends_s: when each was answered, in seconds from the first request. Without a whole round of
            them the rate is that of all the time.
    """
    milliseconds = [1000 * time_s for time_s in times_s]
    whole = len(ends_s) // ROUND_REQUESTS
    borders = [0.0, *ends_s[ROUND_REQUESTS - 1 :: ROUND_REQUESTS]]
    rates = [
        ROUND_REQUESTS / (end - begin) for begin, end in zip(borders, borders[1:]) if end > begin
    ]
    rate = quantile(rates, 0.5) if rates else len(times_s) / seconds if seconds > 0 else None
    responses = [
        mean(milliseconds[n * ROUND_REQUESTS : (n + 1) * ROUND_REQUESTS]) or 0.0
        for n in range(whole)
    ]
    return {
        "concurrency": concurrency,
        "requests": len(times_s) + failed,
        "failed": failed,
        "seconds": seconds,
        "warmup_requests": WARMUP_ROUNDS * ROUND_REQUESTS,
        "round_requests": ROUND_REQUESTS,
        "rounds": whole,
        "requests_per_s": rate,
        "requests_per_s_95": median_interval(rates),
        "response_ms": {
            "mean": mean(milliseconds),
            "p50": quantile(milliseconds, 0.5),
            "p95": quantile(milliseconds, 0.95),
            "p99": quantile(milliseconds, 0.99),
        }
        if milliseconds
        else None,
        "response_ms_95": median_interval(responses),
    }
