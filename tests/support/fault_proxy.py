"""An HTTP proxy in front of an S3 server that answers wrongly, late or not at all when told to."""

import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
_HOP = {"connection", "expect", "host", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Trouble:
    """What happens to requests of a kind.

    Attributes:
        action: `500`, `503` (SlowDown), `slow`, `tear` (the connection ends after half of the
            request's body; the server never sees it, as S3 drops what is not whole), `mute` (the
            server acts, the connection ends before its answer).
        method: Of the request; empty for all.
        part: Part of its path with the query; empty for all.
        times: How often; None for ever.
        share: Of the requests, drawn at random.
    """

    action: str
    method: str = ""
    part: str = ""
    times: int | None = None
    share: float = 1.0
    slow_s: float = 1.0
    met: int = field(default=0, compare=False)


class FaultProxy:
    """Forwards to one server; `troubles` says what goes wrong meanwhile.

    Attributes:
        seen: What went wrong: action, method and path.
        asked: Method and path of every request.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.troubles: list[Trouble] = []
        self.seen: list[tuple[str, str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self._random = random.Random(7)
        self._lock = threading.Lock()
        self.url = ""

    def set(self, *troubles: Trouble) -> None:
        """Put these in place of all others."""
        with self._lock:
            self.troubles = list(troubles)
            self.seen = []

    def turn(self, method: str, path: str) -> Trouble | None:
        """The trouble whose turn it is for this request."""
        with self._lock:
            self.asked.append((method, path))
            for trouble in self.troubles:
                if (
                    trouble.method in ("", method)
                    and trouble.part in path
                    and (trouble.times is None or trouble.met < trouble.times)
                    and self._random.random() < trouble.share
                ):
                    trouble.met += 1
                    self.seen.append((trouble.action, method, path))
                    return trouble
        return None


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy on a free port of the loopback."""
    proxy = FaultProxy(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = _Server(("127.0.0.1", 0), handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that gives up is what this proxy is for."""


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def _serve(self) -> None:
        trouble = self.proxy.turn(self.command, self.path)
        action = trouble.action if trouble else ""
        if action == "tear":
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            self.close_connection = True
            return
        body = self._body()
        if action == "slow" and trouble:
            time.sleep(trouble.slow_s)
        if action in ("500", "503"):
            code = b"SlowDown" if action == "503" else b"InternalError"
            self._answer(int(action), {"Content-Type": "application/xml"}, SLOW_DOWN % code)
            return
        status, headers, content = self._forward(body)
        if action == "mute":
            self.close_connection = True
            return
        self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Say that the body may come."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        headers |= {"Host": self.headers.get("Host", ""), "Content-Length": str(len(body))}
        server = http.client.HTTPConnection(self.proxy.upstream, timeout=60)
        try:
            server.request(self.command, self.path, body, headers)
            answer = server.getresponse()
            content = answer.read()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
            if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
                kept["Content-Length"] = length
            return answer.status, kept, content
        finally:
            server.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
