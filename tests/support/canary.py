"""Listeners inside: whoever connects to one of them has got past the guard."""

import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = ("127.0.0.1", "127.0.0.3", "127.1.2.3", "127.255.255.254")


def link_local() -> list[tuple[str, int]]:
    """This machine's IPv6 link-local addresses with the numbers of their interfaces."""
    table = Path("/proc/net/if_inet6")
    rows = [line.split() for line in table.read_text().splitlines()] if table.exists() else []
    return [
        (socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])), int(row[1], 16))
        for row in rows
        if row[0].startswith("fe80")
    ]


class Canary:
    """Sockets on loopback (v4 and v6) and link-local, all on one port; use as a context manager.

    Attributes:
        port: The port on all of them.
        addresses: Where it listens.
        touched: (listener, first bytes received) for each connect, in order.
    """

    def __init__(self) -> None:
        self.touched: list[tuple[str, bytes]] = []
        self.addresses: list[str] = []
        self._sockets: list[socket.socket] = []
        self.port = self._listen(socket.AF_INET, LOOPBACK[0], (LOOPBACK[0], 0))
        for host in LOOPBACK[1:]:
            self._listen(socket.AF_INET, host, (host, self.port))
        for host, scope in [("::1", 0), *link_local()]:
            with suppress(OSError):  # a machine without IPv6
                self._listen(socket.AF_INET6, host, (host, self.port, 0, scope))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join()
        for sock in self._sockets:
            sock.close()

    def url(self, host: str = "127.0.0.1", path: str = "/video.mp4", scheme: str = "http") -> str:
        """An address on this port, the host spelled as given."""
        return f"{scheme}://{host}:{self.port}{path}"

    def _listen(self, family: int, name: str, place: tuple[str | int, ...]) -> int:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(place)
        except OSError:
            sock.close()
            raise
        sock.listen(64)
        self._sockets.append(sock)
        self.addresses.append(name)
        return int(sock.getsockname()[1])

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            for sock, name in zip(self._sockets, self.addresses, strict=True):
                selector.register(sock, selectors.EVENT_READ, name)
            while not self._closing.is_set():
                for key, _ in selector.select(0.05):
                    self._note(key.fileobj, key.data)

    def _note(self, listener: object, name: str) -> None:
        assert isinstance(listener, socket.socket)
        caller, _ = listener.accept()
        with caller:
            caller.settimeout(0.5)
            try:
                said = caller.recv(400)
            except OSError:
                said = b""
            self.touched.append((name, said))
