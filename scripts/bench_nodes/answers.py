"""The folder of recorded answers: one file for each recorded node and question."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench_nodes import own, questions
from bench_nodes.questions import Question

#: The folder of both plugins: `recorded/<node>/<key>.json` and `nodes/<simulated node>.json`.
VARIABLE = "GPULAB_BENCH_NODES"
_TEMPORARY = "temporary"


class AnswerError(Exception):
    """A question that cannot be answered, or that was answered in two ways; the text says which."""


@dataclass(frozen=True)
class Output:
    """What a command left."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Node:
    """A simulated node, or the recorded one itself.

    Attributes:
        name: its own.
        like: the recorded node that answers for it.
        identity: as `own.identity` gives it.
    """

    name: str
    like: str
    identity: Mapping[str, str]


def folder() -> Path:
    """Return the folder that the environment names."""
    return Path(os.environ[VARIABLE])


def read_node(folder: Path, name: str) -> Node:
    """Read who a node is."""
    return Node(**json.loads((folder / "nodes" / f"{name}.json").read_text()))


def write_node(folder: Path, node: Node) -> None:
    """Keep who a node is."""
    path = folder / "nodes" / f"{node.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(node)))


def keep(folder: Path, node: Node, question: Question, output: Output) -> None:
    """Keep a node's answer.

    Raises:
        AnswerError: it has given another one: failed now, or changed something.
    """
    take = own.taker(node.identity)
    path = _path(folder, node, question, take)
    out = output.out
    if question.temporary:
        out = out.replace(question.temporary, f"⟦{_TEMPORARY}⟧")
    with contextlib.suppress(ValueError):
        said = own.mark_hardware(questions.strings(json.loads(out), take))
        out = json.dumps(said, ensure_ascii=False)
    kept = {"module": question.module, "status": output.status, "out": out, "err": output.err}
    if path.exists() and _essence(kept) != _essence(json.loads(path.read_text())):
        msg = f"{node.name}: {question.module} gave two answers to the same question"
        raise AnswerError(f"{msg}: {json.dumps(question.options)[:2000]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(kept, ensure_ascii=False))
    fresh.replace(path)


def find(folder: Path, node: Node, question: Question) -> Output:
    """Answer as the recorded node did.

    Raises:
        AnswerError: it was never asked this.
    """
    path = _path(folder, node, question, own.taker(node.identity))
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        msg = f"simulated node {node.name}: nobody recorded what {node.like} answers to"
        asked = json.dumps(question.options)[:2000]
        raise AnswerError(f"{msg} {question.module}: {asked}") from None
    texts = {**node.identity, _TEMPORARY: question.temporary}
    return Output(kept["status"], own.put(kept["out"], node.name, texts), kept["err"])


def _path(folder: Path, node: Node, question: Question, take: Callable[[str], str]) -> Path:
    return folder / "recorded" / node.like / f"{questions.key(question, take)}.json"


def _essence(kept: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what decides how a run goes on."""
    said: Any = None
    with contextlib.suppress(ValueError):
        said = json.loads(kept["out"])
    if not isinstance(said, dict):
        return kept["status"], kept["out"]
    return kept["status"], said.get("changed"), said.get("failed"), said.get("rc")
