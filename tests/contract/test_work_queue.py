"""What every work queue must do, run over every implementation."""

import multiprocessing as mp
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe.errors import ConfigError
from medpipe.queues import LeaseLost, SqliteQueue, Tries, WorkQueue, open_queue
from medpipe.records import Item


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def item(n: int) -> Item:
    return Item(id=f"http:{n:032x}", uri=f"http://example.org/{n}.mp4")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[WorkQueue]:
    queue = SqliteQueue(tmp_path / "q.sqlite", clock=clock)
    yield queue
    queue.close()


def test_an_item_is_leased_once_and_acked_once(queue: WorkQueue) -> None:
    assert queue.enqueue([item(1), item(2), item(1)]) == 2
    first = queue.lease(10, lease_s=60)
    assert [lease.item.id for lease in first] == [item(1).id, item(2).id]
    assert queue.lease(10, lease_s=60) == []

    queue.finish(first[0], "done", Tries())
    queue.finish(first[1], "rejected", Tries(last_code="not_a_video"))

    counts = queue.counts()
    assert (counts.done, counts.rejected, counts.open) == (1, 1, 0)
    assert queue.reasons() == {"not_a_video": 1}


def test_enqueueing_again_changes_nothing_that_is_in(queue: WorkQueue) -> None:
    queue.enqueue([item(1)])
    (lease,) = queue.lease(1, lease_s=60)
    queue.finish(lease, "done", Tries())

    assert queue.enqueue([item(1)]) == 0
    assert queue.lease(1, lease_s=60) == []


def test_a_lease_that_ran_out_goes_to_the_next_and_fences_the_first(
    queue: WorkQueue, clock: Clock
) -> None:
    queue.enqueue([item(1)])
    (late,) = queue.lease(1, lease_s=60)
    clock.now_s += 61
    (second,) = queue.lease(1, lease_s=60)

    assert second.token > late.token
    assert queue.extend([late, second], lease_s=60) == [late]
    with pytest.raises(LeaseLost):
        queue.finish(late, "done", Tries())
    queue.finish(second, "done", Tries())


def test_a_heart_beat_keeps_a_lease(queue: WorkQueue, clock: Clock) -> None:
    queue.enqueue([item(1)])
    (lease,) = queue.lease(1, lease_s=60)
    for _ in range(5):
        clock.now_s += 50
        assert queue.extend([lease], lease_s=60) == []
    assert queue.lease(1, lease_s=60) == []


def test_a_released_item_waits_and_remembers_its_tries(queue: WorkQueue, clock: Clock) -> None:
    queue.enqueue([item(1)])
    (lease,) = queue.lease(1, lease_s=60)
    queue.release(lease, Tries(transients=1, last_code="timed_out"), delay_s=30)

    assert queue.lease(1, lease_s=60) == []
    assert queue.counts().delayed == 1
    assert queue.next_ready_at_s() == clock.now_s + 30
    clock.now_s += 31
    (again,) = queue.lease(1, lease_s=60)
    assert again.tries.transients == 1


def test_higher_priority_goes_first(queue: WorkQueue) -> None:
    queue.enqueue([item(1)])
    queue.enqueue([item(2)], priority=5)
    assert [lease.item.id for lease in queue.lease(2, lease_s=9)] == [item(2).id, item(1).id]


def test_retry_brings_back_the_dead_or_one_reason(queue: WorkQueue) -> None:
    queue.enqueue([item(n) for n in range(3)])
    dead, slow, junk = queue.lease(3, lease_s=60)
    queue.finish(dead, "dead", Tries(bugs=3, last_code="bug"))
    queue.finish(slow, "rejected", Tries(last_code="timed_out"))
    queue.finish(junk, "rejected", Tries(last_code="not_a_video"))

    assert [i.id for i in queue.retry()] == [dead.item.id]
    assert [i.id for i in queue.retry(reason="timed_out")] == [slow.item.id]
    leases = queue.lease(9, lease_s=60)
    assert {lease.item.id for lease in leases} == {dead.item.id, slow.item.id}
    assert all(lease.tries == Tries() for lease in leases)


def test_an_end_is_one_of_three(queue: WorkQueue) -> None:
    queue.enqueue([item(1)])
    (lease,) = queue.lease(1, lease_s=60)
    with pytest.raises(ValueError, match="ends as"):
        queue.finish(lease, "lost", Tries())


def test_two_holders_never_share_an_item(tmp_path: Path) -> None:
    one, two = (SqliteQueue(tmp_path / "q.sqlite") for _ in range(2))
    one.enqueue([item(n) for n in range(20)])
    mine = {lease.item.id for lease in one.lease(10, lease_s=60)}
    theirs = {lease.item.id for lease in two.lease(20, lease_s=60)}
    assert len(mine) == 10
    assert len(theirs) == 10
    assert not mine & theirs
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
