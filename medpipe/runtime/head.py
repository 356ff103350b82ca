"""Notices that Ray's head or the driver's own node has gone, before Ray ends the process unasked.

Ray 2.60 ends a driver by `_exit(1)` when its head has been away for a minute, or at its next look
into the object store of a node that is gone; until then calls may block. So a thread looks.
"""

import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

logger = logging.getLogger(__name__)

_EVERY_S = 1.0
_CONNECT_S = 3.0
_PATIENCE_S = 10.0  # ray.shutdown() takes 5 s without a head


class HeadLost(Exception):
    """The cluster went away under the job; what was not finished is done by the next run."""


class HeadWatch:
    """Looks after the head's port and the socket of the driver's own raylet.

    Args:
        head: Host and port of the head's control service.
        raylet: Unix socket of the raylet that the driver belongs to.
        limit_s: The job is lost when the head's port takes no connection for so long; a raylet
            that goes is seen at once.
        give_up: Called from the thread, with the reason, when nobody ends the watch after that:
            somebody waits for an answer that will not come.
        patience_s: How long after that.
    """

    def __init__(
        self,
        head: tuple[str, int],
        raylet: str,
        limit_s: float,
        give_up: Callable[[str], None],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._head = head
        self._limit_s = limit_s
        self._give_up = give_up
        self._patience_s = patience_s
        self._lost: str | None = None
        self._closed = threading.Event()
        self._raylet = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._raylet.connect(raylet)
        self._thread = threading.Thread(target=self._watch, name="head-watch", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Return while all is well.

        Raises:
            HeadLost: The head or the driver's own node has gone.
        """
        if self._lost is not None:
            raise HeadLost(self._lost)

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        self._thread.join()
        self._raylet.close()

    def _watch(self) -> None:
        answered_s = time.monotonic()
        while self._lost is None:
            if self._closed.wait(_EVERY_S):
                return
            if self._raylet_gone():
                self._lost = "the Ray node that this driver belongs to has gone"
            elif self._answers():
                answered_s = time.monotonic()
            elif time.monotonic() - answered_s > self._limit_s:
                host, port = self._head
                self._lost = f"Ray's head at {host}:{port} was not there for {self._limit_s:.0f} s"
        if not self._closed.wait(self._patience_s):
            self._give_up(self._lost)

    def _raylet_gone(self) -> bool:
        """Whether the raylet hung up; it never says anything to somebody who asks nothing."""
        readable, _, _ = select.select([self._raylet], [], [], 0)
        return bool(readable)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(self._head, timeout=_CONNECT_S):
                return True
        except OSError:
            return False


def _unwatched() -> None:
    """All is well as far as one can see."""


@contextmanager
def watched_head(limit_s: float, exit_code: int) -> Iterator[Callable[[], None]]:
    """Watch the cluster that this process is connected to.

    Nothing is watched by a driver that is on no node of it (`ray://`): Ray's client ends that one
    by an exception.

    Args:
        limit_s: Seconds without the head after which the job is lost.
        exit_code: Of this process, if it does not leave the block within 10 seconds after that.

    Yields:
        `HeadWatch.check`.
    """

    def give_up(reason: str) -> None:
        logger.error("%s and a call to Ray hangs; ended, the same command resumes", reason)
        sys.stderr.flush()
        os._exit(exit_code)

    context = ray.get_runtime_context()
    host, port = context.gcs_address.rsplit(":", 1)
    node_id = context.get_node_id()
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    raylet = next(node["RayletSocketName"] for node in nodes if node["NodeID"] == node_id)
    if not Path(raylet).is_socket():
        yield _unwatched
        return
    watch = HeadWatch((host.strip("[]"), int(port)), raylet, limit_s, give_up)
    try:
        yield watch.check
    finally:
        watch.close()
