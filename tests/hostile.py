"""A local HTTP server that misbehaves as told: each path has a list of answers, the last one is repeated."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hostile

    def do_GET(self):
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        answers = self.server.answers.get(self.path)
        if not answers:
            status(404)(self)
            return
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        with contextlib.suppress(ConnectionError):
            answer(self)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_args):
        return

    def head(self, code, length=None, **fields):
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        for name, value in fields.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, data):
        if self.command != "HEAD":
            self.wfile.write(data)

    def hang_up(self):
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Hostile(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.closing = threading.Event()

    def on(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def ranges(self) -> list[str | None]:
        return [fields.get("Range") for method, _, fields in self.requests if method == "GET"]

    def handle_error(self, *_args):
        return  # clients that leave early are what the tests are about


@contextlib.contextmanager
def running() -> Iterator[Hostile]:
    with Hostile() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(data, *, etag=None, modified=None, ranges=True, upto=None, then=None, **fields) -> Answer:
    """Serve `data`; with `upto`, hang up (or do `then`) after so many bytes of the body."""

    def answer(handler):
        start, wanted = 0, handler.headers.get("Range", "")
        condition = handler.headers.get("If-Range")
        if (
            ranges
            and (span := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted))
            and condition in (None, etag, modified)
        ):
            start = int(span[1])
            if start >= len(data):
                handler.head(416, 0, Content_Range=f"bytes */{len(data)}")
                return
            end = int(span[2]) if span[2] else len(data) - 1
            rest = data[start : end + 1]
            shown = f"bytes {start}-{end}/{len(data)}"
            handler.head(206, len(rest), Content_Range=shown, ETag=etag, Last_Modified=modified, **fields)
        else:
            rest = data
            handler.head(200, len(rest), ETag=etag, Last_Modified=modified, **fields)
        handler.body(rest if upto is None else rest[:upto])
        if upto is not None:
            (then or Handler.hang_up)(handler)

    return answer


def stall(handler):
    handler.wfile.flush()
    handler.server.closing.wait(30)
    handler.hang_up()


def status(code, data=b"no", **fields) -> Answer:
    def answer(handler):
        handler.head(code, len(data), **fields)
        handler.body(data)

    return answer


def lying(data, length) -> Answer:
    """Announce `length` bytes, send `data`."""

    def answer(handler):
        handler.head(200, length)
        handler.body(data)
        handler.hang_up()

    return answer


def without_length(data) -> Answer:
    def answer(handler):
        handler.head(200)
        handler.body(data)

    return answer


def chunked(data, *, finished=True) -> Answer:
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(data), 5000):
            piece = data[at : at + 5000]
            handler.body(b"%x\r\n%s\r\n" % (len(piece), piece))
        if finished:
            handler.body(b"0\r\n\r\n")
        else:
            handler.hang_up()

    return answer


def endless(handler):
    handler.head(200)
    for _ in range(512):  # 32 MiB: without end for a limit of 1 MB, and a fetcher without one fills no disk
        handler.body(bytes(64 << 10))


def trickle(handler):
    handler.head(200, 300_000)
    while not handler.server.closing.wait(0.02):
        handler.body(b"x")
        handler.wfile.flush()


def wrong_range(data) -> Answer:
    """Answer every range with another one than was asked for."""

    def answer(handler):
        if handler.headers.get("Range"):
            handler.head(206, len(data) - 1, Content_Range=f"bytes 1-{len(data) - 1}/{len(data)}")
            handler.body(data[1:])
        else:
            serve(data)(handler)

    return answer
