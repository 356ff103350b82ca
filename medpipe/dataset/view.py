"""One table as a committer sees it: which files are live and whose rows they hold.

The rows themselves say which items are in; nothing else is kept that could disagree with them. A
view follows its table by reading the log's new entries and the ids in files that it has not read.
A commit is a compare-and-swap: it holds only if nobody has committed since the last `refresh`.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import unquote

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    write_deltalake,
)
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from medpipe.dataset.files import items_in
from medpipe.dataset.manifest import TableFile
from medpipe.dataset.schema import SCHEMA_VERSION, TABLES
from medpipe.storage import ObjectStore

# Versions of the last week can be read, as `Committer.vacuum` keeps their files. A reader of the
# log starts at a checkpoint and reads the entries since.
_CONFIGURATION = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}

_READERS = 8


class Place(NamedTuple):
    """Where some items' rows of one generation are."""

    path: str
    generation: int


class Change(NamedTuple):
    """What a commit does: files that come in, with the items in them, and files that go.

    Attributes:
        moves: The rows stay as they are and only their files change.
    """

    add: Sequence[tuple[TableFile, Mapping[str, int]]]
    remove: Sequence[str]
    moves: bool = False


class TableView:
    """The newest version of a table that `refresh` has seen; one committer's own.

    Attributes:
        files: Bytes of each live file by path.
    """

    def __init__(self, store: ObjectStore, table: str) -> None:
        self.table = table
        self.files: dict[str, int] = {}
        self._store = store
        self._handle: DeltaTable | None = None
        self._opened = False
        self._whole = False
        self._places: dict[str, Place] = {}
        self._read: set[str] = set()
        self._skipped: set[str] = set()
        self._expected: dict[str, Mapping[str, int]] = {}

    def refresh(self, *, whole: bool = False, create: bool = False) -> None:
        """Go to the newest version.

        Args:
            whole: From now on know also the items in files that were live when the view was
                opened, or were forgotten since.
            create: Make the table if there is none.
        """
        if self._handle is None:
            self._handle = self._open(create=create)
        else:
            self._handle.update_incremental()
        live = self._live()
        if whole:
            self._whole = True
            self._skipped.clear()
        elif not self._opened:
            self._skipped = set(live)
        self._know(live.keys() - self._read - self._skipped)
        self._read &= live.keys()
        self._skipped &= live.keys()
        self.files = live
        self._opened = True

    def place(self, item_id: str) -> Place | None:
        """Where an item's rows are; None if it has none in the files that the view knows."""
        place = self._places.get(item_id)
        return place if place is not None and place.path in self.files else None

    def generation(self, item_id: str) -> int:
        """Generation of an item's rows, 0 if it has none."""
        place = self.place(item_id)
        return place.generation if place is not None else 0

    def forget(self, items: "TableView") -> None:
        """Free what `items` tells as well, unless the whole table shall be known.

        What is in `items` is in every table; so a file counts only as long as it holds rows of an
        item that is not in there yet.
        """
        if self._whole:
            return
        places = self._places.items()
        unsettled = {p.path for i, p in places if items.generation(i) < p.generation}
        self._places = {i: p for i, p in places if p.path in unsettled & self._read}
        self._skipped |= self._read - unsettled
        self._read &= unsettled

    def commit(self, change: Change) -> None:
        """Commit on top of the version of the last `refresh`; call that again afterwards.

        Raises:
            CommitFailedError: Another commit came first, or seemed to: the next `refresh` tells.
        """
        assert self._handle is not None, "refresh(create=True) comes first"
        now_ms = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = []
        for file, items in change.add:
            self._expected[file.path] = items
            actions.append(
                AddAction(file.path, file.size_bytes, {}, now_ms, not change.moves, file.stats)
            )
        for path in change.remove:
            actions.append(RemoveAction(path, not change.moves, now_ms, self.files[path], {}))
        self._handle.create_write_transaction(
            actions,
            mode="append",
            schema=TABLES[self.table],
            commit_properties=CommitProperties(max_commit_retries=0),
            # Looking for old entries lists the whole log; `clean_log` does it now and then.
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )

    def expect_nothing(self) -> None:
        """Free what was kept of commits that did not come to be."""
        self._expected.clear()

    def clean_log(self) -> None:
        """Delete entries of the log that are older than its retention."""
        if self._handle is not None:
            self._handle.cleanup_metadata()

    def _open(self, *, create: bool) -> DeltaTable | None:
        uri, options = self._store.table_uri(self.table), self._store.delta_options()
        try:
            return self._widened(DeltaTable(uri, storage_options=options))
        except TableNotFoundError:
            if not create:
                return None
        DeltaTable.create(
            uri,
            schema=TABLES[self.table],
            mode="ignore",
            name=self.table,
            description=json.dumps({"medpipe.schema_version": SCHEMA_VERSION}),
            configuration=_CONFIGURATION,
            storage_options=options,
        )
        return DeltaTable(uri, storage_options=options)

    def _widened(self, handle: DeltaTable) -> DeltaTable:
        """Bring a table of an older schema version to the newest; its rows stay as they are.

        New columns and fields are null where a file has none. Only additions can be made.
        """
        wanted = TABLES[self.table]
        if _types(pa.schema(handle.schema())) != _types(wanted):
            write_deltalake(handle, wanted.empty_table(), mode="append", schema_mode="merge")
            handle.update_incremental()
        return handle

    def _live(self) -> dict[str, int]:
        if self._handle is None:
            return {}
        actions = self._handle.get_add_actions()
        paths = map(unquote, actions.column("path").to_pylist())
        return dict(zip(paths, actions.column("size_bytes").to_pylist(), strict=True))

    def _know(self, paths: Iterable[str]) -> None:
        """Read whose rows these files hold, unless that was said when they were committed."""
        unread = [path for path in paths if path not in self._expected]
        found = dict(self._expected)
        if unread:
            with ThreadPoolExecutor(_READERS) as readers:
                read = readers.map(lambda p: items_in(self._store, self.table, p), unread)
                found.update(zip(unread, read, strict=True))
        for path in paths:
            self._note(path, found[path])

    def _note(self, path: str, items: Mapping[str, int]) -> None:
        by_generation: dict[int, Place] = {}
        for item_id, generation in items.items():
            place = by_generation.setdefault(generation, Place(path, generation))
            self._places[item_id] = place
        self._read.add(path)
        self._expected.pop(path, None)


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Types by column; a column that was added later stands last in the table."""
    return {field.name: field.type for field in schema}
