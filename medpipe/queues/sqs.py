"""Amazon SQS as a carrier of ids, with a ledger beside the dataset that says what is true.

SQS delivers twice and out of order, hides a message 12 hours at most and drops it after 14 days.
So a message is only a hint that an item may be ready: the ledger's chain decides who holds it, and
an item whose message was lost is sent again from the source lists.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from pydantic import ValidationError

from medpipe.errors import MedpipeError, Transient
from medpipe.queues.contract import NOT_AN_ITEM, Lease, QueueCounts, Tries
from medpipe.queues.holding import Holding, lease_of
from medpipe.queues.ledger import ENDS, Ledger, LedgerStore, State
from medpipe.queues.resend import Resender
from medpipe.queues.roll import Roll, body_of
from medpipe.queues.wire import MAX_HIDDEN_S, Message, SqsWire
from medpipe.records import Item

logger = logging.getLogger(__name__)

_LIST_ITEMS = 1000
_MOST_RECEIVES = 100
_IDLE_WAIT_S = 1
_QUIET_S = 60.0
_THREADS = 8


class SqsQueue:
    """A `WorkQueue` on SQS; any number of drivers may share it.

    Leases compare the clocks of different machines: these must agree to well under a lease.

    Args:
        wire: The SQS queues.
        store: Where the ledger lies, under `_queue/<name>/`; the dataset's store.
        clock: Unix time.
        max_hidden_s: Longest time to have SQS hide a message. Shorter only costs deliveries that
            the ledger turns away.
        counts_age_s: How old `counts` may be as to what other drivers did.
    """

    def __init__(
        self,
        wire: SqsWire,
        store: LedgerStore,
        *,
        clock: Callable[[], float] = time.time,
        max_hidden_s: int = MAX_HIDDEN_S,
        counts_age_s: float = 30.0,
    ) -> None:
        prefix = f"_queue/{wire.name}"
        self._wire = wire
        self._clock = clock
        self._max_hidden_s = max_hidden_s
        ledger = Ledger(store, prefix)
        self._roll = Roll(store, prefix, age_s=counts_age_s)
        self._sizes_age_s = counts_age_s / 10
        self._holding = Holding(ledger, clock)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqs")
        self._resender = Resender(ledger, self._roll, wire, self._threads, clock)
        self._waiting: dict[str, float] = {}
        self._quiet_since_s: float | None = None
        self._hidden_seen: tuple[float, int] | None = None
        self._strangers: list[str] = []

    @property
    def set_aside(self) -> int:
        """Messages that this object met and that were no items; each is a dead letter now."""
        return len(self._strangers)

    def enqueue(self, items: Iterable[Item], *, priority: int = 0) -> int:
        """Add items that are in no source list yet; returns how many were new."""
        self._roll.read_sources()
        new, high, rest = 0, priority > 0, iter(items)
        self._wire.require(high=high)
        while batch := list(islice(rest, _LIST_ITEMS)):
            fresh = list({item.id: item for item in batch if item.id not in self._roll}.values())
            if fresh:
                self._roll.add(fresh, high=high, now_s=self._clock())
                self._wire.send([body_of(item) for item in fresh], high=high)
            new += len(fresh)
        return new

    def lease(self, n: int, *, lease_s: float) -> list[Lease]:
        """Take up to n ready items, those of the high class first; else in SQS's order."""
        leases: list[Lease] = []
        for high in self._wire.classes:
            leases += self._lease_of(high, n - len(leases), lease_s, patient=not (high or leases))
        self._adopt([lease.item for lease in leases])
        if n > 0:
            self._look_for_missing(idle=not leases)
        return leases

    def extend(self, leases: Sequence[Lease], *, lease_s: float) -> list[Lease]:
        """Hold leases for lease_s more from now; returns those that are lost."""
        until_s = self._clock() + lease_s
        kept = list(self._threads.map(lambda lease: self._holding.prolong(lease, until_s), leases))
        hide = [(e.handle, self._hidden(lease_s)) for e in kept if e is not None and e.handle]
        with _repaired_later("messages were not kept hidden"):
            self._wire.hide(hide)
        return [lease for lease, entry in zip(leases, kept, strict=True) if entry is None]

    def release(self, lease: Lease, tries: Tries, *, delay_s: float) -> None:
        """Give an item back, to be ready after a delay."""
        at_s = self._clock() + delay_s
        changes = {"state": "ready", "tries": tries, "ready_at_s": at_s}
        entry = self._holding.leave(lease, changes)
        if delay_s > 0:
            self._waiting[lease.item.id] = at_s
        if entry.handle is not None:
            with _repaired_later("a message was not made visible"):
                self._wire.hide([(entry.handle, self._hidden(delay_s))])

    def finish(self, lease: Lease, state: str, tries: Tries) -> None:
        """End an item as `done`, `rejected` or `dead`."""
        if state not in ENDS:
            raise ValueError(f"an item ends as one of {ENDS}, not {state!r}")
        entry = self._holding.leave(lease, {"state": state, "tries": tries})
        with _repaired_later("an end was not marked or its message not deleted"):
            self._resender.mark(entry)
            if entry.handle is not None:
                self._wire.delete([entry.handle])

    def retry(self, *, reason: str | None = None) -> list[Item]:
        """Make dead and rejected items ready again; all dead ones, or those of one reason."""
        ends = ("dead",) if reason is None else ("dead", "rejected")
        marked = [item_id for end in ends for item_id in self._roll.ended(end, reason)]

        def wanted(state: State) -> bool:
            return state.state in ends and reason in (None, state.reason)

        return self._resender.reopen(marked, wanted)

    def reopen(self, item_ids: Iterable[str]) -> int:
        """Make finished items ready again, whatever their end; returns how many."""
        return len(self._resender.reopen(item_ids, lambda state: state.ended))

    def requeue_missing(self) -> int:
        """Send again what is neither at an end nor leased nor waiting; returns how many.

        Items whose messages are only not received yet are sent twice, which costs a delivery. A
        driver that finds SQS empty for a minute, though items are open, does this by itself.
        """
        return self._resender.requeue_missing()

    def counts(self) -> QueueCounts:
        """Items by state; all ends and the sum of open items as listed, the rest approximate.

        SQS cannot tell waiting from leased messages: `delayed` are those that this object put
        back, `leased` all others that are hidden.
        """
        self._roll.refresh()
        tally, now_s = self._roll.tally(), self._clock()
        self._waiting = {i: at_s for i, at_s in self._waiting.items() if at_s > now_s}
        ends = {end: sum(k for (state, _), k in tally.items() if state == end) for end in ENDS}
        hidden = self._hidden_by_sqs()
        delayed = min(len(self._waiting), self._roll.open)
        leased = min(max(hidden - delayed, len(self._holding)), self._roll.open - delayed)
        ready = self._roll.open - delayed - leased
        ends["dead"] += self._roll.unreadable
        return QueueCounts(ready=ready, delayed=delayed, leased=leased, **ends)

    def reasons(self) -> dict[str, int]:
        """Dead and rejected items by reason code."""
        self._roll.refresh()
        found: dict[str, int] = {}
        for (state, reason), number in sorted(self._roll.tally().items()):
            if state != "done" and number:
                found[reason] = found.get(reason, 0) + number
        if self._roll.unreadable:
            found[NOT_AN_ITEM] = self._roll.unreadable
        return dict(sorted(found.items()))

    def next_ready_at_s(self) -> float | None:
        """The earliest time that this object knows of; now where something may be ready."""
        counts = self.counts()
        if not counts.open:
            return None
        if counts.ready:
            return self._clock()
        times = [*self._waiting.values(), *(lease.until_s for lease in self._holding.leases())]
        return min(times, default=self._clock())

    def close(self) -> None:
        """Give held leases back and close the connections."""
        for lease in self._holding.leases():
            with _repaired_later("a lease was not given back"):
                self.release(lease, lease.tries, delay_s=0)
        self._threads.shutdown()
        self._wire.close()

    # Taking ---------------------------------------------------------------------------------

    def _lease_of(self, high: bool, n: int, lease_s: float, *, patient: bool) -> list[Lease]:
        """Take up to n items of one class; waits a little if nothing else is at work."""
        leases: list[Lease] = []
        for _ in range(_MOST_RECEIVES):
            if len(leases) >= n:
                break
            wait_s = _IDLE_WAIT_S if patient and not leases and not len(self._holding) else 0
            messages = self._wire.receive(
                n - len(leases), high=high, hidden_s=self._hidden(lease_s), wait_s=wait_s
            )
            if not messages:
                break
            asked = [self._threads.submit(self._take, message, lease_s) for message in messages]
            taken, failure = _gather(asked)
            leases += taken
            if failure is not None:
                if not leases:
                    raise failure
                break
        return leases

    def _take(self, message: Message, lease_s: float) -> Lease | None:
        """Lease the item of a delivery, unless it is at an end, held or not ready yet."""
        try:
            item = Item.model_validate_json(message.body)
        except ValidationError:
            logger.error("a message in %s is no item and was set aside", self._wire.name)
            self._roll.set_aside(message.id, message.body)
            self._wire.delete([message.handle])
            self._strangers.append(message.id)
            return None
        until_s = self._clock() + lease_s
        entry = self._holding.take(item, message.handle, high=message.high, until_s=until_s)
        if self._holding.is_mine(entry):
            self._waiting.pop(item.id, None)
            return lease_of(entry.state)
        if entry.state.ended:  # delivered again after its end
            self._resender.mark(entry)
            self._wire.delete([message.handle])
        else:
            busy_s = max(1.0, entry.state.busy_until_s - self._clock())
            self._wire.hide([(message.handle, self._hidden(busy_s))])
        return None

    def _adopt(self, items: Sequence[Item]) -> None:
        """List items that somebody sent without a source list, so that they count."""
        if all(item.id in self._roll for item in items):
            return
        self._roll.read_sources()
        strangers = [item for item in items if item.id not in self._roll]
        if strangers:
            self._roll.add(strangers, high=False, now_s=self._clock())

    def _look_for_missing(self, *, idle: bool) -> None:
        """After a quiet minute, send again what SQS seems to have lost."""
        now_s = self._clock()
        if not idle or self._quiet_since_s is None:
            self._quiet_since_s = now_s if idle else None
            return
        if now_s - self._quiet_since_s < _QUIET_S:
            return
        self._quiet_since_s = now_s
        visible, hidden = self._wire.sizes()
        self._roll.refresh()
        if visible == 0 and hidden < self._roll.open:
            sent = self._resender.requeue_missing(limit=_LIST_ITEMS)
            if sent:
                logger.warning("%d open items had no message in SQS and were sent again", sent)
                self._quiet_since_s = now_s - _QUIET_S  # there may be more: no need to wait

    def _hidden_by_sqs(self) -> int:
        now_s = time.monotonic()
        if self._hidden_seen is None or now_s - self._hidden_seen[0] > self._sizes_age_s:
            self._hidden_seen = (now_s, self._wire.sizes()[1])
        return self._hidden_seen[1]

    def _hidden(self, delay_s: float) -> int:
        """Whole seconds for which SQS shall hide a message."""
        return min(self._max_hidden_s, max(0, -int(-delay_s // 1)))


def _gather(asked: Sequence["Future[Lease | None]"]) -> tuple[list[Lease], Transient | None]:
    """The leases that were got, and a failure if there was one."""
    leases: list[Lease] = []
    failure: Transient | None = None
    for future in asked:
        try:
            lease = future.result()
        except Transient as error:
            failure = error
        else:
            leases += [] if lease is None else [lease]
    return leases, failure


@contextmanager
def _repaired_later(what: str) -> Iterator[None]:
    """Go on where only SQS or a mark lags behind the ledger: the next delivery repairs it."""
    try:
        yield
    except MedpipeError as error:
        logger.warning("%s: %s", what, error)
