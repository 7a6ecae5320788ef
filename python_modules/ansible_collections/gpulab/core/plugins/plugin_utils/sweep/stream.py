"""Take apart what the script printed on a node."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...module_utils.hardware.tools import NOT_FOUND, ToolResult
from .plan import AGAIN, Plan
from .script import EVERY, MOST_OUTPUT, tools_of

# Of timeout(1): the time was up; and after that it had to kill.
_LATE = frozenset({"124", "137"})
# Of find(1) and grep(1) that ran, though some files were not there or refused.
_READ = frozenset({"0", "1", "2"})
# What a node may send at most, unpacked: hundreds of times what a large one does.
_MOST_BYTES = 256 * 1024 * 1024


class StreamError(ValueError):
    """What came from a node is no whole capture; the text says what is wrong, for a person."""


@dataclass(frozen=True)
class Entry:
    """A path as ``find`` saw it.

    Attributes:
        kind: One letter: f, d, l and so on.
        target_kind: The same with links followed; N where a link leads nowhere.
        changed: The later of mtime and ctime, s since 1970.
        link: Where a link leads; "" for what is none.
    """

    kind: str
    target_kind: str
    changed: float
    link: str


@dataclass
class Capture:
    """What was read on a node.

    Attributes:
        uid: The user that read it; 0 is root.
        machine: The kernel's name of the architecture.
        now: The time by the node's clock when the reading began, s since 1970.
        entries: By path as it was asked for.
        contents: By path as it was asked for; without the last line's end.
        unreadable: Paths whose content was refused.
        looked: Whether what and where the paths are was told in time.
        late: Groups whose files' contents were not read in time.
        again: The contents of the second reading, as `contents`; None where there was none.
        tools: By words; None where the tool gave no answer in time.
        too_long: The words of tools that said more than is read.
    """

    uid: int
    machine: str
    now: float
    entries: dict[str, Entry] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    looked: bool = True
    late: set[str] = field(default_factory=set)
    again: dict[str, bytes] | None = None
    tools: dict[tuple[str, ...], ToolResult | None] = field(default_factory=dict)
    too_long: set[tuple[str, ...]] = field(default_factory=set)


def unpack(lines: Iterable[str]) -> bytes:
    """Return the bytes in the script's output.

    Raises:
        StreamError: It is no such output, broke off, or is absurdly large.
    """
    text = "".join(line.strip() for line in lines)
    if not text:
        raise StreamError("the node printed nothing")
    try:
        packed = base64.b64decode(text, validate=True)
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        data = unpacker.decompress(packed, _MOST_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise StreamError(f"the node printed something else: {text[:80]!r}") from error
    if not unpacker.eof:
        raise StreamError("what the node printed broke off")
    return data


def parse(data: bytes, mark: str, plan: Plan) -> Capture:
    """Return the capture in the script's frames.

    Raises:
        StreamError: A frame is missing or makes no sense, or the node lacks what the script needs.
    """
    frames = [_frame(part) for part in data.split(b"\n" + mark.encode() + b" ")[1:]]
    lacking = next((words[1] for words, _ in frames if words[0] == "lacks"), "")
    if lacking:
        raise StreamError(f"the node has no {lacking}, which a sweep needs")
    if not frames or frames[0][0][0] != "node" or frames[-1][0][0] != "end":
        raise StreamError("what the node printed broke off")
    try:
        uid, machine, now = frames[0][0][1].split()
        capture = Capture(int(uid), machine, float(now))
        waiting: tuple[str, bytes] = ("", b"")
        for (kind, argument), body in frames[1:-1]:
            if kind in ("entries", "contents", "tool"):
                waiting = (argument, body)
            else:
                _take(capture, kind, argument, body, waiting, plan)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise StreamError(f"what the node printed makes no sense: {error}") from error
    return capture


def _frame(part: bytes) -> tuple[tuple[str, str], bytes]:
    head, _, body = part.partition(b"\n")
    kind, _, argument = head.decode("utf-8", "replace").partition(" ")
    return (kind, argument), body


def _take(
    capture: Capture, kind: str, argument: str, body: bytes, waiting: tuple[str, bytes], plan: Plan
) -> None:
    """Put a finished reading into the capture; `waiting` is what it printed before its status."""
    before, output = waiting
    status = argument.rpartition(" ")[2]
    if kind == "told":
        number, _, last = before.partition(" ")
        argv = (*tools_of(plan)[int(number)].argv, *([last] if last else []))
        if len(output) > MOST_OUTPUT:
            capture.too_long.add(argv)
        else:
            capture.tools[argv] = _result(argv, status, output, body)
    elif status in _LATE and kind == "looked":
        capture.looked = False
    elif status in _LATE:
        # All files at once: they are read again, group by group.
        capture.late.update({before} - {EVERY})
    elif kind not in ("looked", "read"):
        raise ValueError(f"there is no frame {kind!r}")
    elif status not in _READ:
        # Nothing was read, which is not the same as nothing to read.
        raise ValueError(f"{kind} {before}: exit status {status}")
    elif kind == "looked":
        capture.entries.update(_entries(output))
    elif before == AGAIN:
        capture.again = {}
        _add_contents(capture.again, capture.unreadable, output, body)
    else:
        _add_contents(capture.contents, capture.unreadable, output, body)


def _result(argv: tuple[str, ...], status: str, output: bytes, said: bytes) -> ToolResult | None:
    if status in _LATE:
        return None
    if status == "missing":
        # As Python says it, so that a reason reads the same however a node was asked.
        return ToolResult(NOT_FOUND, "", f"[Errno 2] No such file or directory: {argv[0]!r}")
    texts = (output.decode("utf-8", "replace"), said.decode("utf-8", "replace"))
    return ToolResult(int(status), *texts)


def _entries(output: bytes) -> dict[str, Entry]:
    fields = output.split(b"\0")
    found = {}
    for head, link in zip(fields[::2], fields[1::2], strict=False):
        kinds, modified, changed, path = head.decode("utf-8", "surrogateescape").split(" ", 3)
        found[path] = Entry(
            kinds[0],
            kinds[1:],
            max(float(modified), float(changed)),
            link.decode("utf-8", "surrogateescape"),
        )
    return found


def _add_contents(
    contents: dict[str, bytes], unreadable: set[str], output: bytes, said: bytes
) -> None:
    lines: dict[str, list[bytes]] = {}
    for line in output.split(b"\n"):
        path, separator, text = line.partition(b"\0")
        if separator:
            lines.setdefault(path.decode("utf-8", "surrogateescape"), []).append(text)
    contents.update({path: b"\n".join(parts) for path, parts in lines.items()})
    for complaint in said.decode("utf-8", "surrogateescape").splitlines():
        refused, colon, _ = complaint.removeprefix("grep: ").rpartition(": ")
        if colon:
            unreadable.add(refused)
