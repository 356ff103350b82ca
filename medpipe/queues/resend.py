"""Brings items back into SQS: those that were reopened, and those whose message was lost."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from itertools import islice

from medpipe.queues.contract import Tries
from medpipe.queues.holding import Entry
from medpipe.queues.ledger import Ledger, State
from medpipe.queues.roll import Roll, body_of
from medpipe.queues.wire import SqsWire
from medpipe.records import Item

_LOOKED_AT = 1000


class Resender:
    """Keeps ends, their marks and messages together; who dies in between leaves nothing lost.

    Args:
        ledger: Decides.
        roll: Holds the marks and the source lists.
        wire: Where messages go.
        threads: To look at many items at a time.
        clock: Unix time.
    """

    def __init__(
        self,
        ledger: Ledger,
        roll: Roll,
        wire: SqsWire,
        threads: Executor,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._roll = roll
        self._wire = wire
        self._threads = threads
        self._clock = clock

    def mark(self, entry: Entry) -> None:
        """Mark an end, unless somebody reopens the item meanwhile."""
        self._roll.end(entry.state)
        if self._ledger.overtaken(entry.state.item.id, entry.n):
            self._roll.unend(entry.state)

    def reopen(self, item_ids: Iterable[str], wanted: Callable[[State], bool]) -> list[Item]:
        """Make items ready again whose state is wanted, which must be an end."""
        reopened = self._threads.map(lambda i: self._reopen(i, wanted), item_ids)
        states = [state for state in reopened if state is not None]
        self._send((state.item, state.high) for state in states)
        return [state.item for state in states]

    def requeue_missing(self, *, limit: int | None = None) -> int:
        """Send what is neither at an end nor leased nor waiting; returns how many.

        Args:
            limit: Stop after about so many.
        """
        self._roll.refresh(at_once=True)
        open_ids, sent = iter(self._roll.open_ids()), 0
        while batch := list(islice(open_ids, _LOOKED_AT)):
            is_missing = self._threads.map(self._is_missing, batch)
            missing = [i for i, wanted in zip(batch, is_missing, strict=True) if wanted]
            self._send(self._roll.listed(missing))
            sent += len(missing)
            if limit is not None and sent >= limit:
                break
        return sent

    def _reopen(self, item_id: str, wanted: Callable[[State], bool]) -> State | None:
        newest = self._ledger.newest(item_id)
        if newest is None or not wanted(newest[1]):
            return None
        n, state = newest
        tries = Tries(generation=state.tries.generation)
        changes = {"state": "ready", "tries": tries, "ready_at_s": self._clock()}
        ready = state.model_copy(update=changes)
        self._roll.unend(state)  # first: who dies after it leaves an open item, which is found
        won = self._ledger.append(n + 1, ready)
        self._roll.unend(state)  # again: somebody may have put the mark back before the append
        return ready if won else None

    def _is_missing(self, item_id: str) -> bool:
        newest = self._ledger.newest(item_id)
        if newest is None:
            return True
        entry = Entry(*newest)
        if entry.state.ended:
            self.mark(entry)
            return False
        return entry.state.busy_until_s <= self._clock()

    def _send(self, items: Iterable[tuple[Item, bool]]) -> None:
        found = list(items)
        for high in self._wire.classes:
            bodies = [body_of(item) for item, is_high in found if self._class(is_high) == high]
            if bodies:
                self._wire.send(bodies, high=high)

    def _class(self, is_high: bool) -> bool:
        """The class to send to: the high queue may have been removed."""
        return is_high and True in self._wire.classes
