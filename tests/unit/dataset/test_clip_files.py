"""Clips live as long as a row of any readable version names them."""

import os
import time
from pathlib import Path

from medpipe import Dataset, open_store
from medpipe.dataset import Committer, write_item
from medpipe.dataset.manifest import clip_prefix
from medpipe.storage import ObjectStore


def attempt(store: ObjectStore, item: str, name: str, generation: int = 1) -> str:
    """One attempt's clip, files and manifest; a later one of the same generation loses."""
    key = f"{clip_prefix(item, generation)}{name}.mp4"
    store.write(key, name.encode())
    write_item(
        store,
        {
            "clips": [{"item_id": item, "generation": generation, "key": key}],
            "items": [{"id": item, "generation": generation}],
        },
        item_id=item,
        generation=generation,
        config_hash="x",
        verdict="done",
    )
    return key


def age(folder: Path, days: float) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - days * 86_400,) * 2)


def test_clips_of_losing_attempts_go_and_those_of_rows_stay(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    mine = attempt(store, "file:a", "winner")
    orphan = attempt(store, "file:a", "loser")
    dead = f"{clip_prefix('file:b', 1)}killed.mp4"
    store.write(dead, b"its attempt wrote no row")
    Committer(store).recover()
    age(tmp_path, days=9)

    gone = Committer(store).vacuum()

    assert {orphan, dead} <= set(gone)
    assert list(store.keys("_clips")) == [mine]
    assert Dataset(store).rows("clips")["key"].to_pylist() == [mine]


def test_a_clip_that_was_just_written_stays_though_no_row_names_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    attempt(store, "file:a", "winner")
    Committer(store).recover()
    young = f"{clip_prefix('file:b', 1)}coming.mp4"
    store.write(young, b"its rows are being written")

    assert Committer(store).vacuum() == []
    assert store.exists(young)


def test_clips_of_a_replaced_generation_stay_as_long_as_its_version_can_be_read(
    tmp_path: Path,
) -> None:
    store = open_store(str(tmp_path))
    old = attempt(store, "file:a", "old")
    Committer(store).recover()
    age(tmp_path / "_clips", days=30)
    new = attempt(store, "file:a", "new", generation=2)
    committer = Committer(store)
    committer.recover()

    committer.vacuum()
    kept = set(store.keys("_clips"))
    committer.vacuum(retention_h=0)

    assert kept == {old, new}
    assert set(store.keys("_clips")) == {new}


def test_clips_are_out_of_reach_of_the_tables_own_vacuum(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    key = attempt(store, "file:a", "winner")
    Committer(store).recover()
    age(tmp_path, days=9)

    Dataset(store).table("clips").vacuum(
        0, dry_run=False, enforce_retention_duration=False, full=True
    )

    assert store.exists(key)
