"""A Python that stays on a node for the length of a run, and runs each module in a fork of its own.

Sent to the node by `resident_client` and run there: one file, without imports of ours. It stands in
for ``python3 < module``, for which each task starts ssh, sudo and an interpreter, and compiles the
same forty files of Ansible. What a module sees is what it would see there: a process and a
session of its own, an empty standard input, the same user, environment, folder and ``__main__``.

Frames go both ways: one byte that says what follows, four for its length, and the content.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import hashlib
import importlib
import io
import os
import select
import struct
import sys
import tempfile
import traceback
import types
import zipfile
import zipimport
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Callable, Optional

# Asked by the controller.
RUN, PAYLOAD, QUIT = b"R", b"P", b"Q"
# Answered by this program.
WANT_PAYLOAD, STARTED, DONE, STALE = b"W", b"S", b"D", b"O"
# Said once it listens; shells and become plugins may have said something before.
HELLO = b"\0gpulab resident python\0"
HEAD = struct.Struct(">cI")
RESULT = struct.Struct(">iI")
# What the program of a run finds its payload by.
PAYLOAD_NAME = "_resident_payload"

# What a new login, or a new Python, would read. Where one of them has changed, so might have what a
# module sees, and the controller starts anew.
READ_AT_LOGIN = (
    "/etc/environment",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/locale.conf",
    "/etc/default/locale",
    "/etc/localtime",
    "/etc/login.defs",
    "/etc/nsswitch.conf",
    "/etc/pam.d",
    "/etc/passwd",
    "/etc/profile",
    "/etc/resolv.conf",
    "/etc/security/limits.conf",
    "/etc/security/limits.d",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/usr/lib/locale/locale-archive",
)
# Ansible's basic imports them, and importing them has no effect but the time that it takes.
USUAL_IMPORTS = (
    *("__future__", "ast", "base64", "collections.abc", "contextlib", "contextvars", "copy"),
    *("dataclasses", "datetime", "enum", "errno", "fcntl", "functools", "glob", "grp", "inspect"),
    *("ipaddress", "itertools", "json", "linecache", "locale", "operator", "pathlib", "platform"),
    *("pwd", "random", "re", "resource", "runpy", "selectors", "shlex", "shutil", "signal"),
    *("socket", "stat", "string", "subprocess", "syslog", "tempfile", "textwrap", "threading"),
    *("time", "typing", "uuid", "warnings"),
)

Stats = dict[str, Optional[tuple[int, int, int]]]


class Server:
    """Reads requests from one file descriptor and answers on another."""

    def __init__(self, requests: int, answers: int, idle_s: float) -> None:
        """Note where to read and write, and how the node looks now.

        Args:
            requests: File descriptor to read from.
            answers: File descriptor to write to.
            idle_s: Seconds without a request after which to end.
        """
        self._requests = requests
        self._answers = answers
        self._idle_s = idle_s
        self._payloads: dict[str, Payload] = {}
        self._at_start = look()

    def serve(self) -> None:
        """Answer until told to quit, until nobody asks, or until the node has changed."""
        write_all(self._answers, HELLO)
        while True:
            ready, _, _ = select.select([self._requests], [], [], self._idle_s)
            if not ready:
                return
            kind, content = self._receive()
            if kind != RUN:
                return
            if look() != self._at_start:
                self._send(STALE)
                return
            self._run(content)

    def _run(self, content: bytes) -> None:
        name = content[:40].decode()
        if name not in self._payloads:
            self._send(WANT_PAYLOAD)
            kind, payload = self._receive()
            if kind != PAYLOAD:
                raise SystemExit
            self._payloads[name] = Payload(payload)
        self._send(STARTED)
        status, out, err = in_a_fork(content[40:], self._payloads[name], self._inherited)
        self._send(DONE, RESULT.pack(status, len(out)) + out + err)

    def _inherited(self) -> None:
        os.close(self._requests)
        os.close(self._answers)

    def _send(self, kind: bytes, content: bytes = b"") -> None:
        write_all(self._answers, HEAD.pack(kind, len(content)) + content)

    def _receive(self) -> tuple[bytes, bytes]:
        kind, length = HEAD.unpack(read_exactly(self._requests, HEAD.size))
        return kind, read_exactly(self._requests, length)


def look() -> Stats:
    """Tell how what a new login would read looks now."""
    return {path: _stat(path) for path in (*READ_AT_LOGIN, sys.executable, os.__file__)}


def _stat(path: str) -> tuple[int, int, int] | None:
    """Return inode, time of change in ns and size; None where there is no such file."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_exactly(descriptor: int, size: int) -> bytes:
    """Read so many bytes; ends the program where the other side has gone.

    Raises:
        SystemExit: The file ended before.
    """
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise SystemExit
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of it, however little each call takes."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


# --- compiled once --------------------------------------------------------------------------------
# Importing from a zip file compiles each file every time. Forks inherit what is compiled here.
_compiled: dict[bytes, types.CodeType] = {}
_compile: Callable[[str, bytes], types.CodeType] | None = getattr(
    zipimport, "_compile_source", None
)


def _name(source: bytes) -> bytes:
    return hashlib.sha1(source).digest()  # noqa: S324 (it names, it protects nothing)


def _compile_once(path: str, source: bytes) -> types.CodeType:
    return _compiled.get(_name(source)) or compile(source, path, "exec", dont_inherit=True)


class Payload:
    """A zip file of Python sources, compiled.

    Attributes:
        text: The file in base64.
        sources: Names of its sources, by their paths in it.
    """

    def __init__(self, content: bytes) -> None:
        """Compile what was in no payload before.

        Args:
            content: The file in base64.
        """
        self.text = content.decode("ascii")
        self.sources: dict[str, bytes] = {}
        archive = base64.b64decode(content)
        # What cannot be read: the program itself says so.
        with contextlib.suppress(zipfile.BadZipFile):
            self._compile(archive)
            import_common(archive, self.sources)

    def _compile(self, archive: bytes) -> None:
        if _compile is None:
            return
        # A private function of Python's, so no stub has it; where it is missing nothing is changed.
        zipimport._compile_source = _compile_once  # type: ignore[attr-defined]
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            for path in files.namelist():
                if path.endswith(".py"):
                    source = files.read(path)
                    name = self.sources[path] = _name(source)
                    # An optional file of a newer Python: importing it says so.
                    with contextlib.suppress(SyntaxError, ValueError):
                        _compiled[name] = _compiled.get(name) or _compile(path, source)


# --- imported once --------------------------------------------------------------------------------
# What all of Ansible's modules import takes most of the time of a short one.
COMMON = "ansible.module_utils._internal._ansiballz._loader"
# Name of the source, by its path in the payload, of each module that is imported here.
_imported: dict[str, bytes] = {}


class _Inside(list[str]):
    """The folders of a package: below each of ``sys.path``, where a payload comes first."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self._below = package.replace(".", "/")

    def __iter__(self) -> Iterator[str]:
        return iter([f"{path}/{self._below}" for path in sys.path])


def import_common(archive: bytes, sources: dict[str, bytes]) -> None:
    """Import what every module of Ansible does, for the forks to inherit.

    Args:
        archive: A payload's zip file.
        sources: Names of its sources, by their paths in it.
    """
    if _imported or COMMON.replace(".", "/") + ".py" not in sources:
        return
    before = set(sys.modules)
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(archive)
        file.flush()
        sys.path.insert(0, file.name)
        try:
            importlib.import_module(COMMON)
        except Exception:
            # The program itself says why.
            forget_common(before)
            return
        finally:
            sys.path.remove(file.name)
            sys.path_importer_cache.pop(file.name, None)
    for name in set(sys.modules) - before:
        path = name.replace(".", "/")
        if f"{path}/__init__.py" in sources:
            path += "/__init__"
            sys.modules[name].__path__ = _Inside(name)
        if f"{path}.py" in sources:
            _imported[f"{path}.py"] = sources[f"{path}.py"]


def forget_common(before: Iterable[str] = ()) -> None:
    """Import Ansible's files anew, in this process, but for those that were there before."""
    for name in set(sys.modules) - set(before):
        if name.split(".")[0] == "ansible":
            del sys.modules[name]


# --- one module -----------------------------------------------------------------------------------
_OF_MAIN = {
    "__annotations__",
    "__builtins__",
    "__doc__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
}


def in_a_fork(
    program: bytes, payload: Payload, close_inherited: Callable[[], None]
) -> tuple[int, bytes, bytes]:
    """Run a program as ``python3 < program`` does; wait until it and its output have ended.

    Args:
        program: Python source.
        payload: What it finds as ``PAYLOAD_NAME``.
        close_inherited: Called in the fork to close what it must not hold open.

    Returns:
        The exit status as a shell gives it, standard output, standard error.
    """
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            close_inherited()
            os.close(out_read)
            os.close(err_read)
            os.dup2(out_write, 1)
            os.dup2(err_write, 2)
            os.close(out_write)
            os.close(err_write)
            status = _as_main(program, payload)
        finally:
            os._exit(status)
    os.close(out_write)
    os.close(err_write)
    out, err = _drain(out_read, err_read)
    _, waited = os.waitpid(child, 0)
    status = os.WEXITSTATUS(waited) if os.WIFEXITED(waited) else 128 + os.WTERMSIG(waited)
    return status, out, err


def _as_main(program: bytes, payload: Payload) -> int:
    if any(payload.sources.get(path) != name for path, name in _imported.items()):
        forget_common()
    # Modules that are imported already may hold it, so it stays the same.
    main = vars(sys.modules["__main__"])
    for name in set(main) - _OF_MAIN:
        del main[name]
    main.update({"__file__": "<stdin>", PAYLOAD_NAME: payload.text})
    sys.argv[:] = [""]
    status = 0
    try:
        # What the controller sends is to be run: Python would do the same with its standard input.
        exec(compile(program, "<stdin>", "exec"), main)  # noqa: S102
    except SystemExit as end:
        status = _exit_status(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    # What the interpreter does at its end.
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        atexit._run_exitfuncs()
    finally:
        # Nobody may read it any more.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    return status


def _exit_status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _drain(*descriptors: int) -> list[bytes]:
    parts: dict[int, list[bytes]] = {descriptor: [] for descriptor in descriptors}
    waiting = list(descriptors)
    while waiting:
        for descriptor in select.select(waiting, [], [])[0]:
            part = os.read(descriptor, 1 << 16)
            parts[descriptor].append(part)
            if not part:
                waiting.remove(descriptor)
                os.close(descriptor)
    return [b"".join(parts[descriptor]) for descriptor in descriptors]


def main(idle_s: float) -> None:
    """Serve on standard input and output, which modules get others for.

    Args:
        idle_s: Seconds without a request after which to end.
    """
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    for name in USUAL_IMPORTS:
        importlib.import_module(name)
    Server(requests, answers, idle_s).serve()
