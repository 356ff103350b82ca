"""What medpipe counts and times, behind a sink that the runtime may plug Ray's metrics into."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import Field

from medpipe.records import Record


class TracingConfig(Record):
    """Where the walk of an item goes as an OpenTelemetry trace; needs `medpipe[otel]`."""

    endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="OTLP/HTTP collector, e.g. http://127.0.0.1:4318; None: no traces. Headers "
        "come from OTEL_EXPORTER_OTLP_HEADERS in the environment.",
    )
    service: str = Field("medpipe", description="Name of the service in the traces.")


class Sink(Protocol):
    """Where figures go; labels are few and of low cardinality."""

    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter."""

    def gauge(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Set a level."""

    def observe(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Add to a histogram."""


class _Silent:
    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Drop it."""

    def gauge(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Drop it."""

    def observe(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Drop it."""


SILENT: Sink = _Silent()


@dataclass(frozen=True, slots=True)
class Trip:
    """One attempt at one item; every process that works on it derives the same ids from it.

    Attributes:
        run: Id of the run.
        item_id: Whose walk it is.
        number: How often the item was leased until then.
    """

    run: str
    item_id: str
    number: int

    @property
    def trace_id(self) -> int:
        """128 bits, as OpenTelemetry wants them."""
        return int.from_bytes(self._digest()[:16], "big")

    @property
    def root_id(self) -> int:
        """64 bits: the span of the whole attempt, under which its steps hang."""
        return int.from_bytes(self._digest()[16:24], "big")

    def _digest(self) -> bytes:
        return hashlib.sha256(f"{self.run}/{self.item_id}/{self.number}".encode()).digest()


@dataclass(slots=True)
class Timings:
    """CPU and wall seconds of one item by stage; outside every comparison of rows."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    wall_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, cpu: Callable[[], float] = time.thread_time) -> Iterator[None]:
        """Add the time spent inside to a stage.

        Args:
            name: Of the stage.
            cpu: Clock of CPU seconds: of this thread, or `time.process_time` where the work is
                done by threads of a library.
        """
        wall_s, cpu_s = time.perf_counter(), cpu()
        try:
            yield
        finally:
            self.wall_s[name] = self.wall_s.get(name, 0.0) + time.perf_counter() - wall_s
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + cpu() - cpu_s

    def add(self, other: "Timings") -> None:
        """Add what another process measured."""
        for mine, theirs in ((self.cpu_s, other.cpu_s), (self.wall_s, other.wall_s)):
            for name, seconds in theirs.items():
                mine[name] = mine.get(name, 0.0) + seconds
