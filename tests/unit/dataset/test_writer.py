"""An item's files and the manifest that decides for them."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.dataset import TABLES, Manifest
from medpipe.dataset.manifest import manifest_key, safe_name
from medpipe.dataset.writer import write_item
from medpipe.storage import ObjectStore, open_store
from tests.support.rows import put_item, rows_of

A = "file:a"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "out"))


def read(store: ObjectStore, manifest: Manifest, table: str) -> pa.Table:
    (file,) = [f for f in manifest.files if f.table == table]
    return pq.read_table(io.BytesIO(store.read(f"{table}/{file.path}")))


def test_an_item_is_a_file_a_table_and_a_manifest(store: ObjectStore) -> None:
    manifest = put_item(store, A)

    assert [f.table for f in manifest.files] == list(TABLES)
    assert [f.rows for f in manifest.files] == [2, 1, 1, 1, 1]
    assert list(store.keys("_items")) == [manifest.key] == [manifest_key(A, 1)]
    assert Manifest.model_validate_json(store.read(manifest.key)) == manifest


@pytest.mark.parametrize("table", list(TABLES))
def test_rows_come_back_as_they_were_written(store: ObjectStore, table: str) -> None:
    manifest = put_item(store, A)

    rows = read(store, manifest, table).to_pylist()

    written = pa.Table.from_pylist(rows_of(A)[table], schema=TABLES[table])
    assert rows == written.to_pylist()
    (file,) = [f for f in manifest.files if f.table == table]
    assert file.size_bytes == len(store.read(f"{table}/{file.path}"))


def test_a_table_without_rows_gets_no_file(store: ObjectStore) -> None:
    manifest = put_item(store, A, samples=0)

    assert [f.table for f in manifest.files] == ["rejects", "items"]
    assert (manifest.verdict, manifest.reason) == ("rejected", "no_image")


def test_a_second_attempt_of_a_generation_gets_the_winners_manifest(store: ObjectStore) -> None:
    first = put_item(store, A)
    second = put_item(store, A, samples=1)

    assert second == first
    assert len(list(store.keys("samples"))) == 2
    assert put_item(store, A, generation=2) != first


def test_rows_are_written_as_they_come_and_in_order(store: ObjectStore) -> None:
    (row,) = rows_of(A)["rejects"]
    rows = ({**row, "detail": f"{n}"} for n in range(40))

    manifest = write_item(
        store, {"rejects": rows}, item_id=A, generation=1, config_hash="c", verdict="done"
    )

    assert read(store, manifest, "rejects")["detail"].to_pylist() == [f"{n}" for n in range(40)]
    file = io.BytesIO(store.read(f"rejects/{manifest.files[0].path}"))
    assert pq.ParquetFile(file).num_row_groups == 3


def test_a_failure_among_the_rows_leaves_no_manifest_and_no_file(store: ObjectStore) -> None:
    def rows() -> Any:
        yield rows_of(A)["rejects"][0]
        raise RuntimeError("a bug while rows are made")

    with pytest.raises(RuntimeError, match="a bug"):
        write_item(
            store, {"rejects": rows()}, item_id=A, generation=1, config_hash="c", verdict="done"
        )

    assert list(store.keys("_items")) == list(store.keys("rejects")) == []


def stats_of(store: ObjectStore, rows: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = write_item(
        store, {"rejects": rows}, item_id=A, generation=1, config_hash="c", verdict="done"
    )
    stats: dict[str, Any] = json.loads(manifest.files[0].stats)
    return stats


def test_statistics_hold_rows_bounds_and_nulls_of_flat_columns(store: ObjectStore) -> None:
    (row,) = rows_of(A)["rejects"]

    stats = stats_of(store, [{**row, "start_s": s} for s in (3.0, None, 1.5)])

    assert stats["numRecords"] == 3
    assert (stats["minValues"]["item_id"], stats["maxValues"]["item_id"]) == (A, A)
    assert (stats["minValues"]["start_s"], stats["maxValues"]["start_s"]) == (1.5, 3.0)
    assert stats["nullCount"]["start_s"] == 1


ROW = rows_of(A)["rejects"][0]
DETAILS = st.one_of(st.none(), st.text("aλz", max_size=3), st.just("z" * 5000))
STARTS = st.one_of(st.none(), st.floats(allow_nan=False), st.just(float("inf")))


@settings(max_examples=25)
@given(st.lists(st.tuples(DETAILS, STARTS), min_size=1, max_size=40))
def test_bounds_never_exclude_a_row_and_are_json(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[str | None, float | None]]
) -> None:
    store = open_store(str(tmp_path_factory.mktemp("out")))

    stats = stats_of(store, [{**ROW, "detail": d, "start_s": s} for d, s in values])

    assert "Infinity" not in json.dumps(stats)
    for column, found in zip(("detail", "start_s"), zip(*values, strict=True), strict=True):
        if column in stats["minValues"]:
            low, high = stats["minValues"][column], stats["maxValues"][column]
            assert all(low <= value <= high for value in found if value is not None)


ITEM_IDS = st.from_regex(r"(yt|pmc|http|file):[A-Za-z0-9_.-]{1,128}", fullmatch=True)


@given(ITEM_IDS, ITEM_IDS)
def test_a_safe_name_is_one_to_one_and_no_path(one: str, other: str) -> None:
    assert "/" not in safe_name(one)
    assert ":" not in safe_name(one)
    assert (safe_name(one) == safe_name(other)) == (one == other)
