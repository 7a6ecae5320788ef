"""The Python that stays on a node does what one that is started for each module does."""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.engine import resident
from ansible_collections.gpulab.core.plugins.plugin_utils.engine import payload, resident_client

# What EL 9 runs our code with, where it is there.
PYTHONS = [
    python
    for python in (sys.executable, *map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python3")))
    if Path(python).exists()
]
WAIT_S = 60.0


def module(program: str, payload_of: str = "") -> payload.Module:
    return payload.Module(program.encode(), base64.b64encode(payload_of.encode()))


def command(python: str = sys.executable, before: str = "") -> list[bytes]:
    """Start it with a shell in the place of ssh."""
    script = before + resident_client.boot_command(shlex.quote(python))
    return [b"/bin/sh", b"-c", script.encode()]


@pytest.fixture
def python(tmp_path: Path) -> Iterator[resident_client.Resident]:
    yield resident_client.Resident(tmp_path / "pipes", "node")
    resident_client.end_all(tmp_path / "pipes")


def ran(
    python: resident_client.Resident, program: str, start: list[bytes] | None = None
) -> resident_client.Output:
    output = python.run(module(program), start or command(), WAIT_S)
    assert output is not None
    return output


PROGRAMS = {
    "text": "print('hello')",
    "both": "import sys; print('out'); sys.stderr.write('err')",
    "bytes": r"import sys; sys.stdout.buffer.write(bytes(range(256)))",
    "much": "print('x' * 3000000)",
    "nothing": "",
    "status": "import sys; sys.exit(7)",
    "status beyond a byte": "import sys; sys.exit(257)",
    "status false": "import sys; sys.exit(False)",
    "message": "import sys; sys.exit('that is all')",
    "no status": "raise SystemExit",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "at exit": "import atexit; atexit.register(print, 'bye'); print('hello')",
    "at exit after a failure": "import atexit; atexit.register(print, 'bye'); raise SystemExit(3)",
    "unflushed": "import sys; sys.stdout.write('no newline')",
    "thread": "import threading; threading.Timer(0.2, print, ['late']).start()",
    "child": "import subprocess; subprocess.Popen(['sh', '-c', 'sleep 0.2; echo late'])",
    "input": "import sys; print(repr(sys.stdin.read()))",
    "input of a child": "import subprocess; print(subprocess.run(['cat']).returncode)",
    "main": "import __main__; print(__main__.__name__, __main__.__file__, __name__)",
    "arguments": "import sys; print(sys.argv, sys.flags, sys.path)",
    "folder": "import os; print(os.getcwd(), os.umask(0o22))",
    "environment": "import os; print({k: v for k, v in sorted(os.environ.items()) if k != '_'})",
    "open files": "import os; print(sorted(os.listdir('/proc/self/fd'))[:3])",
    "encoding": "import sys; print(sys.stdout.encoding, sys.stdin.encoding, ascii('ü'), 'ü')",
    "session": "import os; print(os.getpid() == os.getsid(0))",
    "signals": "import signal; print([signal.getsignal(s) for s in (2, 13, 15, 17)])",
    "class": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
}


@pytest.mark.parametrize("interpreter", PYTHONS)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_leaves_what_it_leaves_in_a_python_of_its_own(
    python: resident_client.Resident, program: str, interpreter: str
) -> None:
    alone = subprocess.run(
        [interpreter],
        input=program.encode(),
        capture_output=True,
        check=False,
        # sshd gives each command a session.
        start_new_session=True,
    )
    status = alone.returncode if alone.returncode >= 0 else 128 - alone.returncode
    for _ in range(2):
        output = ran(python, program, command(interpreter))
        assert (output.status, output.out, output.err) == (status, alone.stdout, alone.stderr)


def test_an_exception_is_told(python: resident_client.Resident) -> None:
    output = ran(python, "def f():\n    raise ValueError('no')\nf()")
    assert output.status == 1
    assert output.err.endswith(b"ValueError: no\n")
    assert b'File "<stdin>", line 2, in f' in output.err


def test_programs_see_nothing_of_each_other(python: resident_client.Resident) -> None:
    first = ran(
        python, "import os, sys, json; json.x = 1; os.environ['X'] = '1'; print(os.getppid())"
    )
    second = ran(python, "import os, json; print(os.getppid()); assert not hasattr(json, 'x')")
    assert first.out == second.out, "the same Python"
    assert second.status == 0
    third = ran(python, "import os, random; print('X' in os.environ)")
    assert third.out == b"False\n"
    random = "import random; print(random.random())"
    assert ran(python, random).out != ran(python, random).out


def zipped(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return base64.b64encode(content.getvalue())


FROM_ZIP = f"""
import base64, sys, tempfile
file = tempfile.NamedTemporaryFile(suffix='.zip')
file.write(base64.b64decode({resident.PAYLOAD_NAME}))
file.flush()
sys.path.insert(0, file.name)
import held
print(held.VALUE)
"""


def test_a_payload_is_sent_once_and_another_of_the_same_name_replaces_it(
    python: resident_client.Resident,
) -> None:
    first, second = zipped(held="VALUE = 1", bad="no = = python"), zipped(held="VALUE = 2")
    for content, value in ((first, b"1\n"), (first, b"1\n"), (second, b"2\n"), (first, b"1\n")):
        output = python.run(payload.Module(FROM_ZIP.encode(), content), command(), WAIT_S)
        assert output is not None
        assert (output.out, output.err) == (value, b"")


def test_what_others_say_before_is_skipped(python: resident_client.Resident) -> None:
    assert ran(python, "print(1)", command(before="echo BECOME-SUCCESS-x; echo two;")).out == b"1\n"


def test_a_machine_that_cannot_be_reached_is_told_as_ssh_tells_it(
    python: resident_client.Resident,
) -> None:
    with pytest.raises(resident_client.NotReachedError, match="no route"):
        python.run(module(""), [b"sh", b"-c", b"echo no route >&2; exit 255"], WAIT_S)


@pytest.mark.parametrize("start", [b"exit 1", b"echo no python; exit 127", b"sleep 60"])
def test_where_it_does_not_start_another_way_is_left(
    python: resident_client.Resident, start: bytes
) -> None:
    assert python.run(module(""), [b"sh", b"-c", start], 0.5) is None
    assert ran(python, "print(1)").out == b"1\n"


def test_one_that_has_ended_is_started_again(python: resident_client.Resident) -> None:
    pid = int(ran(python, "import os; print(os.getppid())").out)
    os.kill(pid, signal.SIGKILL)
    assert int(ran(python, "import os; print(os.getppid())").out) != pid


def test_one_that_ends_in_the_middle_is_an_unreachable_machine(
    python: resident_client.Resident,
) -> None:
    with pytest.raises(resident_client.GoneError):
        ran(python, "import os; os.kill(os.getppid(), 9)")
    assert ran(python, "print(1)").out == b"1\n"


def test_while_another_worker_uses_it_another_way_is_left(
    python: resident_client.Resident, tmp_path: Path
) -> None:
    ran(python, "")
    begun = tmp_path / "begun"
    program = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(1)"
    worker = threading.Thread(target=ran, args=(python, program))
    worker.start()
    while not begun.exists():
        time.sleep(0.01)
    assert resident_client.Resident(tmp_path / "pipes", "node").run(module(""), [], 1) is None
    worker.join()


def test_a_worker_that_was_killed_leaves_no_answer_to_the_next(
    python: resident_client.Resident, tmp_path: Path
) -> None:
    ran(python, "")
    begun = tmp_path / "begun"
    program = (
        f"import os, pathlib, time; pathlib.Path({str(begun)!r}).write_text(str(os.getppid()));"
        "time.sleep(1); print('x' * 1000000)"
    )
    worker = os.fork()
    if worker == 0:
        try:
            ran(python, program)
        finally:
            os._exit(0)
    while not begun.exists() or not begun.read_text():
        time.sleep(0.01)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    assert ran(python, "print(1)").out == b"1\n"
    until = time.monotonic() + 30
    while Path(f"/proc/{begun.read_text()}").exists():
        assert time.monotonic() < until, "the one whose worker was killed is still there"
        time.sleep(0.1)


def test_a_changed_machine_gets_another(
    python: resident_client.Resident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "environment"
    source = resident_client._SOURCE.replace(b"/etc/environment", str(environment).encode())
    monkeypatch.setattr(resident_client, "_SOURCE", source)
    boot = resident_client._BOOT.replace(str(len(resident_client._SOURCE)), str(len(source)))
    size = len(source)
    boot = f"import sys;exec(sys.stdin.buffer.read({size}),{{'__name__':'resident'}})"
    monkeypatch.setattr(resident_client, "_BOOT", boot)
    pids = []
    for text in ("", "A=1", "A=1", "A=2 "):
        if not environment.exists() or environment.read_text() != text:
            environment.write_text(text)
        pids.append(ran(python, "import os; print(os.getppid())").out)
    assert pids[1] == pids[2]
    assert len(set(pids)) == 3


def test_all_of_a_connection_are_ended(tmp_path: Path) -> None:
    pids = {}
    for key in ("one-a", "one-b", "two-a"):
        python = resident_client.Resident(tmp_path, key)
        pids[key] = int(ran(python, "import os; print(os.getppid())").out)
    resident_client.end_all(tmp_path, "one")
    until = time.monotonic() + 10
    while Path(f"/proc/{pids['one-a']}").exists() or Path(f"/proc/{pids['one-b']}").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert Path(f"/proc/{pids['two-a']}").exists()
    resident_client.end_all(tmp_path)


def test_one_that_nobody_asks_ends() -> None:
    reader, writer = os.pipe()
    idle = f"{resident_client._SOURCE.decode().replace('main(60.0)', 'main(0.1)')}"
    process = subprocess.Popen([sys.executable, "-c", idle], stdin=reader, stdout=subprocess.PIPE)
    assert process.wait(30) == 0
    os.close(reader)
    os.close(writer)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="module")
def ansiballz(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A module as Ansible sends it, kept on this machine."""
    folder = tmp_path_factory.mktemp("ansiballz")
    subprocess.run(
        [sys.executable, "-m", "ansible", "adhoc", "localhost", "-c", "local", "-a", "echo hello"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_KEEP_REMOTE_FILES": "true",
            "ANSIBLE_REMOTE_TEMP": str(folder),
        },
        check=True,
        capture_output=True,
    )
    (file,) = folder.glob("*/AnsiballZ_command.py")
    return file.read_bytes()


def edited(program: bytes, path: str, more: str) -> bytes:
    """Add to a file of a module's payload."""
    module = payload.split(program)
    assert module is not None
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(base64.b64decode(module.payload))) as old,
        zipfile.ZipFile(content, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name) + (more.encode() if name == path else b""))
    return program.replace(module.payload, base64.b64encode(content.getvalue()))


def answer(text: bytes) -> dict[str, object]:
    found = json.loads(text)
    return {name: value for name, value in found.items() if name not in ("start", "end", "delta")}


@pytest.mark.ansible
@pytest.mark.parametrize("interpreter", PYTHONS)
def test_a_module_of_ansible_returns_what_it_does_alone(
    python: resident_client.Resident, ansiballz: bytes, interpreter: str
) -> None:
    quieter = edited(
        ansiballz,
        "ansible/module_utils/basic.py",
        "\n_exit = AnsibleModule.exit_json\n"
        "AnsibleModule.exit_json = lambda self, **kw: _exit(self, **{**kw, 'stdout': 'quiet'})\n",
    )
    later = edited(
        ansiballz, "ansible/modules/command.py", "\nraise RuntimeError('never reached')\n"
    )
    for program in (ansiballz, ansiballz, quieter, later, quieter, ansiballz):
        alone = subprocess.run([interpreter], input=program, capture_output=True, check=True)
        sent = payload.split(program)
        assert sent is not None
        output = python.run(sent, command(interpreter), WAIT_S)
        assert output is not None
        assert (output.status, output.err) == (0, alone.stderr)
        assert answer(output.out) == answer(alone.stdout)
        assert answer(output.out)["stdout"] == ("quiet" if program == quieter else "hello")
