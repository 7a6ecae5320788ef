"""Run in a namespace: answer by TCP and UDP, or ask. Both say who the server saw asking."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

# Of a packet that is dropped nothing is heard. Between namespaces an answer takes milliseconds.
PATIENCE_S = 1.5


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    # asyncio calls it by position, so what is not used cannot be left out.
    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:  # noqa: ARG002
        self._transport.sendto(str(address[0]).encode(), address)


class _Heard(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    # As above.
    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:  # noqa: ARG002
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(str(writer.get_extra_info("peername")[0]).encode())
    writer.close()
    await writer.wait_closed()


async def serve(ports: list[int]) -> None:
    """Answer until the process is ended."""
    loop = asyncio.get_running_loop()
    # A UDP answer must leave with the address that was asked, so each address has its own socket.
    addresses = [found for found in await _own_addresses() if not found.startswith("fe80")]
    for port in ports:
        for address in addresses:
            await asyncio.start_server(_greet, address, port)
            await loop.create_datagram_endpoint(_Echo, local_addr=(address, port))
    print("serving", flush=True)  # noqa: T201  whoever started it waits for this line
    await asyncio.Event().wait()


async def _own_addresses() -> list[str]:
    shown = await asyncio.create_subprocess_exec(
        "ip", "-j", "address", stdout=asyncio.subprocess.PIPE
    )
    told, _ = await shown.communicate()
    return [of["local"] for link in json.loads(told) for of in link["addr_info"]]


async def ask(questions: list[dict[str, Any]]) -> list[str]:
    """Ask all at once."""
    return await asyncio.gather(*map(_ask, questions))


async def _ask(question: dict[str, Any]) -> str:
    way = _udp if question["protocol"] == "udp" else _tcp
    try:
        return (await asyncio.wait_for(way(question), PATIENCE_S)).decode()
    except OSError:
        return ""  # no answer in time, no route, or refused by the sender's own firewall


async def _tcp(question: dict[str, Any]) -> bytes:
    local = (question["source"], 0)
    reader, writer = await asyncio.open_connection(
        question["target"], question["port"], local_addr=local
    )
    try:
        return await reader.read()
    finally:
        writer.close()


async def _udp(question: dict[str, Any]) -> bytes:
    family = socket.AF_INET6 if ":" in question["target"] else socket.AF_INET
    transport, heard = await asyncio.get_running_loop().create_datagram_endpoint(
        _Heard,
        local_addr=(question["source"], 0),
        remote_addr=(question["target"], question["port"]),
        family=family,
    )
    try:
        transport.sendto(b"?")
        return await heard.answer
    finally:
        transport.close()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve([int(port) for port in sys.argv[2:]]))
    else:
        answers = asyncio.run(ask(json.loads(sys.argv[2])))
        print(json.dumps(answers))  # noqa: T201  its result, for whoever started it
