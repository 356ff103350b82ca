"""Commits manifests to the Delta tables in batches: each item once, whoever commits it.

Every append carries one `Transaction(app_id=<item id>, version=<generation>)` an item, so a table's
own log says which items are in. A driver that died leaves nothing to undo: whoever finds its
manifests commits what each table's log does not know yet. The log is read from the very handle
that commits, and again after every conflict, because delta-rs accepts the same transaction twice
from a fresh handle. `items` comes last.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from medpipe import faults
from medpipe.dataset.manifest import MANIFESTS, Manifest
from medpipe.dataset.reader import Dataset
from medpipe.dataset.schema import ITEM_COLUMN, SCHEMA_VERSION, TABLES
from medpipe.errors import Transient
from medpipe.storage import ObjectStore

logger = logging.getLogger(__name__)

_CONFLICT_TRIES = 20


class Committer:
    """Brings manifests into the tables; any number may work on one dataset at a time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def recover(self) -> int:
        """Commit the manifests of dead drivers that are not in the tables yet.

        Returns:
            Number of items that came in.
        """
        known = Dataset(self._store).known()
        missing = [
            manifest
            for manifest in self._newest_manifests()
            if manifest.item_id not in known
            or known[manifest.item_id].generation < manifest.generation
        ]
        for first in range(0, len(missing), 500):
            self.commit(missing[first : first + 500])
        return len(missing)

    def vacuum(self, *, retention_h: int = 168) -> list[str]:
        """Delete files that no version needs: those of losing attempts and of replaced rows.

        Manifests of dead drivers are committed first, so that no decided file is taken for an
        orphan. Versions older than the retention can no longer be read afterwards.

        Args:
            retention_h: Younger files stay; must be longer than any attempt may take.

        Returns:
            What was deleted, as `table/file`.
        """
        self.recover()
        gone = []
        for table in TABLES:
            handle = Dataset(self._store).table(table)
            if handle is not None:
                files = handle.vacuum(
                    retention_hours=retention_h,
                    dry_run=False,
                    enforce_retention_duration=False,
                    full=True,
                )
                gone += [f"{table}/{file}" for file in files]
        return gone

    def commit(self, manifests: Sequence[Manifest]) -> None:
        """Commit a batch of items; on return their rows are in every table, once.

        Raises:
            Transient: The tables could not be reached, or other writers kept winning.
        """
        if not manifests:
            return
        newest = {m.item_id: m for m in sorted(manifests, key=lambda m: m.generation)}
        manifests = list(newest.values())
        again = [m for m in manifests if m.generation > 1]
        for table in TABLES:
            faults.at("commit.before", table)
            if again:
                self._retry(table, partial(_replace, table=table, manifests=again))
            faults.at("commit.between", table)
            self._retry(table, partial(_append, table=table, manifests=manifests))
            faults.at("commit.after", table)

    def _retry(self, table: str, act: Callable[[DeltaTable], None]) -> None:
        """Run one commit on a fresh handle, again after every lost race."""
        for attempt in range(_CONFLICT_TRIES):
            try:
                act(self._table(table))
            except CommitFailedError as error:
                logger.info("commit of %s lost a race (%s), again", table, error)
                time.sleep(min(1.0, 0.02 * 2**attempt))
            except (DeltaError, OSError) as error:
                message = f"commit to {table} failed: {error}"
                raise Transient("store_unavailable", message) from error
            else:
                return
        raise Transient("store_unavailable", f"{_CONFLICT_TRIES} commits to {table} lost a race")

    def _table(self, table: str) -> DeltaTable:
        uri, options = self._store.table_uri(table), self._store.delta_options()
        try:
            return DeltaTable(uri, storage_options=options)
        except TableNotFoundError:
            DeltaTable.create(
                uri,
                schema=TABLES[table],
                mode="ignore",
                name=table,
                description=json.dumps({"medpipe.schema_version": SCHEMA_VERSION}),
                storage_options=options,
            )
            return DeltaTable(uri, storage_options=options)

    def _newest_manifests(self) -> Iterable[Manifest]:
        newest: dict[str, str] = {}
        for key in self._store.keys(MANIFESTS):  # sorted: later generations come later
            newest[key.rsplit("/", 1)[0]] = key
        for key in newest.values():
            yield Manifest.model_validate_json(self._store.read(key))


def _append(handle: DeltaTable, table: str, manifests: Sequence[Manifest]) -> None:
    """Append the files of the items that this handle's log does not know."""
    fresh = [
        m
        for m in manifests
        if any(f.table == table for f in m.files)
        and (handle.transaction_version(m.item_id) or 0) < m.generation
    ]
    if not fresh:
        return
    now_ms = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(f.path, f.size_bytes, {}, now_ms, True, f.stats)
        for m in fresh
        for f in m.files
        if f.table == table
    ]
    transactions = [Transaction(app_id=m.item_id, version=m.generation) for m in fresh]
    handle.create_write_transaction(
        actions,
        mode="append",
        schema=TABLES[table],
        commit_properties=CommitProperties(app_transactions=transactions, max_commit_retries=0),
    )


def _replace(handle: DeltaTable, table: str, manifests: Sequence[Manifest]) -> None:
    """Delete the rows of earlier generations; doing it twice is as good as once."""
    column = ITEM_COLUMN[table]
    old = " OR ".join(
        f"({column} = '{m.item_id}' AND generation < {m.generation})" for m in manifests
    )
    handle.delete(old, commit_properties=CommitProperties(max_commit_retries=0))
