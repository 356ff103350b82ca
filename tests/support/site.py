"""A hostile web site on loopback: videos in every wrapping, and every way to be let down."""

import http.server
import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.support.pages import gzip_bomb, laughs, media_playlist
from tests.support.tiny_videos import cut, tiny_video

PRIVATE = "127.0.0.2"
"""Loopback too, and so still nobody's internet; a guard that allows 127.0.0.1/32 refuses it."""


@dataclass
class Page:
    """What a path answers with."""

    body: bytes = b""
    kind: str = "text/html"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Site:
    """A site with good and bad pages; use as a context manager.

    Attributes:
        url: `http://127.0.0.1:<port>`, without a slash at the end.
        hits: (path, headers) of each request so far, in order.

    Paths:
        /good.mp4 /other.mp4 /silent.mp4 /sound.mp4 /truncated.mp4 /headless.mp4 /film.webm
        /stream/index.m3u8 (picture and sound in one) /pair/master.m3u8 (picture and sound apart)
        /gap/index.m3u8 (a fragment is missing) /live/index.m3u8 (no end)
        /page (one <video>) /two (two <video>) /feed.xml (RSS, two entries) /empty.xml
        /text (no video) /missing /gone /forbidden /secret (401) /busy (429, Retry-After: 120)
        /broken (500) /legal (451) /html.mp4 /random.mp4 /empty.mp4 /short.mp4 (fewer bytes than
        promised) /liar.mp4 (promises a terabyte) /drip.mp4 (a byte a second)
        /hang.mp4 (never answers) /headers.mp4 (endless headers) /endless.mp4 (no end)
        /bomb (a gzip page that unpacks to 2 GiB) /laughs.xml (entity expansion)
        /to-good /to-other-host (127.0.0.2) /to-metadata (169.254.169.254) /to-file /loop
        /embeds-private (a page whose <video> is on 127.0.0.2)
        /astray/index.m3u8 (a fragment on 127.0.0.2) /astray/key.m3u8 (its key there)
    Redirects and failures answer with and without `.mp4`. Asked as a proxy it answers for any host.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.hits: list[tuple[str, dict[str, str]]] = []
        self._folder = folder
        self._closing = threading.Event()
        self._pages: dict[str, Page] = {}
        self._special: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self._server = _Server((host, 0), _handler(self))
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self._build()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def put(
        self,
        path: str,
        body: bytes | str,
        kind: str = "text/html",
        status: int = 200,
        **headers: str,
    ) -> str:
        """Answer a path with this from now on; underscores in header names mean dashes."""
        content = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._pages[path] = Page(content, kind, status, named)
        return self.url + path

    def asked(self, path: str) -> int:
        """How often a path was requested."""
        return sum(1 for hit, _ in self.hits if hit == path)

    def _build(self) -> None:
        self._media()
        self._playlists()
        self._documents()
        self._failures()
        self._special = {
            "/drip.mp4": self._drip,
            "/drip": self._drip,
            "/hang.mp4": self._hang,
            "/hang": self._hang,
            "/headers.mp4": self._endless_headers,
            "/endless.mp4": self._endless,
        }

    def _media(self) -> None:
        folder = self._folder
        good = tiny_video(folder / "good.mp4", index_first=True)
        late = tiny_video(folder / "late.mp4", seed=3)
        parts = {
            "/good.mp4": good,
            "/other.mp4": tiny_video(folder / "other.mp4", seed=1),
            "/silent.mp4": tiny_video(folder / "silent.mp4", sound=False),
            "/sound.mp4": tiny_video(folder / "sound.mp4", picture=False),
            "/truncated.mp4": cut(good, folder / "truncated.mp4"),
            "/headless.mp4": cut(late, folder / "headless.mp4"),
            "/stream/0.ts": tiny_video(folder / "0.ts", container="mpegts", seed=2),
            "/pair/picture.ts": tiny_video(folder / "picture.ts", container="mpegts", sound=False),
            "/pair/sound.ts": tiny_video(folder / "sound.ts", container="mpegts", picture=False),
        }
        for path, file in parts.items():
            kind = "video/mp2t" if path.endswith(".ts") else "video/mp4"
            self.put(path, file.read_bytes(), kind)
        film = tiny_video(folder / "film.webm", codecs=("libvpx", "libopus"))
        self.put("/film.webm", film.read_bytes(), "video/webm")
        noise = random.Random(7).randbytes(60_000)
        self.put("/random.mp4", noise, "video/mp4")
        self.put("/html.mp4", "<!doctype html><html><body>Log in</body></html>" * 50, "video/mp4")
        self.put("/empty.mp4", b"", "video/mp4")
        self.put("/liar.mp4", good.read_bytes(), "video/mp4", Content_Length=str(10**12))
        size = str(good.stat().st_size)
        self.put("/short.mp4", good.read_bytes()[:-5000], "video/mp4", Content_Length=size)

    def _playlists(self) -> None:
        kind = "application/vnd.apple.mpegurl"
        end = "#EXT-X-ENDLIST\n"
        self.put("/stream/index.m3u8", media_playlist("0.ts") + end, kind)
        self.put("/gap/index.m3u8", media_playlist("/stream/0.ts", "lost.ts") + end, kind)
        self.put("/live/index.m3u8", media_playlist("/stream/0.ts"), kind)
        self.put("/pair/picture.m3u8", media_playlist("picture.ts") + end, kind)
        self.put("/pair/sound.m3u8", media_playlist("sound.ts") + end, kind)
        away = f"http://{PRIVATE}:{self.port}"
        self.put("/astray/index.m3u8", media_playlist(f"{away}/stream/0.ts") + end, kind)
        locked = f'#EXT-X-KEY:METHOD=AES-128,URI="{away}/key",IV=0x00000000000000000000000000000001'
        locked = media_playlist("/stream/0.ts").replace("#EXTINF", locked + "\n#EXTINF", 1)
        self.put("/astray/key.m3u8", locked + end, kind)
        master = (
            "#EXTM3U\n"
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",DEFAULT=YES,URI="sound.m3u8"\n'
            "#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=160x120,"
            'CODECS="avc1.64001f,mp4a.40.2",AUDIO="a"\npicture.m3u8\n'
        )
        self.put("/pair/master.m3u8", master, kind)

    def _documents(self) -> None:
        title = "<title>Chest X-ray lecture</title>"
        self.put("/page", f"<html><head>{title}</head><video src='/good.mp4'></video></html>")
        two = "<video src='/good.mp4'></video><video src='/other.mp4'></video>"
        self.put("/two", f"<html><head>{title}</head>{two}</html>")
        hidden = f"<video src='http://{PRIVATE}:{self.port}/good.mp4'></video>"
        self.put("/embeds-private", f"<html><head>{title}</head>{hidden}</html>")
        self.put("/text", "<html><body><p>Nothing to see here.</p></body></html>")
        items = "".join(
            f"<item><title>Part {n}</title><link>{self.url}{path}</link></item>"
            for n, path in enumerate(("/good.mp4", "/other.mp4"), start=1)
        )
        head = "<?xml version='1.0'?><rss version='2.0'><channel><title>Radiology</title>"
        feed = head + "{}</channel></rss>"
        self.put("/feed.xml", feed.format(items), "application/rss+xml")
        self.put("/empty.xml", feed.format(""), "application/rss+xml")
        self.put("/laughs.xml", laughs(), "application/rss+xml")
        self.put("/bomb", gzip_bomb(2 * 2**30), Content_Encoding="gzip")

    def _failures(self) -> None:
        answers = {
            "/missing": 404,
            "/gone": 410,
            "/forbidden": 403,
            "/secret": 401,
            "/busy": 429,
            "/broken": 500,
            "/legal": 451,
            "/teapot": 418,
        }
        for path, status in answers.items():
            for suffix in ("", ".mp4"):
                headers = {"Retry_After": "120"} if status == 429 else {}
                self.put(path + suffix, "<html>no</html>", status=status, **headers)
        redirects = {
            "/to-good": "/good.mp4",
            "/to-other-host": f"http://{PRIVATE}:{self.port}/good.mp4",
            "/to-metadata": "http://169.254.169.254/latest/meta-data/",
            "/to-file": "file:///etc/passwd",
            "/loop": "/loop",
        }
        for path, target in redirects.items():
            for suffix in ("", ".mp4"):
                place = "/loop" + suffix if target == "/loop" else target
                self.put(path + suffix, b"", status=302, Location=place)

    def _drip(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = self._pages["/good.mp4"].body
        request.send_response(200)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        for byte in body:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            if self._closing.wait(1):
                return

    def _hang(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self._closing.wait()

    def _endless_headers(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not self._closing.wait(0.2):
            request.wfile.write(b"a")
            request.wfile.flush()

    def _endless(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp4")
        request.end_headers()
        block = os.urandom(2**16)
        while not self._closing.is_set():
            request.wfile.write(block)

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request; called by the server."""
        path = urlsplit(request.path).path
        self.hits.append((path, dict(request.headers)))
        if path in self._special:
            self._special[path](request)
            return
        page = self._pages.get(path, Page(b"<html>not here</html>", status=404))
        body, status, headers = page.body, page.status, {"Content-Type": page.kind}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if span and status == 200 and body:
            first = int(span.group(1))
            last = min(int(span.group(2) or len(body) - 1), len(body) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            body, status = body[first : last + 1], 206
        headers |= {"Content-Length": str(len(body)), "Accept-Ranges": "bytes", **page.headers}
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are what this site is for."""


def _handler(site: Site) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        do_HEAD = do_GET  # noqa: N815 - the name http.server asks for

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait for something to become true; False when it did not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
