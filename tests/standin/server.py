"""The HTTP server: loopback only, a thread for each connection, connections kept alive as AWS keeps them."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import control, gateway
from .gateway import HttpRequest
from .wire import Reply


class Server(ThreadingHTTPServer):
    """Binds 127.0.0.1 at once; port 0 chooses a free one."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, killed or timed out, is what tests are about and no reason for a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    # One segment for head and body, sent at once: otherwise each answer waits for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            self.close_connection = True
            self._send(Reply(411, b"", {}))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = HttpRequest(self.command, self.path, self.headers, body)
        answer = control.handle if self.path.startswith(control.PREFIX) else gateway.handle
        reply = answer(request, self.server.url)
        if reply is None:
            self.close_connection = True
        else:
            self._send(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in ("content-length", "date", "server", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the journal has it all."""
