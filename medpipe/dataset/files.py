"""Parquet files of the tables: written in groups of bounded size, merged, described for the log."""

import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medpipe.dataset.manifest import TableFile
from medpipe.dataset.schema import ITEM_COLUMN, file_schema, fitted
from medpipe.storage import ObjectStore

# A row group is read whole: merging holds one that it reads and one that it gathers.
_GROUP_BYTES = 8 << 20
_GROUP_ROWS = 4096

# Files of one item are read whole and several at a time, because S3 is slow to answer, not to send.
_READERS = 8
_SMALL_BYTES = 4 << 20
_WINDOW_BYTES = 16 << 20

_ROWS_A_READ = 64


class Source(NamedTuple):
    """A file whose rows go into another, without those of the items in `without`.

    `one_item` files are small enough to be read whole, beside others.
    """

    path: str
    size_bytes: int
    without: frozenset[str] = frozenset()
    one_item: bool = False


class Output(NamedTuple):
    """A file that was written, and the generation of each item that has rows in it."""

    file: TableFile
    items: dict[str, int]


def write_file(
    store: ObjectStore, table: str, name: str, groups: Iterable[pa.Table], config_hash: str | None
) -> TableFile | None:
    """Write a file, one row group for each of `groups`; no file when there is none.

    Args:
        store: The dataset's store.
        table: Whose folder the file goes into.
        name: Of the file in that folder.
        groups: Rows with the columns of the table; consumed once.
        config_hash: Of the config that shaped all rows, or None if there may be several.
    """
    source = iter(groups)
    first = next(source, None)
    if first is None:
        return None
    rows = 0
    with store.output(f"{table}/{name}") as sink:
        writer = pq.ParquetWriter(sink, file_schema(table, config_hash), compression="zstd")
        for group in chain([first], source):
            writer.write_table(group)
            rows += group.num_rows
        writer.close()
        size_bytes = sink.tell()
    stats = _stats(writer.writer.metadata)
    return TableFile(table=table, path=name, size_bytes=size_bytes, rows=rows, stats=stats)


def merge(store: ObjectStore, table: str, name: str, sources: Sequence[Source]) -> Output | None:
    """Write the rows of several files into one, in their order; None if no row is left.

    The file says the same of its columns as those it replaces; delta-rs' own compaction would drop
    the metadata by which Hugging Face's reader knows images.

    Raises:
        FileNotFoundError: A source is gone.
    """
    column = ITEM_COLUMN[table]
    items: dict[str, int] = {}

    def noted(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        for part in parts:
            items.update(zip(*(part[c].to_pylist() for c in (column, "generation")), strict=True))
            yield part

    file = write_file(store, table, name, noted(_grouped(_rows(store, table, sources))), None)
    return Output(file, items) if file is not None else None


def items_in(store: ObjectStore, table: str, path: str) -> dict[str, int]:
    """The generation of each item that has rows in a file."""
    columns = [ITEM_COLUMN[table], "generation"]
    with store.input(f"{table}/{path}") as file:
        rows = pq.ParquetFile(file, pre_buffer=False).read(columns=columns, use_threads=False)
    return dict(zip(*(rows[column].to_pylist() for column in columns), strict=True))


def keys_in(store: ObjectStore, key: str) -> set[str]:
    """The objects that a file of `clips` names; the file by its own key."""
    with store.input(key) as file:
        rows = pq.ParquetFile(file, pre_buffer=False).read(columns=["key"], use_threads=False)
    return set(rows["key"].to_pylist())


def _rows(store: ObjectStore, table: str, sources: Iterable[Source]) -> Iterator[pa.Table]:
    with ThreadPoolExecutor(_READERS) as readers:
        for window in _windows(sources):
            if not _is_small(window[0]):
                parts = _streamed(store, table, window[0])
            else:
                parts = readers.map(lambda source: _whole(store, table, source), window)
            yield from (part for part in parts if part.num_rows)


def _whole(store: ObjectStore, table: str, source: Source) -> pa.Table:
    data = store.read(f"{table}/{source.path}")
    return _without(
        source, pq.ParquetFile(io.BytesIO(data), pre_buffer=False).read(use_threads=False), table
    )


def _streamed(store: ObjectStore, table: str, source: Source) -> Iterator[pa.Table]:
    with store.input(f"{table}/{source.path}") as file:
        parquet = pq.ParquetFile(file, pre_buffer=False)
        batches = parquet.iter_batches(batch_size=_ROWS_A_READ, use_threads=False)
        for batch in batches:
            yield _without(source, pa.Table.from_batches([batch]), table)


def _without(source: Source, rows: pa.Table, table: str) -> pa.Table:
    rows = fitted(rows, table)
    if not source.without:
        return rows
    out = pc.is_in(rows[ITEM_COLUMN[table]], pa.array(sorted(source.without)))
    return rows.filter(pc.invert(out))


def _is_small(source: Source) -> bool:
    return source.one_item and source.size_bytes <= _SMALL_BYTES


def _windows(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """Big files alone, small ones together up to what may be in memory."""
    window: list[Source] = []
    for source in sources:
        big = not _is_small(source)
        held = sum(s.size_bytes for s in window)
        if window and (big or held + source.size_bytes > _WINDOW_BYTES):
            yield window
            window = []
        window.append(source)
        if big:
            yield window
            window = []
    if window:
        yield window


def _grouped(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Gather rows into tables of about a row group's size."""
    held: list[pa.Table] = []
    size_bytes = rows = 0
    for part in parts:
        held.append(part)
        size_bytes += part.nbytes
        rows += part.num_rows
        if size_bytes >= _GROUP_BYTES or rows >= _GROUP_ROWS:
            yield pa.concat_tables(held)
            held, size_bytes, rows = [], 0, 0
    if held:
        yield pa.concat_tables(held)


def _stats(footer: pq.FileMetaData) -> str:
    """Delta's statistics of a file from its Parquet footer: rows, and bounds of flat columns.

    A column is left without bounds if any row group has none (Parquet drops those of long texts):
    bounds that are too narrow would hide rows from readers that prune by them.
    """
    bounds: dict[str, tuple[Any, Any]] = {}
    nulls: dict[str, int] = {}
    unbounded: set[str] = set()
    for g in range(footer.num_row_groups):
        group = footer.row_group(g)
        for column in map(group.column, range(group.num_columns)):
            name, stats = column.path_in_schema, column.statistics
            if "." in name or stats is None:
                unbounded.add(name)
                continue
            nulls[name] = nulls.get(name, 0) + (stats.null_count or 0)
            if stats.has_min_max and _is_json(stats.min) and _is_json(stats.max):
                low, high = bounds.get(name, (stats.min, stats.max))
                bounds[name] = (min(low, stats.min), max(high, stats.max))
            elif stats.num_values:
                unbounded.add(name)
    bounded = [name for name in bounds if name not in unbounded]
    return json.dumps(
        {
            "numRecords": footer.num_rows,
            "minValues": {name: bounds[name][0] for name in bounded},
            "maxValues": {name: bounds[name][1] for name in bounded},
            "nullCount": nulls,
        }
    )


def _is_json(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value))
