"""Ends a worker that outgrows its memory, before the node's monitor picks an innocent one."""

import os
import threading
import time
from pathlib import Path

EXIT_CODE = 66

_EVERY_S = 0.2
_SAY_S = 1.0


class WorkerMemoryError(MemoryError):
    """The worker used more memory of its own than it may."""


class Watchdog:
    """Looks at this process's memory from a thread of its own.

    Args:
        limit_bytes: Anonymous memory that the process may hold; shared memory (Ray's object
            store) does not count.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._exceeded = threading.Event()
        self._seen_bytes = 0
        threading.Thread(target=self._watch, name="memory-watchdog", daemon=True).start()

    def wait(self) -> None:
        """Block until the limit is passed.

        Raises:
            WorkerMemoryError: It was; the process ends with code 66 about a second later.
        """
        self._exceeded.wait()
        raise WorkerMemoryError(
            f"the worker held {self._seen_bytes / 2**20:.0f} MiB,"
            f" its limit is {self._limit_bytes / 2**20:.0f} MiB (runtime.worker_memory_bytes)"
        )

    def _watch(self) -> None:
        while self._seen_bytes <= self._limit_bytes:
            time.sleep(_EVERY_S)
            self._seen_bytes = anonymous_bytes()
        self._exceeded.set()
        time.sleep(_SAY_S)
        os._exit(EXIT_CODE)


def anonymous_bytes() -> int:
    """Memory of this process that no file and no shared segment backs."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0
