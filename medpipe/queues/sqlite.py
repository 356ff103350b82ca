"""The embedded queue: one SQLite file that several processes on one machine may share.

Every holder keeps a lock on a file of its own beside the queue for as long as it lives. The leases
of a holder whose lock is free are ready again at once, so a killed driver costs no waiting.
"""

import fcntl
import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from medpipe.errors import ConfigError
from medpipe.queues.contract import NOT_AN_ITEM, Lease, LeaseLost, QueueCounts, Tries
from medpipe.records import Item

logger = logging.getLogger(__name__)

_ENDS = ("done", "rejected", "dead")

# Tries of an item that starts anew.
_ANEW = "json_object('generation', COALESCE(json_extract(tries, '$.generation'), 0))"

_TABLES = """
CREATE TABLE IF NOT EXISTS items (
    id TEXT PRIMARY KEY,
    item TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'done', 'rejected', 'dead')),
    ready_at_s REAL NOT NULL,
    until_s REAL NOT NULL DEFAULT 0,
    holder TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    tries TEXT NOT NULL DEFAULT '{}',
    reason TEXT,
    added INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_turn ON items (state, priority DESC, ready_at_s, added);
CREATE INDEX IF NOT EXISTS by_reason ON items (state, reason);
"""


class SqliteQueue:
    """A `WorkQueue` in one SQLite file (write-ahead log), safe for several processes."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self.set_aside = 0
        self._lock = self._lock_path(self._holder).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            with self._lock_path("making").open("w") as making:
                # Changing the journal mode does not wait for others that do the same.
                fcntl.flock(making, fcntl.LOCK_EX)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            self._drop_lock()
            raise ConfigError(f"{path} is no queue of medpipe: {error}") from error

    def enqueue(self, items: Iterable[Item], *, priority: int = 0) -> int:
        """Add items that are not in yet; returns how many were new."""
        new = 0
        with self._write() as db:
            now = self._clock()
            (last,) = db.execute("SELECT COALESCE(MAX(added), 0) FROM items").fetchone()
            for added, item in enumerate(items, start=last + 1):
                new += db.execute(
                    "INSERT OR IGNORE INTO items (id, item, priority, state, ready_at_s, added)"
                    " VALUES (?, ?, ?, 'ready', ?, ?)",
                    (item.id, item.model_dump_json(), priority, now, added),
                ).rowcount
        return new

    def lease(self, n: int, *, lease_s: float) -> list[Lease]:
        """Take up to n ready items, highest priority and then oldest first."""
        if n <= 0:
            return []
        with self._write() as db:
            now = self._clock()
            self._free_lost(db, now)
            rows = db.execute(
                "SELECT hex(id), CAST(item AS BLOB), token, tries FROM items WHERE"
                " state = 'ready' AND ready_at_s <= ?"
                " ORDER BY priority DESC, ready_at_s, added LIMIT ?",
                (now, n),
            ).fetchall()
            leases = []
            for key, item, token, tries in rows:
                lease = _lease(key, item, token, tries, now + lease_s)
                if lease is None:
                    self._set_aside(db, key)
                else:
                    leases.append(lease)
            db.executemany(
                "UPDATE items SET state = 'leased', holder = ?, token = token + 1, until_s = ?"
                " WHERE id = ?",
                [(self._holder, now + lease_s, lease.item.id) for lease in leases],
            )
        return leases

    def extend(self, leases: Sequence[Lease], *, lease_s: float) -> list[Lease]:
        """Hold leases for lease_s more from now; returns those that are lost."""
        with self._write() as db:
            until_s = self._clock() + lease_s
            return [
                lease
                for lease in leases
                if not db.execute(
                    "UPDATE items SET until_s = ? WHERE id = ? AND token = ? AND state = 'leased'",
                    (until_s, lease.item.id, lease.token),
                ).rowcount
            ]

    def release(self, lease: Lease, tries: Tries, *, delay_s: float) -> None:
        """Give an item back, to be ready after a delay."""
        self._end(lease, "ready", tries, self._clock() + delay_s)

    def finish(self, lease: Lease, state: str, tries: Tries) -> None:
        """End an item as `done`, `rejected` or `dead`."""
        if state not in _ENDS:
            raise ValueError(f"an item ends as one of {_ENDS}, not {state!r}")
        self._end(lease, state, tries, 0.0)

    def retry(self, *, reason: str | None = None) -> list[Item]:
        """Make dead and rejected items ready again; all dead ones, or those of one reason."""
        if reason is None:
            where, values = f"state = 'dead' AND reason IS NOT '{NOT_AN_ITEM}'", list[str]()
        elif reason == NOT_AN_ITEM:
            return []  # it would be none again
        else:
            where, values = "state IN ('dead', 'rejected') AND reason = ?", [reason]
        with self._write() as db:
            rows = db.execute(f"SELECT item FROM items WHERE {where}", values).fetchall()
            db.execute(
                f"UPDATE items SET state = 'ready', ready_at_s = ?, tries = {_ANEW}, reason = NULL"
                f" WHERE {where}",
                (self._clock(), *values),
            )
        return [Item.model_validate_json(item) for (item,) in rows]

    def reopen(self, item_ids: Iterable[str]) -> int:
        """Make finished items ready again, whatever their end; returns how many."""
        with self._write() as db:
            now = self._clock()
            return sum(
                db.execute(
                    f"UPDATE items SET state = 'ready', ready_at_s = ?, tries = {_ANEW},"
                    " reason = NULL WHERE id = ? AND state IN ('done', 'rejected', 'dead')",
                    (now, item_id),
                ).rowcount
                for item_id in item_ids
            )

    def counts(self) -> QueueCounts:
        """Items by state."""
        now = self._clock()
        rows = self._db.execute(
            "SELECT CASE WHEN state = 'ready' AND ready_at_s > ? THEN 'delayed' ELSE state END,"
            " COUNT(*) FROM items GROUP BY 1",
            (now,),
        ).fetchall()
        return QueueCounts.model_validate(dict(rows))

    def reasons(self) -> dict[str, int]:
        """Dead and rejected items by reason code."""
        rows = self._db.execute(
            "SELECT COALESCE(reason, 'unknown'), COUNT(*) FROM items"
            " WHERE state IN ('dead', 'rejected') GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return dict(rows)

    def next_ready_at_s(self) -> float | None:
        """Unix time at which the next open item can be leased, or None if none is open."""
        with self._write() as db:
            self._free_lost(db, self._clock())
            (at_s,) = db.execute(
                "SELECT MIN(CASE state WHEN 'ready' THEN ready_at_s ELSE until_s END) FROM items"
                " WHERE state IN ('ready', 'leased')"
            ).fetchone()
        return None if at_s is None else float(at_s)

    def close(self) -> None:
        """Let go of the file; held leases become free at once."""
        self._db.close()
        self._drop_lock()

    def _end(self, lease: Lease, state: str, tries: Tries, ready_at_s: float) -> None:
        with self._write() as db:
            changed = db.execute(
                "UPDATE items SET state = ?, tries = ?, reason = ?, ready_at_s = ?, holder = NULL"
                " WHERE id = ? AND token = ? AND state = 'leased'",
                (
                    state,
                    tries.model_dump_json(),
                    None if state in ("done", "ready") else tries.last_code,
                    ready_at_s,
                    lease.item.id,
                    lease.token,
                ),
            ).rowcount
        if not changed:
            raise LeaseLost(f"the lease on {lease.item.id} ran out")

    def _set_aside(self, db: sqlite3.Connection, key: str) -> None:
        """Make a dead letter of a row that is no item; its content stays as evidence."""
        logger.error("a message in %s is no item and was set aside", self._path.name)
        self.set_aside += 1
        tries = Tries(last_code=NOT_AN_ITEM, last_detail="the message cannot be read as an item")
        db.execute(
            "UPDATE items SET state = 'dead', tries = ?, reason = ? WHERE hex(id) = ?",
            (tries.model_dump_json(), NOT_AN_ITEM, key),
        )

    def _free_lost(self, db: sqlite3.Connection, now: float) -> None:
        """Make items ready whose lease ran out or whose holder is dead."""
        db.execute(
            "UPDATE items SET state = 'ready', ready_at_s = ? WHERE state = 'leased'"
            " AND until_s < ?",
            (now, now),
        )
        holders = db.execute("SELECT DISTINCT holder FROM items WHERE state = 'leased'").fetchall()
        for (holder,) in holders:
            if holder != self._holder and not self._lives(holder):
                db.execute(
                    "UPDATE items SET state = 'ready', ready_at_s = ? WHERE state = 'leased'"
                    " AND holder = ?",
                    (now, holder),
                )

    def _lives(self, holder: str) -> bool:
        path = self._lock_path(holder)
        try:
            with path.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        path.unlink(missing_ok=True)
        return False

    def _lock_path(self, holder: str) -> Path:
        return self._path.with_name(f".{self._path.name}.{holder}.lock")

    def _drop_lock(self) -> None:
        with suppress(FileNotFoundError):
            self._lock_path(self._holder).unlink()
        self._lock.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _lease(key: str, item: bytes, token: int, tries: str, until_s: float) -> Lease | None:
    """A lease on what a row holds, or None where that is no item or not the one of its key."""
    try:
        found = Item.model_validate_json(item)
        if found.id.encode().hex().upper() != key:
            return None
        told = Tries.model_validate_json(tries)
    except ValidationError:
        return None
    return Lease(item=found, token=token + 1, until_s=until_s, tries=told)
