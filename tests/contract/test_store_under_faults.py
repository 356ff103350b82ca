"""An S3 server that fails, dawdles and loses answers: one winner, whole objects, rows once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from uuid import uuid4

import pytest

from medpipe.dataset import Committer, Dataset, Manifest
from medpipe.errors import Transient
from medpipe.storage import ObjectStore, StorageConfig, open_store
from tests.support.fault_proxy import FaultProxy, Trouble, fault_proxy
from tests.support.rows import put_item
from tests.support.s3 import KEYS, make_bucket, open_uploads, s3_server

BUCKET = "troubled"
ONCE = ["500", "503", "slow", "tear", "mute"]
SMALL, PARTS = 1000, 60_000_000
ROWS = {"samples": 2, "transcripts": 1, "rejects": 1, "items": 1}


def short_or_soak(cases: list[tuple[object, ...]], short: set[tuple[object, ...]]) -> list[object]:
    """All cases, those outside of the short form marked as soak."""
    return [pytest.param(*c, marks=() if c in short else pytest.mark.soak) for c in cases]


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server.log") as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture
def proxy(s3_url: str) -> Iterator[FaultProxy]:
    with fault_proxy(s3_url) as proxy:
        yield proxy


@pytest.fixture
def prefix() -> str:
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture
def store(proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The store through the proxy."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return open_store(prefix, StorageConfig(endpoint_url=proxy.url))


@pytest.fixture
def truth(s3_url: str, prefix: str, store: ObjectStore) -> ObjectStore:
    """The same store without the proxy."""
    return open_store(prefix, StorageConfig(endpoint_url=s3_url))


@pytest.mark.parametrize("action", ONCE)
def test_a_put_that_meets_trouble_once_wins(
    action: str, proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    proxy.set(Trouble(action, "PUT", times=1))

    assert store.put_if_absent("k", b"mine")

    assert len(proxy.seen) == 1
    assert truth.read("k") == b"mine"


@pytest.mark.parametrize("action", ONCE)
def test_a_put_that_meets_trouble_loses_to_what_was_there_before(
    action: str, proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    truth.write("k", b"theirs")
    proxy.set(Trouble(action, "PUT", times=1))

    assert not store.put_if_absent("k", b"mine")
    assert truth.read("k") == b"theirs"


def test_a_put_whose_answers_are_all_lost_knows_that_it_won(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    proxy.set(Trouble("mute", "PUT"))

    assert store.put_if_absent("k", b"mine")
    assert not store.put_if_absent("k", b"mine")
    assert truth.read("k") == b"mine"


@pytest.mark.parametrize("action", ["500", "503", "tear"])
def test_a_put_that_never_gets_through_is_the_worlds_fault_and_leaves_nothing(
    action: str, proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    proxy.set(Trouble(action, "PUT"))

    with pytest.raises(Transient, match="store_unavailable"):
        store.put_if_absent("k", b"mine")

    assert not truth.exists("k")


def test_a_put_that_cannot_even_be_checked_is_the_worlds_fault(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    proxy.set(Trouble("mute"))

    with pytest.raises(Transient, match="store_unavailable"):
        store.put_if_absent("k", b"mine")

    assert truth.read("k") == b"mine"
    proxy.set()
    assert not store.put_if_absent("k", b"mine again")


def test_of_many_that_put_at_once_through_trouble_one_wins(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    def put(i: int, key: str) -> bool | None:
        try:
            return store.put_if_absent(key, b"%d" % i)
        except Transient:
            return None

    proxy.set(Trouble("mute", "PUT", share=0.4), Trouble("500", share=0.2))
    for n in range(6):
        with ThreadPoolExecutor(6) as pool:
            told = list(pool.map(put, range(6), [f"k/{n}"] * 6))

        assert told.count(True) <= 1
        winner = truth.read(f"k/{n}")
        if True in told:
            assert winner == b"%d" % told.index(True)
        else:  # the winner is one that could not find out
            assert told[int(winner)] is None
    assert proxy.seen


@pytest.mark.parametrize("action", ONCE)
def test_an_object_is_written_through_trouble(
    action: str, proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    truth.write("k", b"old")
    proxy.set(Trouble(action, "PUT", times=1))

    store.write("k", b"new" * 1000)

    assert truth.read("k") == b"new" * 1000


@pytest.mark.parametrize(
    ("action", "method", "size"),
    short_or_soak(
        list(product(["500", "tear", "mute"], ["PUT", "POST"], [SMALL, PARTS])),
        {("mute", "PUT", SMALL), ("mute", "POST", PARTS), ("tear", "PUT", PARTS)},
    ),
)
def test_an_output_appears_whole_or_not_at_all(
    action: str,
    method: str,
    size: int,
    s3_url: str,
    proxy: FaultProxy,
    store: ObjectStore,
    truth: ObjectStore,
) -> None:
    """A small one is put at once; a large one is begun and ended by POST, its parts are PUT."""
    proxy.set(Trouble(action, method, times=1))

    try:
        with store.output("a/k") as file:
            file.write(b"x" * size)
    except Transient:
        proxy.set()

    found = list(truth.keys("a"))
    assert found in ([], ["a/k"])
    if found:
        assert truth.read("a/k") == b"x" * size
    if action != "mute":  # an upload whose beginning was not answered has no name that we know
        assert open_uploads(s3_url, BUCKET) == 0


def test_an_output_that_never_gets_through_leaves_nothing(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    proxy.set(Trouble("500", "PUT"))

    with pytest.raises(Transient), store.output("k") as file:
        file.write(b"x" * 1000)

    assert not truth.exists("k")


def test_a_read_that_meets_trouble_gives_all_or_the_worlds_fault(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    truth.write("k", b"x" * 100_000)
    for action in ("503", "slow", "mute"):
        proxy.set(Trouble(action, "GET", times=1))
        assert store.read("k") == b"x" * 100_000

    proxy.set(Trouble("500", "GET"))
    with pytest.raises(Transient, match="store_unavailable"):
        store.read("k")
    with pytest.raises(Transient, match="store_unavailable"):
        list(store.keys("a"))


def rows(store: ObjectStore) -> dict[str, int]:
    dataset = Dataset(store)
    return {table: dataset.rows(table).num_rows for table in ROWS}


def commit_until_it_holds(store: ObjectStore, manifests: list[Manifest]) -> None:
    for _ in range(50):
        try:
            Committer(store).commit(manifests)
        except Transient:
            continue
        return
    raise AssertionError("50 commits failed")


@pytest.mark.parametrize(
    ("action", "method"),
    short_or_soak(list(product(ONCE, ["PUT", "GET"])), {("mute", "PUT"), ("500", "GET")}),
)
def test_a_commit_that_meets_trouble_brings_each_row_in_once(
    action: str, method: str, proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    first = [put_item(truth, "file:a"), put_item(truth, "file:b")]
    again = [put_item(truth, "file:a", generation=2)]
    proxy.set(Trouble(action, method, "_delta_log", times=2, slow_s=0.2))

    commit_until_it_holds(store, first)
    proxy.set(Trouble(action, method, "_delta_log", times=2, slow_s=0.2))
    commit_until_it_holds(store, again)

    assert rows(truth) == {table: 2 * n for table, n in ROWS.items()}
    assert {k.generation for k in Dataset(truth).known().values()} == {1, 2}


def test_committers_at_once_through_trouble_double_nothing(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    manifests = [put_item(truth, f"file:{n}") for n in range(6)]
    proxy.set(
        Trouble("mute", "PUT", share=0.2),
        Trouble("500", share=0.05),
        Trouble("503", share=0.05),
        Trouble("tear", "PUT", share=0.1),
    )

    with ThreadPoolExecutor(3) as pool:
        batches = [manifests[:4], manifests[2:], manifests[::-1]]
        list(pool.map(lambda batch: commit_until_it_holds(store, batch), batches))

    assert rows(truth) == {table: 6 * n for table, n in ROWS.items()}
    assert proxy.seen


def test_an_attempt_that_is_repeated_after_a_lost_answer_finds_its_first_one(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    """The manifest stands, but the worker cannot know; the next attempt takes it for its own."""
    proxy.set(Trouble("mute", part="_items"))
    with pytest.raises(Transient):
        put_item(store, "file:a")
    proxy.set()

    standing = put_item(store, "file:a")
    Committer(store).commit([standing])

    assert rows(truth) == ROWS


def test_a_store_that_stays_down_fails_a_commit_in_good_time(
    proxy: FaultProxy, store: ObjectStore, truth: ObjectStore
) -> None:
    manifest = put_item(truth, "file:a")
    proxy.set(Trouble("500"))

    with pytest.raises(Transient, match="store_unavailable"):
        Committer(store).commit([manifest])
    proxy.set()
    Committer(store).commit([manifest])

    assert rows(truth) == ROWS
