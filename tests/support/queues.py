"""Queues of both kinds for tests: opened several times, on a clock that the test moves."""

import time
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import boto3

from medpipe.queues import Lease, QueueConfig, SqliteQueue, SqsQueue, SqsWire, WorkQueue
from medpipe.queues.ledger import LedgerStore
from medpipe.records import Item
from medpipe.storage import open_store

HIDDEN_S = 1  # SQS has a clock of its own: it is told to hide messages for a second at most


class Clock:
    """Unix time as the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Bench(Protocol):
    """One queue that several holders may open."""

    clock: Clock

    def open(self) -> WorkQueue:
        """Another holder of the same queue."""

    def pass_s(self, seconds: float) -> None:
        """Move the clock on."""


class SqliteBench:
    """A queue in a file."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.path = folder / "q.sqlite"

    def open(self) -> SqliteQueue:
        """Another holder of the same queue."""
        return SqliteQueue(self.path, clock=self.clock)

    def pass_s(self, seconds: float) -> None:
        """Move the clock on."""
        self.clock.now_s += seconds


class SqsBench:
    """A queue on an SQS server with its ledger in a folder or another store."""

    def __init__(self, url: str, folder: Path, store: LedgerStore | None = None) -> None:
        self.clock = Clock()
        self.name = f"q-{uuid4().hex[:12]}"
        self.uri = f"sqs://us-east-1/{self.name}"
        self.config = QueueConfig(endpoint_url=url, create=True, attempts=1)
        self.store = store or open_store(str(folder / "out"))
        self.wire = SqsWire(self.uri, self.config)
        self.client: Any = boto3.client("sqs", endpoint_url=url, region_name="us-east-1")
        self.url = self.client.get_queue_url(QueueName=self.name)["QueueUrl"]

    def open(self, store: LedgerStore | None = None) -> SqsQueue:
        """Another holder of the same queue."""
        return SqsQueue(
            SqsWire(self.uri, self.config),
            store or self.store,
            clock=self.clock,
            max_hidden_s=HIDDEN_S,
            counts_age_s=0,
        )

    def pass_s(self, seconds: float) -> None:
        """Move the clock on, and let the server deliver all hidden messages again."""
        self.clock.now_s += seconds
        time.sleep(HIDDEN_S + 0.1)


def item(n: int) -> Item:
    """An item of this number."""
    return Item(id=f"http:{n:032x}", uri=f"http://example.org/{n}.mp4", title=f"Lecture № {n}")


def take(queue: WorkQueue, n: int, *, lease_s: float = 60) -> list[Lease]:
    """Lease n items that are ready; a queue on a network may need several calls for it."""
    leases: list[Lease] = []
    end_s = time.monotonic() + 10
    while len(leases) < n and time.monotonic() < end_s:
        leases += queue.lease(n - len(leases), lease_s=lease_s)
    assert len(leases) == n
    return leases


def ids(leases: list[Lease]) -> set[str]:
    """Of which items they are."""
    return {lease.item.id for lease in leases}
