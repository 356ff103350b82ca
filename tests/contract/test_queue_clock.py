"""The machine's clock is set under a queue: leases may be lost, items and fences are not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe.queues import LeaseLost, SqliteQueue, Tries
from tests.support.queues import SqliteBench, ids, item, take

DAY_S = 86_400.0


@pytest.fixture
def bench(tmp_path: Path) -> SqliteBench:
    return SqliteBench(tmp_path)


@pytest.fixture
def queue(bench: SqliteBench) -> Iterator[SqliteQueue]:
    queue = bench.open()
    queue.enqueue(item(n) for n in range(3))
    yield queue
    queue.close()


def test_a_jump_ahead_ends_leases_and_their_old_tokens_are_refused(
    bench: SqliteBench, queue: SqliteQueue
) -> None:
    old = take(queue, 3)
    bench.pass_s(DAY_S)
    other = bench.open()

    new = take(other, 3)

    assert ids(new) == ids(old)
    assert ids(queue.extend(old, lease_s=60)) == ids(old)
    for lease in old:
        with pytest.raises(LeaseLost):
            queue.finish(lease, "done", Tries())
    for lease in new:
        other.finish(lease, "done", Tries())
    assert other.counts().done == 3
    other.close()


def test_a_jump_ahead_that_nobody_uses_costs_the_holder_nothing(
    bench: SqliteBench, queue: SqliteQueue
) -> None:
    held = take(queue, 3)
    bench.pass_s(DAY_S)

    assert queue.extend(held, lease_s=60) == []
    for lease in held:
        queue.finish(lease, "done", Tries())
    assert queue.counts().done == 3


def test_a_jump_back_keeps_the_leases_of_the_living_and_frees_those_of_the_dead(
    bench: SqliteBench, queue: SqliteQueue
) -> None:
    other = bench.open()
    dead = take(other, 2)
    mine = take(queue, 1)
    bench.pass_s(-DAY_S)
    other.close()

    again = [lease for lease in queue.lease(9, lease_s=60) if lease.item.id not in ids(mine)]
    bench.pass_s(DAY_S)
    again += [lease for lease in queue.lease(9, lease_s=60) if lease.item.id not in ids(mine)]

    assert ids(again) == ids(dead)
    assert queue.extend(mine, lease_s=60) == []


def test_what_waits_for_its_next_try_is_still_there_after_any_jump(
    bench: SqliteBench, queue: SqliteQueue
) -> None:
    for lease in take(queue, 3):
        queue.release(lease, Tries(transients=1), delay_s=30)
    bench.pass_s(-DAY_S)
    assert queue.counts().open == 3
    assert queue.next_ready_at_s() == pytest.approx(1030.0)

    bench.pass_s(2 * DAY_S)

    assert len(take(queue, 3)) == 3
