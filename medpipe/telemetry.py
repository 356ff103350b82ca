"""What medpipe counts and times, behind a sink that the runtime may plug Ray's metrics into."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Sink(Protocol):
    """Where figures go; labels are few and of low cardinality."""

    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter."""

    def observe(self, name: str, seconds: float, labels: dict[str, str]) -> None:
        """Add one duration to a histogram."""


class _Silent:
    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Drop it."""

    def observe(self, name: str, seconds: float, labels: dict[str, str]) -> None:
        """Drop it."""


SILENT: Sink = _Silent()


class Stopwatch:
    """CPU and wall seconds by stage, of one item, in one process."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}
        self.wall_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `name`; CPU is that of the calling thread."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.wall_s[name] = self.wall_s.get(name, 0.0) + time.perf_counter() - wall
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + time.thread_time() - cpu
