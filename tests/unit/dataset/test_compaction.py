"""Small files become few big ones, whoever dies or commits meanwhile, and no row is lost."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.dataset import TABLES, Committer, Dataset
from medpipe.dataset.compaction import FILES_A_CLASS, FULL_BYTES, files_to_merge
from medpipe.storage import ObjectStore, StorageConfig, open_store
from tests.support.datasets import rows_of
from tests.support.dying import die_at
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.rows import put_item
from tests.support.s3 import KEYS, make_bucket, s3_server

MOST_SMALL = 3 * (FILES_A_CLASS - 1)
FILES = 12


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "out"))


def commit_one_by_one(store: ObjectStore, first: int, last: int) -> None:
    committer = Committer(store)
    for n in range(first, last):
        committer.commit([put_item(store, f"file:{n:03d}", samples=1)])


def live(store: ObjectStore, table: str) -> list[str]:
    handle = Dataset(store).table(table)
    assert handle is not None
    return [uri.rsplit("/", 1)[-1] for uri in handle.file_uris()]


def on_disk(store: ObjectStore, table: str) -> set[str]:
    return {path.name for path in (Path(store.uri) / table).glob("*.parquet")}


@settings(max_examples=60)
@given(st.lists(st.integers(1_000, 3 * FULL_BYTES // 2), max_size=400))
def test_files_stay_few_whatever_sizes_come(arriving: list[int]) -> None:
    sizes: dict[str, int] = {}
    rewritten = 0
    for n, size in enumerate(arriving):
        sizes[f"{n}"] = size
        while chosen := files_to_merge(sizes):
            assert all(sizes[path] < FULL_BYTES for path in chosen)
            merged = sum(sizes.pop(path) for path in chosen)
            rewritten += merged
            sizes[f"{n}+{len(chosen)}+{rewritten}"] = merged
    assert sum(sizes.values()) == sum(arriving)
    assert len(sizes) <= MOST_SMALL + sum(arriving) / FULL_BYTES
    assert rewritten <= 8 * sum(arriving)


def test_merging_changes_no_row_and_leaves_few_files(store: ObjectStore) -> None:
    commit_one_by_one(store, 0, FILES)
    before = rows_of(store.uri)

    assert Committer(store).compact() == len(TABLES)

    assert rows_of(store.uri) == before
    assert {table: len(live(store, table)) for table in TABLES} == dict.fromkeys(TABLES, 1)
    assert Committer(store).compact() == 0


def test_a_merged_file_still_tells_hugging_face_of_its_images(store: ObjectStore) -> None:
    commit_one_by_one(store, 0, FILES)
    Committer(store).compact()

    (file,) = live(store, "samples")

    metadata = pq.read_schema(Path(store.uri) / "samples" / file).metadata
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}


def test_a_version_from_before_a_merge_can_be_read_after_a_vacuum(store: ObjectStore) -> None:
    commit_one_by_one(store, 0, FILES)
    handle = Dataset(store).table("samples")
    assert handle is not None
    pinned = handle.version()
    Committer(store).compact()
    commit_one_by_one(store, FILES, FILES + 1)

    assert Committer(store).vacuum() == []

    files = DeltaTable(store.table_uri("samples"), version=pinned).file_uris()
    assert len(files) == FILES
    assert sum(pq.read_table(file, columns=["id"]).num_rows for file in files) == FILES


@pytest.mark.parametrize("table", ["samples", "items"])
@pytest.mark.parametrize("point", ["compact.written", "compact.after"])
def test_a_merge_that_is_killed_loses_no_row_and_no_file(
    store: ObjectStore, tmp_path: Path, point: str, table: str
) -> None:
    commit_one_by_one(store, 0, FILES)
    before = rows_of(store.uri)

    die_at(point, table, Path(store.uri), [])

    assert rows_of(store.uri) == before
    orphans = {name: on_disk(store, name) - set(live(store, name)) for name in TABLES}
    Committer(store).compact()
    assert rows_of(store.uri) == before
    for path in Path(store.uri).rglob("part-*.parquet"):
        os.utime(path, (time.time() - 9 * 86_400,) * 2)
    gone = Committer(store).vacuum()
    assert set(gone) == (
        {f"{table}/{name}" for name in orphans[table] if name.startswith("part-")}
        if point == "compact.written"
        else set()
    )
    assert rows_of(store.uri) == before


def test_merges_beside_commits_and_other_merges_lose_and_double_nothing(
    store: ObjectStore,
) -> None:
    commit_one_by_one(store, 0, FILES)
    more = [[put_item(store, f"file:m{n}")] for n in range(6)]
    again = [[put_item(store, f"file:{n:03d}", generation=2)] for n in range(0, FILES, 3)]

    def commit(batches: list[list[object]]) -> None:
        committer = Committer(store)
        for batch in batches:
            committer.commit(batch)  # type: ignore[arg-type]

    with ThreadPoolExecutor(4) as pool:
        done = [
            pool.submit(commit, more), pool.submit(commit, again),
            pool.submit(Committer(store).compact), pool.submit(Committer(store).compact),
        ]  # fmt: skip
        for future in done:
            future.result()

    rows = Dataset(store).rows("items", ["id", "generation"]).to_pylist()
    expected = {f"file:{n:03d}": 2 if n % 3 == 0 else 1 for n in range(FILES)}
    expected |= {f"file:m{n}": 1 for n in range(6)}
    assert {row["id"]: row["generation"] for row in rows} == expected
    assert len(rows) == len(expected)
    owners = Dataset(store).rows("samples", ["item_id"])["item_id"].to_pylist()
    assert sorted(owners) == sorted(
        [f"file:{n:03d}" for n in range(FILES) for _ in range(2 if n % 3 == 0 else 1)]
        + [f"file:m{n}" for n in range(6) for _ in range(2)]
    )


def test_files_and_log_stay_short_while_items_come_one_by_one(store: ObjectStore) -> None:
    committer = Committer(store)
    most = 0
    for n in range(45):
        committer.commit([put_item(store, f"file:{n:03d}", samples=1)])
        committer.compact()
        most = max(most, *(len(live(store, table)) for table in TABLES))

    assert most <= FILES_A_CLASS
    for table in TABLES:
        log = Path(store.uri) / table / "_delta_log"
        checkpoint = json.loads((log / "_last_checkpoint").read_bytes())["version"]
        newest = max(int(path.stem) for path in log.glob("*.json"))
        assert newest - checkpoint <= 20
        assert on_disk(store, table) >= set(live(store, table))
    assert len(Dataset(store).known()) == 45


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with s3_server(tmp_path / "server.log") as url, fault_proxy(url) as proxy:
        for name, value in {
            **KEYS,
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        make_bucket(url, "counted")
        yield proxy


def test_a_commit_asks_the_store_as_often_when_more_is_in(proxy: FaultProxy) -> None:
    store = open_store("s3://counted/data", StorageConfig(endpoint_url=proxy.url))
    committer = Committer(store)
    committer.recover()
    asked = []
    for n in range(12):  # the first checkpoint comes later
        batch = [put_item(store, f"file:{n:03d}-{k}", samples=1) for k in range(2)]
        proxy.asked.clear()
        committer.commit(batch)
        asked.append(len(proxy.asked))

    assert asked[0] >= asked[1]  # the first makes the tables
    assert set(asked[2:]) == {asked[1]}
