"""The servers: what is asked of systemd, and what is told when one does not come up."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.pairs import server

LOCAL = "127.0.0.1"


class Systemd:
    """Systemd that notes what it is told; a unit that it starts listens, or does not."""

    def __init__(self, *, listens: bool = True, leftover: str = "") -> None:
        """Say whether its units listen, and what an earlier run has left."""
        self.calls: list[tuple[str, ...]] = []
        self.sockets: list[socket.socket] = []
        self._listens, self._leftover = listens, leftover

    def __call__(self, *argv: str, timeout_s: float) -> tuple[int, str]:
        assert timeout_s <= 20
        self.calls.append(argv)
        if argv[0] == "systemd-run" and self._listens:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOCAL, int(argv[argv.index("--port") + 1])))
            listener.listen()
            self.sockets.append(listener)
        return 0, self._leftover if "list-units" in argv else ""

    def told(self, *words: str) -> bool:
        return any(set(words) <= set(argv) for argv in self.calls)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    fake = Systemd()
    monkeypatch.setattr(server, "call", fake)
    yield fake
    for each in fake.sockets:
        each.close()


@pytest.fixture
def port() -> int:
    """Give the first of two ports that are free."""
    with socket.socket() as one:
        one.bind((LOCAL, 0))
        number: int = one.getsockname()[1]
    return number


def test_start(systemd: Systemd, port: int) -> None:
    assert server.start(LOCAL, port, 1, 120) == [f"gpulab-pairs-{port}.service"]
    (command,) = (argv for argv in systemd.calls if argv[0] == "systemd-run")
    assert {"--property=RuntimeMaxSec=120", "--property=DynamicUser=yes", "--collect"} <= set(
        command
    )
    assert command[-5:] == ("--server", "--bind", LOCAL, "--port", str(port))


def test_server_that_does_not_listen_is_told_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    fake = Systemd(listens=False, leftover=f"gpulab-pairs-{port}.service loaded active running x")
    monkeypatch.setattr(server, "call", fake)
    monkeypatch.setattr(server, "_LISTEN_S", 0.1)
    with pytest.raises(server.ServerError, match=f"no server listens on {LOCAL} port {port}"):
        server.start(LOCAL, port, 1, 120)
    assert fake.told("systemctl", "stop", f"gpulab-pairs-{port}.service")


def test_port_that_is_taken(systemd: Systemd) -> None:
    with socket.socket() as other:
        other.bind((LOCAL, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(server.ServerError, match=r"is taken .*set pairs_port"):
            server.start(LOCAL, taken, 1, 120)
    assert not any(argv[0] == "systemd-run" for argv in systemd.calls)


def test_address_of_another_node(systemd: Systemd, port: int) -> None:
    # For documentation only (RFC 5737): no node has it.
    with pytest.raises(server.ServerError, match="node_interfaces"):
        server.start("192.0.2.1", port, 1, 120)
    assert not any(argv[0] == "systemd-run" for argv in systemd.calls)


def test_stop_ends_what_an_earlier_run_left(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Systemd(leftover="gpulab-pairs-5201.service loaded failed failed iperf3\n")
    monkeypatch.setattr(server, "call", fake)
    assert server.stop() == ["gpulab-pairs-5201.service"]
    assert fake.told("systemctl", "stop", "gpulab-pairs-5201.service")
    assert fake.told("systemctl", "reset-failed", "gpulab-pairs-5201.service")


def test_stop_without_anything_to_stop(systemd: Systemd) -> None:
    assert server.stop() == []
    assert not systemd.told("systemctl", "stop")


def test_systemd_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "call", lambda *_, timeout_s: (127, f"no end in {timeout_s}"))
    with pytest.raises(server.ServerError, match="list-units: no end"):
        server.stop()
