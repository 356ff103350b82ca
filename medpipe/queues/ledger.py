"""What a queue service cannot keep for us: every item's state, as small objects beside the dataset.

`<prefix>/states/<item id>/<n>.json` is a chain: the entry with the highest n is the item's state,
and a change of state is the next entry, put if absent. So of several holders that want to change
an item, exactly one does, and the others are told: that put is the fence. Entries are never
removed (a chain that loses entries would let a late holder in); only the holder of a lease
rewrites its own entry, to prolong it.
"""

import uuid
from collections.abc import Iterator
from typing import Literal, Protocol

from pydantic import ValidationError

from medpipe.errors import ConfigError
from medpipe.queues.contract import Tries
from medpipe.records import Item, Record

ENDS = ("done", "rejected", "dead")


class LedgerStore(Protocol):
    """The part of an object store that a ledger needs; see `medpipe.storage.ObjectStore`."""

    def read(self, key: str) -> bytes:
        """The whole object.

        Raises:
            FileNotFoundError: There is none under this key.
        """

    def write(self, key: str, data: bytes) -> None:
        """Put an object; readers see all of it or nothing."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Put an object unless the key exists; exactly one of several callers gets True."""

    def exists(self, key: str) -> bool:
        """Whether the key holds an object."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys under `prefix/`, sorted."""


class State(Record):
    """How an item stands.

    Attributes:
        high: It goes before those that are not.
        token: Of its newest lease; grows with every lease.
        holder: Who holds or held it.
        until_s: Unix time at which the lease ends.
        ready_at_s: Unix time before which it is not leased.
    """

    state: Literal["ready", "leased", "done", "rejected", "dead"]
    item: Item
    high: bool = False
    token: int = 0
    tries: Tries = Tries()
    holder: str = ""
    until_s: float = 0.0
    ready_at_s: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether it is done, rejected or dead."""
        return self.state in ENDS

    @property
    def reason(self) -> str:
        """Reason code of its end; `ok` when it is done."""
        return "ok" if self.state == "done" else self.tries.last_code or "unknown"

    @property
    def busy_until_s(self) -> float:
        """Unix time before which it cannot be leased."""
        return self.until_s if self.state == "leased" else self.ready_at_s


class _Entry(Record):
    """A state as written; the mark tells a writer whose put was answered twice that it won."""

    mark: str
    state: State


class Ledger:
    """The chains of states of all items of one queue.

    Args:
        store: Where they lie.
        prefix: Folder in it.
    """

    def __init__(self, store: LedgerStore, prefix: str) -> None:
        self._store = store
        self._prefix = f"{prefix}/states"

    def newest(self, item_id: str) -> tuple[int, State] | None:
        """An item's last entry and its number, or None where it was never leased."""
        keys = list(self._store.keys(f"{self._prefix}/{item_id}"))
        if not keys:
            return None
        entry = self._read(keys[-1])
        return None if entry is None else (_number(keys[-1]), entry.state)

    def append(self, n: int, state: State) -> bool:
        """Make a state the item's n-th if nobody else has; the put decides."""
        entry = _Entry(mark=uuid.uuid4().hex, state=state)
        key = self._key(state.item.id, n)
        if self._store.put_if_absent(key, entry.model_dump_json().encode()):
            return True
        there = self._read(key)  # ours if a put was repeated after its answer was lost
        return there is not None and there.mark == entry.mark

    def overtaken(self, item_id: str, n: int) -> bool:
        """Whether there is an entry after the n-th."""
        return self._store.exists(self._key(item_id, n + 1))

    def prolong(self, n: int, state: State) -> None:
        """Rewrite the entry of a lease that is held."""
        entry = _Entry(mark=uuid.uuid4().hex, state=state)
        self._store.write(self._key(state.item.id, n), entry.model_dump_json().encode())

    def _read(self, key: str) -> _Entry | None:
        """An entry, or None where a takedown was quicker.

        Raises:
            ConfigError: It is not one of ours.
        """
        try:
            return _Entry.model_validate_json(self._store.read(key))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ConfigError(f"{key} is no entry of this version's ledger: {error}") from error

    def _key(self, item_id: str, n: int) -> str:
        return f"{self._prefix}/{item_id}/{n:06d}.json"


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json"))
