"""What every work queue promises: leases with fencing tokens, and an end for every item.

An item is `ready` (perhaps not before some time), `leased` until a time, or at an end: `done`,
`rejected` (the item's or the world's fault) or `dead` (our bug, or it kills its workers). A lease
that ran out makes the item ready again; its holder's token is refused from then on.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pydantic import model_validator

from medpipe.errors import MedpipeError
from medpipe.records import Item, Record


class LeaseLost(MedpipeError):
    """The lease ran out and the item went to somebody else; drop what was done for it."""


class DeathNote(Record):
    """Evidence of a worker's death under an item.

    Attributes:
        at_s: Unix time.
        step: What it was at.
        code: Reason code.
        detail: What is known of the process's end.
        unexplained: It may have come from outside.
        rate_per_h: Other unexplained deaths an hour of a worker, at that time.
    """

    at_s: float
    step: str
    code: str
    detail: str
    unexplained: bool
    rate_per_h: float


class Tries(Record):
    """What an item has cost so far, kept between leases.

    Attributes:
        bugs: Attempts that ended in an unexpected exception of ours.
        deaths: Attempts in which a worker process died or ran into a deadline.
        bystanders: Attempts that ended because a worker died under another item.
        transients: Attempts that the world failed.
        transient_s: Seconds that these took, with the waits ordered after them.
        losses: Attempts in a row that Ray lost, with a node or by a fault of its own.
        exposed_s: Worker-seconds for which a death would have been laid to it.
        expected_deaths: How many deaths from outside were to be expected in them.
        notes: Evidence of its deaths.
        generation: Newest generation of the item's rows that came to its end through this queue; a
            retry keeps it, so that a run knows rows that it shall replace from rows that are in.
        last_code: Reason code of the last failure.
        last_detail: Its detail or traceback, shortened.
    """

    bugs: int = 0
    deaths: int = 0
    bystanders: int = 0
    transients: int = 0
    transient_s: float = 0.0
    losses: int = 0
    exposed_s: float = 0.0
    expected_deaths: float = 0.0
    notes: tuple[DeathNote, ...] = ()
    generation: int = 0
    last_code: str | None = None
    last_detail: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_gone(cls, data: Any) -> Any:
        """Pass over a field that earlier queues hold and nobody reads any more."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if key != "first_transient_at_s"}
        return data


class Lease(Record):
    """The right to work on an item until `until_s` (Unix time); `token` grows with every lease."""

    item: Item
    token: int
    until_s: float
    tries: Tries


class QueueCounts(Record):
    """How many items are in each state; `delayed` are ready later than now."""

    ready: int = 0
    delayed: int = 0
    leased: int = 0
    done: int = 0
    rejected: int = 0
    dead: int = 0

    @property
    def open(self) -> int:
        """Items that have not come to an end."""
        return self.ready + self.delayed + self.leased

    @property
    def total(self) -> int:
        """All items that the queue has ever seen."""
        return self.open + self.done + self.rejected + self.dead


NOT_AN_ITEM = "not_an_item"
"""Reason code of a message that cannot be read as an item; it is dead from the start."""


class WorkQueue(Protocol):
    """A queue of items; every method may raise `Transient` when the queue cannot be reached."""

    @property
    def set_aside(self) -> int:
        """Messages that this object met and that were no items; each is a dead letter now."""

    def enqueue(self, items: Iterable[Item], *, priority: int = 0) -> int:
        """Add items that are not in yet; returns how many were new."""

    def lease(self, n: int, *, lease_s: float) -> list[Lease]:
        """Take up to n ready items, highest priority and then oldest first."""

    def extend(self, leases: Sequence[Lease], *, lease_s: float) -> list[Lease]:
        """Heart-beat: hold leases for lease_s more from now; returns those that are lost."""

    def release(self, lease: Lease, tries: Tries, *, delay_s: float) -> None:
        """Give an item back, to be ready after a delay.

        Raises:
            LeaseLost: The token is not the item's newest.
        """

    def finish(self, lease: Lease, state: str, tries: Tries) -> None:
        """End an item as `done`, `rejected` or `dead`.

        Raises:
            LeaseLost: The token is not the item's newest.
        """

    def retry(self, *, reason: str | None = None) -> list[Item]:
        """Make dead and rejected items ready again; all dead ones, or those of one reason."""

    def reopen(self, item_ids: Iterable[str]) -> int:
        """Make finished items ready again, whatever their end; returns how many."""

    def counts(self) -> QueueCounts:
        """Items by state."""

    def reasons(self) -> dict[str, int]:
        """Dead and rejected items by reason code."""

    def next_ready_at_s(self) -> float | None:
        """Unix time at which the next open item can be leased, or None if none is open."""

    def close(self) -> None:
        """Let go of files and connections; held leases become free at once."""
