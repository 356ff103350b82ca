"""What every object store must do, run over a folder and over an S3 server."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO
from uuid import uuid4

import pytest

from medpipe.dataset import Committer, Dataset
from medpipe.errors import ConfigError, Transient
from medpipe.storage import ObjectStore, StorageConfig, open_store
from medpipe.storage.objects import FolderStore, S3Store
from tests.support.rows import put_item
from tests.support.s3 import KEYS, make_bucket, open_uploads, s3_server

BUCKET = "medpipe"
LEAVING = ["", "../x", "a/../../x", "/x", "a\\b", "..", "a\0b"]


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server.log") as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> StorageConfig:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return StorageConfig(endpoint_url=s3_url)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(str(tmp_path / "out"))
    config = request.getfixturevalue("s3")
    return open_store(f"s3://{BUCKET}/{uuid4().hex}", config)


def write_and_fail(
    store: ObjectStore, key: str, size: int, seen: "list[IO[bytes]] | None" = None
) -> None:
    with store.output(key) as file:
        if seen is not None:
            seen.append(file)
        file.write(b"x" * size)
        raise RuntimeError("a bug while writing")


class TestObjectStore:
    def test_what_was_written_is_read_back(self, store: ObjectStore) -> None:
        store.write("a/b.bin", b"\0one")
        store.write("a/b.bin", b"two")
        store.write("empty", b"")

        assert store.read("a/b.bin") == b"two"
        assert store.read("empty") == b""
        assert store.exists("a/b.bin")
        assert not store.exists("a/c.bin")
        assert not store.exists("a")

    def test_an_input_can_seek(self, store: ObjectStore) -> None:
        store.write("a", b"0123456789")

        with store.input("a") as file:
            file.seek(4)
            assert file.read(3) == b"456"

    def test_keys_are_told_apart_by_when_they_were_written(self, store: ObjectStore) -> None:
        store.write("a/1", b"x")
        store.write("a/2", b"y")
        hour_s = 3600

        assert list(store.keys_before("a", time.time() - hour_s)) == []
        assert list(store.keys_before("a", time.time() + hour_s)) == ["a/1", "a/2"]

    def test_a_part_of_an_object_ends_where_the_object_does(self, store: ObjectStore) -> None:
        store.write("a", b"0123456789")

        assert store.read_range("a", 4, 7) == b"456"
        assert store.read_range("a", 8, 20) == b"89"
        with pytest.raises(FileNotFoundError):
            store.read_range("missing", 0, 1)

    def test_a_missing_object_is_a_file_not_found(self, store: ObjectStore) -> None:
        store.write("there/a", b"1")

        with pytest.raises(FileNotFoundError):
            store.read("missing")
        with pytest.raises(FileNotFoundError), store.input("there/missing") as file:
            file.read()

    def test_deleting_takes_it_away_and_may_be_repeated(self, store: ObjectStore) -> None:
        store.write("a/b", b"1")
        store.write("a/c", b"2")

        store.delete("a/b")
        store.delete("a/b")

        assert list(store.keys("a")) == ["a/c"]

    def test_keys_are_sorted_and_those_of_one_folder(self, store: ObjectStore) -> None:
        for key in ("a/2", "a/10", "a/b/3", "ab/1", "a/1"):
            store.write(key, b"1")

        assert list(store.keys("a")) == ["a/1", "a/10", "a/2", "a/b/3"]
        assert list(store.keys("missing")) == []

    def test_one_of_many_at_once_puts_an_absent_key(self, store: ObjectStore) -> None:
        for n in range(3):
            with ThreadPoolExecutor(8) as pool:
                won = list(pool.map(lambda i: store.put_if_absent(f"k/{n}", b"%d" % i), range(8)))  # noqa: B023

            assert sum(won) == 1
            assert store.read(f"k/{n}") == b"%d" % won.index(True)
        assert list(store.keys("k")) == ["k/0", "k/1", "k/2"]

    def test_putting_over_what_is_there_changes_nothing(self, store: ObjectStore) -> None:
        store.write("a", b"old")

        assert not store.put_if_absent("a", b"new")
        assert store.read("a") == b"old"

    @pytest.mark.parametrize("size", [0, 10, 12_000_000], ids=["empty", "small", "parts"])
    def test_an_output_appears_whole_at_its_end(self, store: ObjectStore, size: int) -> None:
        with store.output("a/b") as file:
            for first in range(0, size, 5_000_000):
                file.write(b"x" * min(5_000_000, size - first))
            assert file.tell() == size
            assert not store.exists("a/b")

        assert store.read("a/b") == b"x" * size
        assert list(store.keys("a")) == ["a/b"]

    @pytest.mark.parametrize("size", [10, 60_000_000], ids=["small", "parts"])
    def test_an_output_that_fails_leaves_what_was_there(
        self, store: ObjectStore, size: int
    ) -> None:
        store.write("a/old", b"old")

        for key in ("a/old", "a/new"):
            with pytest.raises(RuntimeError, match="a bug"):
                write_and_fail(store, key, size)

        assert list(store.keys("a")) == ["a/old"]
        assert store.read("a/old") == b"old"

    def test_many_keys_are_deleted_and_no_other(self, store: ObjectStore) -> None:
        for key in ("a/1", "a/2", "a/3 +%&", "b/1"):
            store.write(key, b"x")

        store.delete_all(["a/1", "a/missing", "a/3 +%&", *(f"none/{n}" for n in range(1500))])
        store.delete_all([])

        assert [*store.keys("a"), *store.keys("b")] == ["a/2", "b/1"]

    @pytest.mark.parametrize("key", LEAVING, ids=repr)
    def test_a_key_that_leaves_the_store_is_refused(self, store: ObjectStore, key: str) -> None:
        for act in (store.read, store.exists, store.delete, store.input, store.table_uri):
            with pytest.raises(ValueError, match="leaves the store"):
                act(key)
        with pytest.raises(ValueError, match="leaves the store"):
            store.write(key, b"1")
        with pytest.raises(ValueError, match="leaves the store"):
            store.put_if_absent(key, b"1")
        with pytest.raises(ValueError, match="leaves the store"), store.output(key):
            pass
        with pytest.raises(ValueError, match="leaves the store"):
            list(store.keys(key))

    def test_tables_are_committed_and_read(self, store: ObjectStore) -> None:
        committer = Committer(store)
        committer.commit([put_item(store, "file:a"), put_item(store, "file:b")])
        committer.commit([put_item(store, "file:a", generation=2)])
        put_item(store, "file:c")

        assert Committer(store).recover() == 1
        ids = Dataset(store).rows("samples", ["item_id", "generation"]).to_pylist()
        assert sorted((row["item_id"], row["generation"]) for row in ids) == [
            *[("file:a", 2)] * 2, *[("file:b", 1)] * 2, *[("file:c", 1)] * 2,
        ]  # fmt: skip

    def test_two_committers_at_once_double_nothing(self, store: ObjectStore) -> None:
        manifests = [put_item(store, f"file:{n}", samples=1) for n in range(4)]

        with ThreadPoolExecutor(2) as pool:
            batches = [manifests, manifests[::-1]]
            list(pool.map(lambda batch: Committer(store).commit(batch), batches))

        for table in ("samples", "transcripts", "rejects", "items"):
            assert Dataset(store).rows(table, ["generation"]).num_rows == 4


def test_a_failed_output_leaves_no_upload_behind(s3_url: str, s3: StorageConfig) -> None:
    store = open_store(f"s3://{BUCKET}/{uuid4().hex}", s3)

    files: list[IO[bytes]] = []
    for size in (10, 60_000_000):
        with pytest.raises(RuntimeError, match="a bug"):
            write_and_fail(store, "a", size, files)
        files[-1].close()  # as its finaliser does, at any time and in any thread

    assert open_uploads(s3_url, BUCKET) == 0


def test_a_store_that_does_not_answer_is_the_worlds_fault(s3: StorageConfig) -> None:
    gone = s3.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})
    store = open_store(f"s3://{BUCKET}/x", gone)

    with pytest.raises(Transient, match="store_unavailable"):
        store.read("a")
    with pytest.raises(Transient, match="store_unavailable"):
        store.put_if_absent("a", b"1")
    with pytest.raises(Transient, match="store_unavailable"), store.output("a") as file:
        file.write(b"1")


def test_a_uri_names_its_store(s3: StorageConfig, tmp_path: Path) -> None:
    folder = tmp_path / "with blank"

    assert isinstance(open_store("s3://bucket/prefix/", s3), S3Store)
    assert open_store("s3://bucket/prefix/", s3).table_uri("items") == "s3://bucket/prefix/items"
    for uri in (str(folder), folder.as_uri()):
        opened = open_store(uri)
        assert isinstance(opened, FolderStore)
        assert opened.root == folder
    assert Path(open_store("out").uri).is_absolute()


@pytest.mark.parametrize("uri", ["s3:///prefix", "gs://bucket", "https://example.org/x"])
def test_a_uri_of_another_kind_is_a_config_error(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"s3://bucket/prefix"):
        open_store(uri)


def test_a_bucket_that_does_not_exist_is_the_configs_fault(s3: StorageConfig) -> None:
    store = open_store("s3://no-such-bucket-anywhere/x", s3)
    with pytest.raises(ConfigError, match="NoSuchBucket"):
        list(store.keys("_items"))
