#!/usr/bin/python3
"""Stand for the servers that a lab's head fetches from (a simulation: see ../inventory/hosts.yml).

Serves one folder by http and https, and prints a line for each request: port, client, request line,
status. Usage: ``origin.py ADDRESS FOLDER CERTIFICATE``; the certificate's file has its key too.
"""

from __future__ import annotations

import ssl
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    """Serves files and says what was asked for."""

    protocol_version = "HTTP/1.1"

    def log_message(self, line: str, *words: object) -> None:
        """Print one request: what the class says of it is its first line and its status."""
        port = self.server.server_address[1]
        sys.stdout.write(f"{port} {self.client_address[0]} {line % words}\n")
        sys.stdout.flush()


def main() -> None:
    """Serve for ever."""
    address, folder, certificate = sys.argv[1:]
    handler = partial(Handler, directory=folder)
    plain = ThreadingHTTPServer((address, 80), handler)
    secure = ThreadingHTTPServer((address, 443), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    secure.serve_forever()


if __name__ == "__main__":
    main()
