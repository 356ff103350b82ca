"""Reads the dataset's tables: which items are in, the funnel, and rows by table."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from medpipe.dataset.schema import TABLES
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
        handle = self.table(name)
        schema = TABLES[name]
        if columns is not None:
            schema = pa.schema([schema.field(column) for column in columns])
        if handle is None:
            return schema.empty_table()
        return handle.to_pyarrow_table(columns=columns)

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """Rows of a table one by one, a few in memory at a time."""
        handle = self.table(name)
        if handle is None:
            return
        scan = handle.to_pyarrow_dataset()
        for batch in scan.to_batches(columns=columns, batch_size=16):
            yield from batch.to_pylist()

    def known(self) -> dict[str, KnownItem]:
        """What is in, by item id."""
        columns = ["id", "generation", "config_hash", "verdict", "reason"]
        return {
            row.pop("id"): KnownItem(**row)
            for row in self.rows("items", columns).to_pylist()
        }

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
