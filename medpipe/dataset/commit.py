"""Commits manifests to the Delta tables in batches: each item once, whoever commits it.

The small files that workers wrote are merged as they come in, one file a batch and table. A commit
holds only on the version whose rows were looked at, so any number of committers may bring in the
same items: who comes second sees them. A driver that died leaves nothing to undo: whoever finds
its manifests commits what the tables do not hold yet. `items` comes last: what is in there is in
everywhere.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from deltalake.exceptions import CommitFailedError, DeltaError

from medpipe import faults
from medpipe.dataset.batch import Batch, part_name
from medpipe.dataset.compaction import files_to_merge
from medpipe.dataset.files import Output, Source, keys_in, merge
from medpipe.dataset.manifest import CLIPS, MANIFESTS, Manifest, item_of_key
from medpipe.dataset.reader import Dataset
from medpipe.dataset.schema import TABLES
from medpipe.dataset.view import Change, TableView
from medpipe.errors import Transient
from medpipe.storage import ObjectStore

logger = logging.getLogger(__name__)

VACUUM_EVERY_S = 86_400.0

_VACUUMED = "_maintenance/vacuumed.json"
_CONFLICT_TRIES = 20
_RECOVERED_AT_ONCE = 500


class Committer:
    """Brings manifests into the tables; any number may work on one dataset at a time.

    Threads may share one and then wait for each other.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._views = {table: TableView(store, table) for table in TABLES}
        self._recovered = False
        self._vacuum_at_s = 0.0
        self._lock = threading.RLock()

    def recover(self) -> int:
        """Commit the manifests of dead drivers that are not in the tables yet.

        Returns:
            Number of items that came in.

        Raises:
            Transient: The store could not be reached.
        """
        with self._lock:
            return self._recover()

    def _recover(self) -> int:
        with _world("opening the tables"):
            for table, view in self._views.items():  # before the manifests are listed, see _whole
                view.refresh(whole=table == "items")
        missing = list(self._missing())
        for first in range(0, len(missing), _RECOVERED_AT_ONCE):
            keys = missing[first : first + _RECOVERED_AT_ONCE]
            self.commit([Manifest.model_validate_json(self._store.read(key)) for key in keys])
        self._recovered = True
        return len(missing)

    def vacuum(self, *, retention_h: int = 168) -> list[str]:
        """Delete files that no version needs: those of losing attempts and of replaced rows.

        Manifests of dead drivers are committed first, so that no decided file is taken for an
        orphan. Versions older than the retention can no longer be read afterwards.

        Args:
            retention_h: Younger files stay; must be longer than any attempt may take.

        Returns:
            What was deleted, as `table/file`, and keys of clips.
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
        return gone + self._vacuum_clips(time.time() - retention_h * 3600)

    def _vacuum_clips(self, before_s: float) -> list[str]:
        """Delete old clips that no file of the table names, live or kept for older versions."""
        named = set()
        for file in self._store.keys("clips"):
            if file.endswith(".parquet"):
                with suppress(FileNotFoundError):  # merged and cleared meanwhile
                    named |= keys_in(self._store, file)
        gone = [key for key in self._store.keys_before(CLIPS, before_s) if key not in named]
        self._store.delete_all(gone)
        return gone

    def vacuum_if_due(self) -> list[str]:
        """Vacuum unless anybody has done so within a day; a dataset that begins is not due yet.

        Returns:
            What was deleted, as `table/file`.

        Raises:
            Transient: The store could not be reached.
        """
        now_s = time.time()
        if now_s < self._vacuum_at_s <= now_s + VACUUM_EVERY_S:
            return []
        last_s = self._last_vacuum_s()
        due = last_s is not None and not now_s - VACUUM_EVERY_S < last_s <= now_s
        gone = self.vacuum() if due else []
        if due or last_s is None:
            last_s = now_s
            self._store.write(_VACUUMED, json.dumps({"at_s": now_s}).encode())
        self._vacuum_at_s = last_s + VACUUM_EVERY_S
        return gone

    def _last_vacuum_s(self) -> float | None:
        if not self._store.exists(_VACUUMED):
            return None
        try:
            return float(json.loads(self._store.read(_VACUUMED))["at_s"])
        except (ValueError, KeyError, TypeError):
            return 0.0

    def commit(self, manifests: Sequence[Manifest]) -> None:
        """Commit a batch of items; on return their rows are in every table, once.

        The workers' files that were merged are deleted then.

        Raises:
            Transient: The tables could not be reached, or other writers kept winning.
        """
        if not manifests:
            return
        newest = {m.item_id: m for m in sorted(manifests, key=lambda m: m.generation)}
        with self._lock:
            self._commit(list(newest.values()))

    def _commit(self, manifests: Sequence[Manifest]) -> None:
        batches = [Batch(self._store, table, manifests) for table in TABLES]
        for batch in batches:
            faults.at("commit.before", batch.table)
            self._bring_in(batch)
            faults.at("commit.after", batch.table)
        self._clear(batches)
        faults.at("commit.cleared")

    def compact(self) -> int:
        """Merge small files where enough have gathered, at most once a table.

        Returns:
            Number of merges; 0 when nothing is left to merge.

        Raises:
            Transient: The tables could not be reached.
        """
        with self._lock:
            return sum(self._compact(view) for view in self._views.values())

    def _clear(self, batches: Sequence[Batch]) -> None:
        """Delete the workers' files that were merged, and forget what `items` tells by now."""
        spent = [key for batch in batches for key in batch.spent(self._views[batch.table])]
        try:
            self._store.delete_all(spent)
        except Transient as error:
            logger.warning("merged files stay until the next vacuum: %s", error)
        self._forget()

    def _forget(self) -> None:
        items = self._views["items"]
        for view in self._views.values():
            if view is not items:
                view.forget(items)

    def _bring_in(self, batch: Batch) -> None:
        """Commit a batch to one table, again after every lost race, until its rows are in."""
        view = self._views[batch.table]
        race = _Race(batch.table)
        if not batch.manifests:
            return
        for _ in range(_CONFLICT_TRIES):
            with _world(f"commit to {batch.table}"), race:
                view.refresh(whole=self._whole(batch), create=True)
                fresh = self._fresh(view, batch.manifests)
                if not fresh:
                    view.expect_nothing()
                    return
                change = batch.change(view, fresh)
                if not (change.add or change.remove):
                    return
                faults.at("commit.written", batch.table)
                view.commit(change)
        message = f"{_CONFLICT_TRIES} commits to {batch.table} lost a race, the last by {race}"
        raise Transient("store_unavailable", message)

    def _whole(self, batch: Batch) -> bool:
        """Whether files that were live at the start may matter to a batch.

        Once `recover` has ended, every manifest that it listed is in `items`. A newer one can be
        in files only that came after the tables were opened, since they were opened first. Rows
        of an older generation may be anywhere.
        """
        return batch.table == "items" or not self._recovered or batch.replaces

    def _fresh(self, view: TableView, manifests: Sequence[Manifest]) -> list[Manifest]:
        """What is neither in this table nor in `items`, which is looked at second.

        So a manifest whose item has moved on to a later generation stays out, also where that
        generation has no rows.
        """
        fresh = [m for m in manifests if view.generation(m.item_id) < m.generation]
        items = self._views["items"]
        if fresh and view is not items:
            items.refresh(whole=True)
        return [m for m in fresh if items.generation(m.item_id) < m.generation]

    def _missing(self) -> Iterator[str]:
        """Keys of the newest manifests that are not in `items`."""
        newest: dict[str, tuple[int, str]] = {}
        for key in self._store.keys(MANIFESTS):
            item_id, generation = item_of_key(key)
            if self._views["items"].generation(item_id) < generation:
                newest[item_id] = max(newest.get(item_id, (0, "")), (generation, key))
        yield from (key for _, key in newest.values())

    def _compact(self, view: TableView) -> int:
        with _world(f"compaction of {view.table}"):
            view.refresh()
            chosen = files_to_merge(view.files)
            if not chosen:
                return 0
            sources = [Source(path, view.files[path]) for path in chosen]
            try:
                output = merge(self._store, view.table, part_name(), sources)
                faults.at("compact.written", view.table)
                self._swap(view, output, chosen)
            except FileNotFoundError as error:
                logger.info("another committer has compacted %s: %s", view.table, error)
            faults.at("compact.after", view.table)
            self._forget()
            view.clean_log()
            return 1

    def _swap(self, view: TableView, output: Output | None, chosen: list[str]) -> None:
        """Put a merged file in the place of its sources, as long as all of them are live."""
        added = [(output.file, output.items)] if output is not None else []
        race = _Race(view.table)
        for _ in range(_CONFLICT_TRIES):
            if not view.files.keys() >= set(chosen):
                break
            with race:
                view.commit(Change(added, chosen, moves=True))
            view.refresh()
        view.expect_nothing()


class _Race:
    """Passes over lost races, each after a longer while; as text it is what lost the last one."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._lost = 0
        self._last: BaseException | None = None

    def __enter__(self) -> None:
        """Begin an attempt."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Whether the attempt lost a race: to another commit, or to one that took its files."""
        if not isinstance(error, CommitFailedError | FileNotFoundError):
            return False
        logger.info("commit to %s lost a race (%s), again", self._table, error)
        time.sleep(min(1.0, 0.02 * 2**self._lost))
        self._lost, self._last = self._lost + 1, error
        return True

    def __str__(self) -> str:
        return f"{self._last}"


@contextmanager
def _world(doing: str) -> Iterator[None]:
    """Turn what the store does to delta-rs into `Transient`."""
    try:
        yield
    except (DeltaError, OSError) as error:
        raise Transient("store_unavailable", f"{doing} failed: {error}") from error
