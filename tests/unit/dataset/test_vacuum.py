"""What no version needs is deleted, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from medpipe import Dataset, open_store
from medpipe.dataset import Committer, write_item
from medpipe.storage import ObjectStore


def attempt(store: ObjectStore, item: str, generation: int = 1) -> None:
    """One attempt's files and manifest; a later attempt of the same generation loses."""
    row = {"item_id": item, "generation": generation, "code": "blank_image"}
    write_item(
        store,
        {"rejects": [row], "items": [{"id": item, "generation": generation}]},
        item_id=item,
        generation=generation,
        config_hash="x",
        verdict="done",
    )


def age(folder: Path, days: float) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - days * 86_400,) * 2)


def test_files_of_losing_attempts_go_and_those_of_decided_ones_stay(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    attempt(store, "file:a")
    attempt(store, "file:a")
    attempt(store, "file:b")
    Committer(store).recover()
    attempt(store, "file:c")
    age(tmp_path / "items", days=9)
    age(tmp_path / "rejects", days=9)

    gone = Committer(store).vacuum()

    assert len(gone) == 2
    assert len(list((tmp_path / "items").glob("*.parquet"))) == 2  # a and b in one, c
    assert set(Dataset(store).known()) == {"file:a", "file:b", "file:c"}
    assert Dataset(store).rows("rejects").num_rows == 3


def test_what_a_running_attempt_has_just_written_stays(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    attempt(store, "file:a")
    attempt(store, "file:a")
    Committer(store).recover()

    assert Committer(store).vacuum() == []
    assert len(list((tmp_path / "items").glob("*.parquet"))) == 2


def test_a_dataset_that_begins_is_not_due_and_one_of_yesterday_is_vacuumed_once(
    tmp_path: Path,
) -> None:
    store = open_store(str(tmp_path))
    attempt(store, "file:a")
    attempt(store, "file:a")
    committer = Committer(store)
    committer.recover()
    age(tmp_path / "items", days=9)
    age(tmp_path / "rejects", days=9)

    assert committer.vacuum_if_due() == []
    assert Committer(store).vacuum_if_due() == []

    store.write("_maintenance/vacuumed.json", b'{"at_s": %d}' % (time.time() - 90_000))
    assert len(Committer(store).vacuum_if_due()) == 2
    assert Committer(store).vacuum_if_due() == []
    assert Dataset(store).rows("rejects").num_rows == 1


@pytest.mark.parametrize("mark", [b"not json", b"{}", b'{"at_s": 9e12}'])
def test_a_mark_that_cannot_be_true_makes_the_vacuum_due(tmp_path: Path, mark: bytes) -> None:
    store = open_store(str(tmp_path))
    attempt(store, "file:a")
    attempt(store, "file:a")
    Committer(store).recover()
    age(tmp_path / "items", days=9)
    store.write("_maintenance/vacuumed.json", mark)

    assert len(Committer(store).vacuum_if_due()) == 1
    assert Committer(store).vacuum_if_due() == []
