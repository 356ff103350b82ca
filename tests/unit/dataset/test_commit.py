"""Manifests become rows once, whoever commits them and whenever somebody dies."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from medpipe.dataset import TABLES, Committer, Dataset, Manifest
from medpipe.dataset.schema import ITEM_COLUMN
from medpipe.storage import ObjectStore, open_store
from tests.support.dying import die_at
from tests.support.rows import put_item

A, B, C, D = "file:a", "file:b", "file:c", "file:d"
ROWS = {"samples": 2, "transcripts": 1, "clips": 1, "rejects": 1, "items": 1}


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "out"))


def rows_by_item(store: ObjectStore, table: str) -> Counter[tuple[str, int]]:
    """How many rows each generation of each item has."""
    rows = Dataset(store).rows(table, [ITEM_COLUMN[table], "generation"]).to_pylist()
    return Counter((row[ITEM_COLUMN[table]], row["generation"]) for row in rows)


def assert_rows(store: ObjectStore, *generations: tuple[str, int]) -> None:
    for table, rows in ROWS.items():
        assert rows_by_item(store, table) == dict.fromkeys(generations, rows), table


def test_a_batch_is_in_every_table_when_commit_returns(store: ObjectStore) -> None:
    Committer(store).commit([put_item(store, A), put_item(store, B)])

    assert_rows(store, (A, 1), (B, 1))
    known = Dataset(store).known()[A]
    assert (known.generation, known.verdict, known.reason) == (1, "done", None)


@pytest.mark.parametrize(
    "batches",
    [
        lambda one, other: [[one], [one]],
        lambda one, other: [[one, one]],
        lambda one, other: [[one], [one, other], [other, one]],
        lambda one, other: [[], [one, other], []],
    ],
    ids=["again", "twice in a batch", "overlapping", "empty ones"],
)
def test_a_manifest_that_is_committed_more_than_once_counts_once(
    store: ObjectStore, batches: Callable[[Manifest, Manifest], list[list[Manifest]]]
) -> None:
    one, other = put_item(store, A), put_item(store, B)

    for batch in [*batches(one, other), [other]]:
        Committer(store).commit(batch)

    assert_rows(store, (A, 1), (B, 1))


def test_committers_at_once_with_overlapping_batches_double_nothing(store: ObjectStore) -> None:
    manifests = [put_item(store, f"file:{n}") for n in range(8)]

    def commit_all(seed: int) -> None:
        random, committer = Random(seed), Committer(store)
        mine = random.sample(manifests, len(manifests))
        for first in range(0, 8, 4):
            committer.commit(mine[first : first + 4])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(commit_all, range(4)))

    assert_rows(store, *((m.item_id, 1) for m in manifests))


def test_recover_commits_what_a_dead_driver_only_wrote(store: ObjectStore) -> None:
    Committer(store).commit([put_item(store, A)])
    put_item(store, B)

    assert Committer(store).recover() == 1
    assert Committer(store).recover() == 0
    assert_rows(store, (A, 1), (B, 1))


@pytest.mark.parametrize("table", ["transcripts", "items"])
def test_recover_completes_a_commit_that_was_killed_between_tables(
    tmp_path: Path, table: str
) -> None:
    store = open_store(str(tmp_path))
    die_at("commit.before", table, tmp_path, [put_item(store, A), put_item(store, B)])
    assert rows_by_item(store, "samples") == {(A, 1): 2, (B, 1): 2}
    assert Dataset(store).known() == {}

    assert Committer(store).recover() == 2

    assert_rows(store, (A, 1), (B, 1))


def test_a_replacement_that_was_killed_between_tables_is_completed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    Committer(store).commit([put_item(store, A), put_item(store, B)])
    die_at("commit.before", "rejects", tmp_path, [put_item(store, A, generation=2)])
    assert rows_by_item(store, "samples") == {(A, 2): 2, (B, 1): 2}

    assert Committer(store).recover() == 1

    assert_rows(store, (A, 2), (B, 1))


@pytest.mark.parametrize("point", ["commit.before", "commit.written", "commit.after"])
def test_a_committer_at_work_completes_what_another_was_killed_over(
    tmp_path: Path, point: str
) -> None:
    """It has forgotten what the tables held when it began, and must see what came since."""
    store = open_store(str(tmp_path))
    Committer(store).commit([put_item(store, A)])
    alive = Committer(store)
    assert alive.recover() == 0
    alive.commit([put_item(store, C)])
    half = [put_item(store, B)]
    die_at(point, "transcripts", tmp_path, half)

    alive.commit([put_item(store, D), *half])

    assert_rows(store, (A, 1), (B, 1), (C, 1), (D, 1))


def test_files_of_workers_are_gone_once_their_rows_are_in(store: ObjectStore) -> None:
    manifests = [put_item(store, A), put_item(store, B)]

    Committer(store).commit(manifests)

    for table in TABLES:
        assert len([key for key in store.keys(table) if key.endswith(".parquet")]) == 1
    Committer(store).commit(manifests)
    assert_rows(store, (A, 1), (B, 1))


@pytest.mark.parametrize("table", list(TABLES))
def test_a_commit_that_was_killed_before_its_log_entry_is_done_again(
    tmp_path: Path, table: str
) -> None:
    store = open_store(str(tmp_path))
    die_at("commit.written", table, tmp_path, [put_item(store, A), put_item(store, B)])

    assert Committer(store).recover() == 2

    assert_rows(store, (A, 1), (B, 1))
    assert Committer(store).vacuum() == []


def test_an_old_generation_stays_out_where_the_new_one_has_no_rows(store: ObjectStore) -> None:
    old, new = put_item(store, A), put_item(store, A, generation=2, samples=0)

    Committer(store).commit([new])
    Committer(store).commit([old])

    assert rows_by_item(store, "samples") == {}
    assert rows_by_item(store, "items") == {(A, 2): 1}


def test_a_new_generation_takes_the_place_of_the_old_one(store: ObjectStore) -> None:
    committer = Committer(store)
    committer.commit([put_item(store, A), put_item(store, B)])

    for _ in range(2):
        committer.commit([put_item(store, A, generation=2)])

    assert_rows(store, (A, 2), (B, 1))


def test_an_old_generation_that_comes_late_stays_out(store: ObjectStore) -> None:
    old, new = put_item(store, A), put_item(store, A, generation=2)
    committer = Committer(store)

    committer.commit([new])
    committer.commit([old])

    assert_rows(store, (A, 2))


def test_two_generations_in_one_batch_leave_the_newest(store: ObjectStore) -> None:
    old, new = put_item(store, A), put_item(store, A, generation=2)

    Committer(store).commit([new, old])

    assert_rows(store, (A, 2))


def test_recover_takes_the_newest_generation_only(store: ObjectStore) -> None:
    put_item(store, A)
    put_item(store, A, generation=2)

    assert Committer(store).recover() == 1
    assert_rows(store, (A, 2))


def test_a_rejected_item_that_was_retried_well_keeps_no_trace_of_its_reject(
    store: ObjectStore,
) -> None:
    committer = Committer(store)
    committer.commit([put_item(store, A, samples=0)])
    assert Dataset(store).known()[A].verdict == "rejected"
    assert Dataset(store).funnel()["rejected"] == 1

    committer.commit([put_item(store, A, generation=2)])

    assert_rows(store, (A, 2))
    assert Dataset(store).known()[A].verdict == "done"


def test_generations_of_many_items_replaced_at_once_by_two_committers(store: ObjectStore) -> None:
    items = [f"file:{n}" for n in range(6)]
    Committer(store).commit([put_item(store, item) for item in items])
    again = [put_item(store, item, generation=2) for item in items]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda batch: Committer(store).commit(batch), [again, again[::-1]]))

    assert_rows(store, *((item, 2) for item in items))


@pytest.mark.parametrize("table", list(TABLES))
def test_the_log_says_how_many_rows_a_file_has_and_whose(store: ObjectStore, table: str) -> None:
    Committer(store).commit([put_item(store, A), put_item(store, B)])
    handle = Dataset(store).table(table)
    assert handle is not None

    files = handle.get_add_actions(flatten=True)

    column = ITEM_COLUMN[table]
    low, high = files.column(f"min.{column}"), files.column(f"max.{column}")
    assert files.column("num_records").to_pylist() == [2 * ROWS[table]]
    assert (low.to_pylist(), high.to_pylist()) == ([A], [B])


def test_a_table_carries_its_schema_version(store: ObjectStore) -> None:
    Committer(store).commit([put_item(store, A)])
    handle = Dataset(store).table("items")

    assert handle is not None
    assert "medpipe.schema_version" in str(handle.metadata().description)


def test_an_empty_dataset_has_no_rows_and_no_table(store: ObjectStore) -> None:
    assert Committer(store).recover() == 0
    assert Dataset(store).table("items") is None
    assert Dataset(store).rows("samples").num_rows == 0
    with pytest.raises(ValueError, match="no such table"):
        Dataset(store).table("sampels")
