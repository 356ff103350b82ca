"""Who is in the queue and who has come to an end, read from lists that lie beside the dataset.

`<prefix>/sources/<time>-<uuid>[-high].jsonl` holds items, written before they are sent;
`<prefix>/ends/<state>/<reason>/<item id>.json` marks an end, so that a listing counts them. The
marks follow the ledger, whose entry decides; one that is missing is put when the item is met again.
"""

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from threading import RLock
from urllib.parse import quote, unquote

from pydantic import ValidationError

from medpipe.errors import ConfigError
from medpipe.queues.ledger import LedgerStore, State
from medpipe.records import Item

_SLOW = 20  # a listing may take 1/20 of the time at most


class Roll:
    """The items of a queue: where each is listed, and the end that it has come to.

    Holds about 300 bytes an item in memory. Lists and ends of other processes are seen when they
    are read again.

    Args:
        store: Where the lists lie.
        prefix: Folder in it.
        age_s: How old the view of the ends may be.

    Attributes:
        unreadable: Messages that were no items.
    """

    def __init__(self, store: LedgerStore, prefix: str, *, age_s: float) -> None:
        self._store = store
        self._prefix = prefix
        self._age_s = age_s
        self._lock = RLock()
        self._sources: dict[str, str] = {}
        self._lists: set[str] = set()
        self._ends: dict[str, tuple[str, str]] = {}
        self._tally: Counter[tuple[str, str]] = Counter()
        self._read_at_s = -float("inf")
        self._read_took_s = 0.0
        self.unreadable = 0

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._sources

    @property
    def open(self) -> int:
        """Items that have not come to an end."""
        return max(0, len(self._sources) - len(self._ends))

    def tally(self) -> Counter[tuple[str, str]]:
        """Number of items by end and reason."""
        with self._lock:
            return Counter(self._tally)

    def open_ids(self) -> list[str]:
        """Ids of the items that have not come to an end, oldest list first."""
        with self._lock:
            return [item_id for item_id in self._sources if item_id not in self._ends]

    def refresh(self, *, at_once: bool = False) -> None:
        """Read what others have added, unless that was done a moment ago."""
        age_s = time.monotonic() - self._read_at_s
        if at_once or age_s > max(self._age_s, _SLOW * self._read_took_s):
            began_s = time.monotonic()
            self._read_ends()
            self.read_sources()  # after the ends: no end without its source
            self._read_at_s = time.monotonic()
            self._read_took_s = self._read_at_s - began_s
        elif not self.open:
            self.read_sources()

    def read_sources(self) -> None:
        """Read the source lists that were not read yet."""
        for key in self._store.keys(f"{self._prefix}/sources"):
            if key not in self._lists:
                self._note(key, (item.id for item in self._items(key)))

    def add(self, items: Sequence[Item], *, high: bool, now_s: float) -> None:
        """Write a source list."""
        stamp = f"{int(now_s * 1000):015d}-{uuid.uuid4().hex}"
        key = f"{self._prefix}/sources/{stamp}{'-high' if high else ''}.jsonl"
        self._store.write(key, "".join(f"{body_of(item)}\n" for item in items).encode())
        self._note(key, (item.id for item in items))

    def listed(self, item_ids: Iterable[str]) -> Iterator[tuple[Item, bool]]:
        """The items of these ids, each with whether it is of the high class."""
        by_list: dict[str, set[str]] = {}
        for item_id in item_ids:
            by_list.setdefault(self._sources[item_id], set()).add(item_id)
        for key, wanted in by_list.items():
            for item in self._items(key):
                if item.id in wanted:
                    wanted.discard(item.id)
                    yield item, key.endswith("-high.jsonl")

    def end(self, state: State) -> None:
        """Mark an item's end; the mark in memory stands even if writing it fails."""
        place = (state.state, state.reason)
        with self._lock:
            self._unmark(state.item.id)
            self._ends[state.item.id] = place
            self._tally[place] += 1
        self._store.write(self._end_key(state), state.model_dump_json().encode())

    def unend(self, state: State) -> None:
        """Take the mark of an item's end away."""
        with self._lock:
            self._unmark(state.item.id)
        self._store.delete(self._end_key(state))

    def ended(self, state: str, reason: str | None = None) -> list[str]:
        """Ids that are marked with an end (of one reason) in the store right now."""
        under = f"{self._prefix}/ends/{state}"
        if reason is not None:
            under += f"/{_folder(reason)}"
        return [_id_of(key) for key in self._store.keys(under)]

    def set_aside(self, name: str, body: str) -> None:
        """Keep a message that is no item, as evidence."""
        key = f"{self._prefix}/unreadable/{quote(name, safe='')}"
        self._store.write(key, body.encode(errors="replace"))
        with self._lock:
            self.unreadable += 1

    def _items(self, key: str) -> Iterator[Item]:
        try:
            for line in self._store.read(key).splitlines():
                yield Item.model_validate_json(line)
        except ValidationError as error:
            raise ConfigError(f"{key} is no source list: {error}") from error

    def _note(self, key: str, item_ids: Iterable[str]) -> None:
        found = list(item_ids)
        with self._lock:
            self._lists.add(key)
            for item_id in found:
                self._sources.setdefault(item_id, key)

    def _read_ends(self) -> None:
        ends: dict[str, tuple[str, str]] = {}
        places: dict[tuple[str, str], tuple[str, str]] = {}
        for key in self._store.keys(f"{self._prefix}/ends"):
            state, reason, _ = key.removeprefix(f"{self._prefix}/ends/").split("/")
            place = (state, unquote(reason))
            ends[_id_of(key)] = places.setdefault(place, place)
        unreadable = sum(1 for _ in self._store.keys(f"{self._prefix}/unreadable"))
        with self._lock:
            self._ends = ends
            self._tally = Counter(ends.values())
            self.unreadable = unreadable

    def _unmark(self, item_id: str) -> None:
        place = self._ends.pop(item_id, None)
        if place is not None:
            self._tally[place] -= 1

    def _end_key(self, state: State) -> str:
        return f"{self._prefix}/ends/{state.state}/{_folder(state.reason)}/{state.item.id}.json"


def body_of(item: Item) -> str:
    """An item as one line of JSON in ASCII: SQS refuses some characters."""
    return json.dumps(item.model_dump(exclude_none=True))


def _id_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _folder(reason: str) -> str:
    return quote(reason, safe="").replace(".", "%2E")
