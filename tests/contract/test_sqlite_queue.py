"""What only the queue in a file does: exact order, and locks that tell who lives."""

import multiprocessing as mp
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from medpipe.errors import ConfigError
from medpipe.queues import NOT_AN_ITEM, SqliteQueue, Tries, open_queue
from tests.support.queues import ids, item


def test_the_oldest_goes_first(tmp_path: Path) -> None:
    queue = SqliteQueue(tmp_path / "q.sqlite")
    queue.enqueue(item(n) for n in (3, 1, 2))
    leases = queue.lease(10, lease_s=60)
    assert [lease.item.id for lease in leases] == [item(3).id, item(1).id, item(2).id]
    queue.close()


def test_two_holders_share_all_items(tmp_path: Path) -> None:
    one, two = (SqliteQueue(tmp_path / "q.sqlite") for _ in range(2))
    one.enqueue([item(n) for n in range(20)])
    mine, theirs = one.lease(10, lease_s=60), two.lease(20, lease_s=60)
    assert (len(mine), len(theirs)) == (10, 10)
    assert not ids(mine) & ids(theirs)
    one.close()
    two.close()


def _hold_and_hang(path: Path, leased: "mp.synchronize.Event") -> None:
    queue = SqliteQueue(path)
    queue.lease(5, lease_s=3600)
    leased.set()
    signal.pause()


def test_a_killed_holder_frees_its_leases_at_once(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    queue = SqliteQueue(path)
    queue.enqueue([item(n) for n in range(5)])
    context = mp.get_context("spawn")
    leased = context.Event()
    holder = context.Process(target=_hold_and_hang, args=(path, leased))
    holder.start()
    assert leased.wait(60)
    assert queue.lease(5, lease_s=60) == []
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()

    assert len(queue.lease(5, lease_s=60)) == 5
    queue.close()


def test_a_file_that_is_no_queue_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to be looked at " * 50)
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        open_queue(str(path))
    with pytest.raises(ConfigError, match="sqlite:///"):
        open_queue("redis://localhost")


def _make(path: Path, start: "mp.synchronize.Barrier") -> None:
    start.wait(60)
    queue = SqliteQueue(path)
    queue.enqueue([item(1)])
    queue.close()


def test_a_queue_that_many_make_at_once_is_made_once(tmp_path: Path) -> None:
    context = mp.get_context("fork")
    for turn in range(5):
        start = context.Barrier(6)
        makers = [
            context.Process(target=_make, args=(tmp_path / f"{turn}.sqlite", start))
            for _ in range(6)
        ]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        assert [maker.exitcode for maker in makers] == [0] * 6


def test_a_field_that_earlier_queues_hold_is_passed_over() -> None:
    assert Tries.model_validate_json('{"bugs": 1, "first_transient_at_s": 3.5}') == Tries(bugs=1)


HOSTILE_ROWS = {
    "no JSON": ("http:1", "not json"),
    "no mapping": ("http:2", '["yt:aaaaaaaaaaa"]'),
    "a bomb of brackets": ("http:3", "[" * 200_000),
    "a pickle": ("http:4", b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."),
    "bad UTF-8": ("http:5", b'{"id": "http:5", "uri": "\xff\xfe"}'),
    "another's id": ("http:6", '{"id": "http:99", "uri": "http://example.org/"}'),
    "a climbing id": ("file:../../etc/passwd", '{"id": "file:../../etc/passwd", "uri": "/x"}'),
    "a number": ("http:8", 8),
    "a NUL in the id": ("http:9\0", '{"id": "http:9\\u0000", "uri": "x"}'),
    "a newline": ("http:10\n", '{"id": "http:10\\n", "uri": "x"}'),
    "more fields": ("http:11", '{"id": "http:11", "uri": "x", "exec": "rm"}'),
}


@pytest.mark.parametrize("row", HOSTILE_ROWS.values(), ids=HOSTILE_ROWS)
def test_a_row_that_is_no_item_is_a_dead_letter_and_holds_up_nobody(
    tmp_path: Path, row: tuple[str, str | bytes | int]
) -> None:
    path = tmp_path / "q.sqlite"
    queue = SqliteQueue(path)
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO items VALUES (?, ?, 9, 'ready', 0, 0, '', 0, '{}', '', 0)", row)
    queue.enqueue([item(1)])

    leases = [*queue.lease(1, lease_s=60), *queue.lease(1, lease_s=60)]

    assert ids(leases) == {item(1).id}
    assert queue.set_aside == 1
    assert queue.reasons() == {NOT_AN_ITEM: 1}
    assert queue.retry() == queue.retry(reason=NOT_AN_ITEM) == []
    assert (queue.counts().dead, queue.counts().leased) == (1, 1)
    queue.close()
