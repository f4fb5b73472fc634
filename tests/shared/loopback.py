"""A real HTTP server on this machine that misbehaves on demand."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import pytest

from icevision_bridge import download


class Server(ThreadingHTTPServer):
    """Serves ``content`` (bytes by path) under ``url``.

    ``plan`` holds, by path, what to do wrong in turn: an HTTP status, or one of the words that
    Handler knows. ``log`` holds what was asked: paths, each with its Range header.
    """

    def __init__(self, content: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.plan, self.log = content, {}, []
        self.url = f"http://127.0.0.1:{self.server_port}/base"

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may hang up
            super().handle_error(request, client_address)

    def asked(self, path: str) -> list[str | None]:
        return [span for asked, span in self.log if asked == path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = unquote(self.path).removeprefix("/base/")
        span = self.headers["Range"]
        self.server.log.append((path, span))
        plan = self.server.plan.get(path, [])
        fault = plan.pop(0) if plan else None
        if isinstance(fault, int):
            self.answer(fault, b"no")
            return
        body = self.server.content[path]
        if fault == "wrong bytes":
            body = bytes(len(body))
        if fault == "too long":
            body += b"and more" * 9999
        start = int(re.fullmatch(r"bytes=(\d+)-", span)[1]) if span else 0
        if start >= len(body):
            self.answer(416, b"no")
        elif fault == "ignores range" or not span:
            self.answer(200, body, fault)
        else:
            self.answer(206, body[start:], fault, start)

    def answer(self, status, body, fault=None, start=0):
        self.send_response(status)
        promised = len(body)
        if fault in ("dies half-way", "ends early"):
            body = body[: len(body) // 2]
        if fault == "ends early":  # and says nothing of it
            promised = len(body)
        self.send_header("Content-Length", str(promised))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + promised - 1}/*")
        self.end_headers()
        self.wfile.write(body)
        if fault == "dies half-way":
            self.close_connection = True


@contextmanager
def serve(content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a server; downloads meanwhile use no proxy and do not wait between tries."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "_WAITS", (0, 0, 0))
    with Server(content) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def nobody() -> str:
    """The address of a server that has gone."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}"
