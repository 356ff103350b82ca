"""Taking, keeping and leaving leases in a ledger, each by one put that only one holder can make."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medpipe.queues.contract import Lease, LeaseLost
from medpipe.queues.ledger import Ledger, State
from medpipe.queues.wire import Handle
from medpipe.records import Item


@dataclass(frozen=True, slots=True)
class Entry:
    """A state of an item and its place in the chain; the message too where we have it."""

    n: int
    state: State
    handle: Handle | None = None


class Holding:
    """The leases of one holder.

    Args:
        ledger: Decides.
        clock: Unix time.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._held: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._held)

    def leases(self) -> list[Lease]:
        """All leases that are held, as far as we know."""
        return [lease_of(entry.state) for entry in list(self._held.values())]

    def take(self, item: Item, handle: Handle, *, high: bool, until_s: float) -> Entry:
        """Lease an item unless it is at an end, held by somebody or not ready yet.

        Returns:
            What the item's newest entry now is: a lease that `is_mine`, or what stands in its way.
        """
        fresh = State(state="ready", item=item, high=high)
        taken = self._leased(fresh, until_s)
        if self._ledger.append(1, taken):  # most are new: this spares a look at the chain
            return self._hold(Entry(1, taken, handle))
        n, state = self._ledger.newest(item.id) or (0, fresh)
        if state.ended or state.busy_until_s > self._clock():
            return Entry(n, state)
        taken = self._leased(state, until_s)
        if self._ledger.append(n + 1, taken):
            return self._hold(Entry(n + 1, taken, handle))
        return Entry(*(self._ledger.newest(item.id) or (n, state)))  # somebody was quicker

    def is_mine(self, entry: Entry) -> bool:
        """Whether an entry is a lease just taken by `take`."""
        return entry.handle is not None

    def prolong(self, lease: Lease, until_s: float) -> Entry | None:
        """Hold a lease until a later time; None if it is lost."""
        entry = self._current(lease)
        if entry is not None and not self._ledger.overtaken(lease.item.id, entry.n):
            state = entry.state.model_copy(update={"until_s": until_s})
            self._ledger.prolong(entry.n, state)
            in_time = self._clock() <= entry.state.until_s  # else somebody may have seen it end
            if in_time or not self._ledger.overtaken(lease.item.id, entry.n):
                return self._hold(Entry(entry.n, state, entry.handle))
        self._forget(lease)
        return None

    def leave(self, lease: Lease, changes: dict[str, Any]) -> Entry:
        """Put an item's next state after a lease.

        Raises:
            LeaseLost: The token is not the item's newest.
        """
        entry = self._current(lease)
        self._forget(lease)
        if entry is not None:
            state = entry.state.model_copy(update=changes)
            if self._ledger.append(entry.n + 1, state):
                return Entry(entry.n + 1, state, entry.handle)
        raise LeaseLost(f"the lease on {lease.item.id} ran out")

    def _leased(self, state: State, until_s: float) -> State:
        changes = {"state": "leased", "token": state.token + 1, "until_s": until_s}
        return state.model_copy(update={**changes, "holder": self._holder})

    def _current(self, lease: Lease) -> Entry | None:
        """The entry under a lease's token, from memory or the ledger; None if it is lost."""
        held = self._held.get(lease.item.id)
        if held is not None and held.state.token == lease.token:
            return held
        newest = self._ledger.newest(lease.item.id)
        if newest and newest[1].state == "leased" and newest[1].token == lease.token:
            return Entry(*newest)
        return None

    def _hold(self, entry: Entry) -> Entry:
        self._held[entry.state.item.id] = entry
        return entry

    def _forget(self, lease: Lease) -> None:
        held = self._held.get(lease.item.id)
        if held is not None and held.state.token == lease.token:
            del self._held[lease.item.id]


def lease_of(state: State) -> Lease:
    """The lease that a leased state stands for."""
    return Lease(item=state.item, token=state.token, until_s=state.until_s, tries=state.tries)
