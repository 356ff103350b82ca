"""Commits beside the driver's loop: in a thread of their own, with compaction in between."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from medpipe.dataset import Manifest
from medpipe.errors import Transient
from medpipe.media.heap import give_back
from medpipe.runtime.flights import Flight
from medpipe.scheduling import Committed, Event, Failure, FailureKind, StepFailed

logger = logging.getLogger(__name__)


# A batch of big items brings in a file each; this many merges take as many away.
_MERGES_A_BATCH = 8


class Committing(Protocol):
    """Where manifests go; see `medpipe.dataset.Committer`."""

    def commit(self, manifests: Sequence[Manifest]) -> None:
        """Bring manifests in; `Transient` if that is not possible now."""

    def compact(self) -> int:
        """Merge a few small files; 0 when there is nothing to merge."""

    def vacuum_if_due(self) -> Sequence[str]:
        """Delete what no version needs, once in a while."""


class Commits:
    """One batch at a time; leases are renewed and steps go on while it is committed.

    Args:
        committer: Used by one thread only.
    """

    def __init__(self, committer: Committing) -> None:
        self._committer = committer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commits")
        self._batch: list[tuple[Flight, int]] = []
        self._under_way: Future[None] | None = None
        self._tidying: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a batch is under way."""
        return self._under_way is not None

    @property
    def size(self) -> int:
        """Items of the batch that is under way."""
        return len(self._batch)

    def begin(self, flights: Sequence[Flight]) -> None:
        """Begin to commit what these items wrote; not while another batch is under way."""
        self._batch = [(flight, flight.attempt) for flight in flights]
        manifests = [f.manifest for f in flights if f.manifest is not None]
        self._under_way = self._thread.submit(self._committer.commit, manifests)

    def ended(self, still: Callable[[str, int], Flight | None]) -> list[Event]:
        """What came of the batch, once it has ended; raises what was no fault of the world's.

        Args:
            still: The flight of an item's attempt, if it is still the one that runs.
        """
        if self._tidying is not None and self._tidying.done():
            self._tidying.result()
            self._tidying = None
        if self._under_way is None or not self._under_way.done():
            return []
        batch = [(f.lease.item.id, n) for f, n in self._batch if still(f.lease.item.id, n) is f]
        under_way, self._under_way, self._batch = self._under_way, None, []
        try:
            under_way.result()
        except Transient as error:
            failure = Failure(FailureKind.TRANSIENT, error.code, error.detail)
            return [StepFailed(item_id, attempt, "commit", failure) for item_id, attempt in batch]
        if self._tidying is None:
            self._tidying = self._thread.submit(self._tidy)
        return [Committed(item_id) for item_id, _ in batch]

    def close(self) -> None:
        """Wait for what is under way."""
        self._thread.shutdown()
        if self._tidying is not None:
            self._tidying.result()

    def _tidy(self) -> None:
        try:
            for _ in range(_MERGES_A_BATCH):
                if not self._committer.compact():
                    break
            gone = self._committer.vacuum_if_due()
            if gone:
                logger.info("vacuum: %d files that no version needs", len(gone))
        except Transient as error:
            logger.warning("the tables were not tidied now: %s", error)
        finally:
            give_back()
