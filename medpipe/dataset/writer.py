"""Writes the Parquet files of one item's attempt and puts the manifest that decides for them."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from medpipe import faults
from medpipe.dataset.files import write_file
from medpipe.dataset.manifest import Manifest, TableFile, safe_name
from medpipe.dataset.schema import TABLES
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
    name = f"{safe_name(item_id)}-{generation:06d}-{uuid.uuid4().hex[:12]}.parquet"
    return write_file(store, table, name, _groups(table, iter(rows)), config_hash)


def _groups(table: str, rows: Iterator[dict[str, Any]]) -> Iterator[pa.Table]:
    while group := list(islice(rows, _ROWS_A_GROUP)):
        yield pa.Table.from_pylist(group, schema=TABLES[table])
