"""A dataset of an older schema version goes on as one of the newest; its rows stay readable."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from medpipe import Dataset, open_store
from medpipe.dataset import TABLES, Committer
from tests.support.rows import put_item, rows_of

# What versions 2 and 3 added to the tables of version 1, by path.
ADDED = {
    "samples.narrations.element.words.element.first_point",
    "samples.narrations.element.words.element.end_point",
    "samples.narrations.element.boxes.element.negated",
    "items.counts.clips",
    "items.word_shift_s",
    "items.counts.parts",
    "samples.narrations.element.hedged",
    "samples.part_of",
    "samples.parts",
}
OLD_TABLES = [table for table in TABLES if table != "clips"]


def older(kind: pa.DataType, path: str) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(older(kind.value_type, f"{path}.element"))
    if pa.types.is_struct(kind):
        fields = [f for f in kind if f"{path}.{f.name}" not in ADDED]
        return pa.struct([pa.field(f.name, older(f.type, f"{path}.{f.name}")) for f in fields])
    return kind


def version_1(table: str) -> pa.Schema:
    fields = [f for f in TABLES[table] if f"{table}.{f.name}" not in ADDED]
    return pa.schema([pa.field(f.name, older(f.type, f"{table}.{f.name}")) for f in fields])


def old_dataset(folder: Path, item_id: str) -> None:
    rows = rows_of(item_id)
    for table in OLD_TABLES:
        schema = version_1(table)
        write_deltalake(str(folder / table), pa.Table.from_pylist(rows[table], schema=schema))


@pytest.fixture
def mixed(tmp_path: Path) -> Dataset:
    old_dataset(tmp_path, "file:old")
    store = open_store(str(tmp_path))
    Committer(store).commit([put_item(store, "file:new")])
    return Dataset(store)


def one(dataset: Dataset, table: str, item_id: str) -> dict[str, Any]:
    column = "id" if table == "items" else "item_id"
    return next(row for row in dataset.batches(table) if row[column] == item_id)


def test_version_1_is_what_was_published_then() -> None:
    text = "\n\n".join(
        f"[{table}]\n{version_1(table).to_string(truncate_metadata=False)}" for table in OLD_TABLES
    )

    assert text + "\n" == Path(__file__).with_name("schema_v1.txt").read_text("utf-8")


@pytest.mark.parametrize("table", list(TABLES))
def test_a_commit_brings_the_table_to_the_newest_columns(mixed: Dataset, table: str) -> None:
    handle = mixed.table(table)
    before = handle.version()

    assert {f.name: f.type for f in pa.schema(handle.schema())} == {
        f.name: f.type for f in TABLES[table]
    }
    Committer(mixed.store).recover()
    handle.update_incremental()
    assert handle.version() == before  # once


def test_rows_of_both_versions_are_read_with_the_newest_columns(mixed: Dataset) -> None:
    old, new = (one(mixed, "samples", item) for item in ("file:old", "file:new"))

    assert old["narrations"][0]["words"][0]["first_point"] is None
    assert [box["negated"] for box in old["narrations"][0]["boxes"]] == [None]
    assert (old["narrations"][0]["hedged"], new["narrations"][0]["hedged"]) == (None, False)
    assert [box["negated"] for box in new["narrations"][0]["boxes"]] == [False]
    assert one(mixed, "items", "file:old")["counts"]["clips"] is None
    assert set(mixed.known()) == {"file:old", "file:new"}
    for table in OLD_TABLES:
        assert mixed.rows(table).schema.equals(TABLES[table])


def test_files_of_both_versions_are_merged_into_one(tmp_path: Path, mixed: Dataset) -> None:
    committer = Committer(mixed.store)
    for n in range(40):
        committer.commit([put_item(mixed.store, f"file:{n}")])

    assert committer.compact() > 0

    assert len(mixed.known()) == 42
    assert mixed.rows("samples").num_rows == 84
    live = DeltaTable(str(tmp_path / "items")).get_add_actions(flatten=True)
    schemas = {pq.read_schema(tmp_path / "items" / p) for p in live["path"].to_pylist()}
    assert len(schemas) == 1


def test_any_delta_reader_sees_old_rows_with_nulls(tmp_path: Path, mixed: Dataset) -> None:
    import polars as pl

    items = pl.read_delta(str(tmp_path / "items"))

    assert items["word_shift_s"].null_count() == 2
    assert items["counts"].struct.field("clips").null_count() >= 1
