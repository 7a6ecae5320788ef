"""Requests to the trained model: how many per second, and how long each waits for its answer."""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from gpulab_bench.context import Context
from gpulab_bench.stats import quantile

if TYPE_CHECKING:
    import torch

    from gpulab_bench.model import Decoder

    Answer = Callable[[torch.Tensor], list[bool]]

CONCURRENCIES = (1, 8)
# Each client sends at least so many, however slow the device is.
LEAST_REQUESTS = 16
# Before anything is measured.
WARMUP_REQUESTS = 3
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
    waiting: queue.Queue[Request | None] = queue.Queue()

    def answer(batch: torch.Tensor) -> list[bool]:
        return _answer(model, batch, context, length)

    server = threading.Thread(target=_serve, args=(waiting, answer), daemon=True)
    server.start()
    _load(waiting, prompts, 1, WARMUP_REQUESTS, 0.0, context)
    with context.window("inference", alone=True):
        for concurrency in CONCURRENCIES:
            if context.stop.reason() is None:
                seconds = context.plan.seconds / len(CONCURRENCIES)
                loads.append(_load(waiting, prompts, concurrency, LEAST_REQUESTS, seconds, context))
    waiting.put(None)
    server.join(RESPONSE_TIMEOUT_S)
    return {"answer_tokens": length, "loads": loads}


def _answer(model: Decoder, batch: torch.Tensor, context: Context, length: int) -> list[bool]:
    """Answer a batch; whether each answer is whole and came from finite numbers."""
    import torch

    from gpulab_bench.evaluate import greedy_answers

    with torch.inference_mode():
        answers, finite = greedy_answers(model, batch, context.device, length)
    whole = answers.shape == (len(batch), length)
    return [whole and ok for ok in finite.tolist()]


def _serve(waiting: queue.Queue[Request | None], answer: Answer) -> None:
    """Answer what waits, as one batch, until None comes."""
    import torch

    while True:
        requests = [waiting.get()]
        while not waiting.empty():
            requests.append(waiting.get())
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


def _load(
    waiting: queue.Queue[Request | None],
    prompts: torch.Tensor,
    concurrency: int,
    least: int,
    seconds: float,
    context: Context,
) -> dict[str, Any]:
    """Let clients send requests until each has sent ``least`` and ``seconds`` are over."""
    times: list[float] = []
    failed = [0]
    lock = threading.Lock()
    started = time.perf_counter()

    def client(number: int) -> None:
        sent = 0
        while context.stop.reason() is None and (
            sent < least or time.perf_counter() - started < seconds
        ):
            at = (number + sent * concurrency) % len(prompts)
            request = Request(prompts[at : at + 1])
            begun = time.perf_counter()
            waiting.put(request)
            ok = request.answered.wait(RESPONSE_TIMEOUT_S) and request.ok
            took = time.perf_counter() - begun
            sent += 1
            with lock:
                if ok:
                    times.append(took)
                else:
                    failed[0] += 1
            if not request.answered.is_set():
                return  # the server hangs; the stage's limit sees to it

    clients = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(concurrency)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return summarise(concurrency, times, failed[0], time.perf_counter() - started)


def summarise(
    concurrency: int, times_s: list[float], failed: int, seconds: float
) -> dict[str, Any]:
    """Return the numbers of one load.

    Args:
        concurrency: clients.
        times_s: seconds of each request that was answered.
        failed: requests that were not, or wrongly.
        seconds: from the first request to the last answer.
    """
    milliseconds = [1000 * time_s for time_s in times_s]
    return {
        "concurrency": concurrency,
        "requests": len(times_s) + failed,
        "failed": failed,
        "seconds": seconds,
        "requests_per_s": len(times_s) / seconds if seconds > 0 else None,
        "response_ms": {
            "mean": sum(milliseconds) / len(milliseconds),
            "p50": quantile(milliseconds, 0.5),
            "p95": quantile(milliseconds, 0.95),
            "p99": quantile(milliseconds, 0.99),
        }
        if milliseconds
        else None,
    }
