"""Reads the dataset's tables: which items are in, the funnel, and rows by table."""

from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from medpipe.dataset.schema import TABLES, fitted
from medpipe.storage import ObjectStore


class KnownItem(NamedTuple):
    """What the `items` table says of one item."""

    generation: int
    config_hash: str
    verdict: str
    reason: str | None


class Dataset:
    """A dataset under one store, read at the newest version of each table."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def table(self, name: str) -> DeltaTable | None:
        """A handle on a table, or None where nothing was committed yet."""
        if name not in TABLES:
            raise ValueError(f"no such table: {name!r}; there are {', '.join(TABLES)}")
        try:
            return DeltaTable(
                self.store.table_uri(name), storage_options=self.store.delta_options()
            )
        except TableNotFoundError:
            return None

    def rows(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """All rows of a table, columns as in `TABLES`."""
        schema = TABLES[name]
        if columns is not None:
            schema = pa.schema([schema.field(column) for column in columns])
        parts = [
            pq.ParquetFile(file, pre_buffer=False).read(columns=columns, use_threads=False)
            for file in self._files(name)
        ]
        if not parts:
            return schema.empty_table()
        return pa.concat_tables(fitted(part, name, columns) for part in parts)

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """Rows of a table one by one, a few in memory at a time."""
        for file in self._files(name):
            for batch in pq.ParquetFile(file, pre_buffer=False).iter_batches(
                batch_size=16, columns=columns, use_threads=False
            ):
                yield from fitted(pa.Table.from_batches([batch]), name, columns).to_pylist()

    def _files(self, name: str) -> Iterator[IO[bytes]]:
        """The live files of a table, one open at a time.

        Read by pyarrow's plain Parquet reader: its dataset scanner over delta-rs' file system
        aborted the process now and then while Ray was loaded (2.60, pyarrow 26). Nothing is
        buffered ahead: the threads that do so abort a process that ends meanwhile.
        """
        handle = self.table(name)
        if handle is None:
            return
        for path in handle.get_add_actions(flatten=True).column("path").to_pylist():
            with self.store.input(f"{name}/{unquote(path)}") as file:
                yield file

    def known(self) -> dict[str, KnownItem]:
        """What is in, by item id."""
        columns = ["id", "generation", "config_hash", "verdict", "reason"]
        return {row.pop("id"): KnownItem(**row) for row in self.rows("items", columns).to_pylist()}

    def funnel(self) -> dict[str, Any]:
        """Counts by verdict, reason and stage, and what the good items hold."""
        items = self.rows("items", ["verdict", "reason", "counts", "duration_s"]).to_pylist()
        rejects = self.rows("rejects", ["stage", "kind", "code"]).to_pylist()
        totals: Counter[str] = Counter()
        for item in items:
            totals.update({key: value or 0 for key, value in (item["counts"] or {}).items()})
        return {
            "items": len(items),
            "done": sum(item["verdict"] == "done" for item in items),
            "rejected": sum(item["verdict"] == "rejected" for item in items),
            "media_s": sum(
                item["duration_s"] or 0.0 for item in items if item["verdict"] == "done"
            ),
            "totals": dict(sorted(totals.items())),
            "rejects": {
                f"{stage}/{kind}/{code}": n
                for (stage, kind, code), n in sorted(
                    Counter((r["stage"], r["kind"], r["code"]) for r in rejects).items()
                )
            },
        }
