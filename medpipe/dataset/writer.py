"""Writes the Parquet files of one item's attempt and puts the manifest that decides for them."""

import json
import math
import uuid
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medpipe import faults
from medpipe.dataset.manifest import Manifest, TableFile, safe_name
from medpipe.dataset.schema import TABLES, file_schema
from medpipe.storage import ObjectStore

Rows = Mapping[str, Iterable[dict[str, Any]]]

# A 720p image is about 0.2 MB: 16 rows keep a row group near 3 MB while writing.
_ROWS_A_GROUP = 16


def write_item(
    store: ObjectStore,
    rows: Rows,
    *,
    item_id: str,
    generation: int,
    config_hash: str,
    verdict: str,
    reason: str | None = None,
) -> Manifest:
    """Write an item's rows and decide, by one conditional put, whose rows are the item's.

    Args:
        store: The dataset's store.
        rows: By table; consumed once, in row groups, so that memory stays flat.
        item_id: Whose rows.
        generation: Of this run of the item.
        config_hash: Of the config that shaped the rows.
        verdict: `done` or `rejected`.
        reason: The reject's code.

    Returns:
        The manifest that stands under the item's key: ours, or that of the attempt that won.
    """
    faults.at("write.files", item_id)
    files = tuple(
        file
        for table in TABLES
        if (
            file := _write_table(
                store, table, rows.get(table, ()), item_id, generation, config_hash
            )
        )
    )
    manifest = Manifest(
        item_id=item_id,
        generation=generation,
        config_hash=config_hash,
        verdict=verdict,
        reason=reason,
        files=files,
    )
    faults.at("write.manifest", item_id)
    won = store.put_if_absent(manifest.key, manifest.model_dump_json().encode())
    faults.at("write.decided", item_id)
    if won:
        return manifest
    return Manifest.model_validate_json(store.read(manifest.key))


def _write_table(
    store: ObjectStore,
    table: str,
    rows: Iterable[dict[str, Any]],
    item_id: str,
    generation: int,
    config_hash: str,
) -> TableFile | None:
    """Write one file; None when there are no rows."""
    source = iter(rows)
    group = list(islice(source, _ROWS_A_GROUP))
    if not group:
        return None
    schema = file_schema(table, config_hash)
    name = f"{safe_name(item_id)}-{generation:06d}-{uuid.uuid4().hex[:12]}.parquet"
    count = 0
    with store.output(f"{table}/{name}") as sink:
        writer = pq.ParquetWriter(sink, schema, compression="zstd")
        while group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
            group = list(islice(source, _ROWS_A_GROUP))
        writer.close()
        size_bytes = sink.tell()
    return TableFile(
        table=table,
        path=name,
        size_bytes=size_bytes,
        rows=count,
        stats=_stats(writer.writer.metadata),
    )


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
