"""What every work queue must do, run over SQLite and over an SQS server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medpipe.queues import LeaseLost, Tries, WorkQueue
from tests.support.queues import Bench, SqliteBench, SqsBench, ids, item, take


@pytest.fixture(params=["sqlite", "sqs"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "sqlite":
        return SqliteBench(tmp_path)
    return SqsBench(request.getfixturevalue("sqs_url"), tmp_path)


@pytest.fixture
def queue(bench: Bench) -> Iterator[WorkQueue]:
    queue = bench.open()
    yield queue
    queue.close()


class TestWorkQueue:
    def test_an_item_is_leased_once_and_acked_once(self, queue: WorkQueue) -> None:
        assert queue.enqueue([item(1), item(2), item(1)]) == 2
        first = take(queue, 2)
        assert ids(first) == {item(1).id, item(2).id}
        assert {lease.item.title for lease in first} == {item(1).title, item(2).title}
        assert queue.lease(10, lease_s=60) == []
        assert queue.counts().leased == 2

        queue.finish(first[0], "done", Tries())
        queue.finish(first[1], "rejected", Tries(last_code="not_a_video"))

        counts = queue.counts()
        assert (counts.done, counts.rejected, counts.open) == (1, 1, 0)
        assert queue.reasons() == {"not_a_video": 1}
        assert queue.next_ready_at_s() is None

    def test_enqueueing_again_changes_nothing_that_is_in(
        self, queue: WorkQueue, bench: Bench
    ) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        queue.finish(lease, "done", Tries())

        assert queue.enqueue([item(1)]) == 0
        other = bench.open()
        assert other.enqueue([item(1), item(2)]) == 1
        assert ids(take(other, 1)) == {item(2).id}
        assert other.lease(1, lease_s=60) == []
        other.close()

    def test_nothing_is_asked_for(self, queue: WorkQueue) -> None:
        queue.enqueue([item(1)])
        assert queue.lease(0, lease_s=60) == []
        assert queue.extend([], lease_s=60) == []
        assert queue.counts().ready == 1

    def test_a_lease_that_ran_out_goes_to_the_next_and_fences_the_first(
        self, queue: WorkQueue, bench: Bench
    ) -> None:
        queue.enqueue([item(1)])
        (late,) = take(queue, 1)
        bench.pass_s(61)
        (second,) = take(queue, 1)

        assert second.token > late.token
        assert queue.extend([late, second], lease_s=60) == [late]
        with pytest.raises(LeaseLost):
            queue.finish(late, "done", Tries())
        with pytest.raises(LeaseLost):
            queue.release(late, Tries(), delay_s=0)
        queue.finish(second, "done", Tries())
        with pytest.raises(LeaseLost):
            queue.finish(second, "dead", Tries())

    def test_another_holder_fences_the_first_too(self, queue: WorkQueue, bench: Bench) -> None:
        queue.enqueue([item(1)])
        (late,) = take(queue, 1)
        bench.pass_s(61)
        other = bench.open()
        (second,) = take(other, 1)

        with pytest.raises(LeaseLost):
            queue.finish(late, "done", Tries())
        assert queue.extend([late], lease_s=60) == [late]
        other.finish(second, "rejected", Tries(last_code="too_long"))
        other.close()
        assert queue.counts().rejected == 1
        assert queue.counts().done == 0

    def test_a_heart_beat_keeps_a_lease(self, queue: WorkQueue, bench: Bench) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        other = bench.open()
        for _ in range(3):
            bench.pass_s(50)
            assert queue.extend([lease], lease_s=60) == []
            bench.pass_s(5)
            assert other.lease(1, lease_s=60) == []
        other.close()

    def test_a_late_heart_beat_keeps_what_nobody_took(self, queue: WorkQueue, bench: Bench) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        bench.pass_s(70)

        assert queue.extend([lease], lease_s=60) == []
        assert queue.lease(1, lease_s=60) == []
        queue.finish(lease, "done", Tries())

    def test_a_released_item_waits_and_remembers_its_tries(
        self, queue: WorkQueue, bench: Bench
    ) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        queue.release(lease, Tries(transients=1, last_code="timed_out"), delay_s=30)

        assert queue.lease(1, lease_s=60) == []
        assert queue.counts().delayed == 1
        assert queue.next_ready_at_s() == bench.clock.now_s + 30
        bench.pass_s(31)
        other = bench.open()
        (again,) = take(other, 1)
        assert again.tries == Tries(transients=1, last_code="timed_out")
        other.close()

    def test_higher_priority_goes_first(self, queue: WorkQueue) -> None:
        queue.enqueue([item(1)])
        queue.enqueue([item(2)], priority=5)
        assert [lease.item.id for lease in take(queue, 2, lease_s=9)] == [item(2).id, item(1).id]

    def test_retry_brings_back_the_dead_or_one_reason(self, queue: WorkQueue) -> None:
        queue.enqueue([item(n) for n in range(4)])
        dead, slow, junk, fine = take(queue, 4)
        queue.finish(dead, "dead", Tries(bugs=3, last_code="bug", last_detail="Traceback"))
        queue.finish(slow, "rejected", Tries(last_code="timed_out", generation=2))
        queue.finish(junk, "rejected", Tries(last_code="not_a_video"))
        queue.finish(fine, "done", Tries())
        assert queue.reasons() == {"bug": 1, "not_a_video": 1, "timed_out": 1}

        assert [i.id for i in queue.retry()] == [dead.item.id]
        assert [i.id for i in queue.retry(reason="timed_out")] == [slow.item.id]
        assert queue.retry(reason="no_such_reason") == []

        tries = {lease.item.id: lease.tries for lease in take(queue, 2)}
        assert tries == {dead.item.id: Tries(), slow.item.id: Tries(generation=2)}
        counts = queue.counts()
        assert (counts.dead, counts.rejected, counts.done, counts.open) == (0, 1, 1, 2)

    def test_reopened_items_run_again_whatever_their_end(
        self, queue: WorkQueue, bench: Bench
    ) -> None:
        queue.enqueue([item(n) for n in range(3)])
        done, rejected, held = take(queue, 3)
        queue.finish(done, "done", Tries(generation=1))
        queue.finish(rejected, "rejected", Tries(last_code="too_long"))

        other = bench.open()
        assert other.reopen([done.item.id, rejected.item.id, held.item.id, "yt:unknown"]) == 2
        assert ids(take(other, 2)) == {done.item.id, rejected.item.id}
        assert other.lease(1, lease_s=60) == []
        other.close()

    def test_an_end_is_one_of_three(self, queue: WorkQueue) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        with pytest.raises(ValueError, match="ends as"):
            queue.finish(lease, "lost", Tries())

    def test_holders_at_the_same_time_never_share_an_item(self, bench: Bench) -> None:
        def drain(_: int) -> list[str]:
            queue, mine, empty = bench.open(), list[str](), 0
            while empty < 2:
                leases = queue.lease(3, lease_s=60)
                empty = 0 if leases else empty + 1
                for lease in leases:
                    queue.finish(lease, "done", Tries())
                    mine.append(lease.item.id)
            queue.close()
            return mine

        first = bench.open()
        first.enqueue(item(n) for n in range(60))
        with ThreadPoolExecutor(8) as pool:
            taken = [item_id for mine in pool.map(drain, range(8)) for item_id in mine]

        assert len(taken) == 60
        assert len(set(taken)) == 60
        assert (first.counts().done, first.counts().open) == (60, 0)
        first.close()

    def test_the_items_of_a_silent_holder_come_back_when_its_leases_end(
        self, queue: WorkQueue, bench: Bench
    ) -> None:
        queue.enqueue([item(n) for n in range(5)])
        silent = bench.open()
        held = take(silent, 5)
        bench.pass_s(59)
        assert queue.lease(5, lease_s=60) == []
        bench.pass_s(2)

        assert ids(take(queue, 5)) == ids(held)
        assert silent.extend(held, lease_s=60) == held
        silent.close()

    def test_a_holder_that_closes_gives_its_leases_back(
        self, queue: WorkQueue, bench: Bench
    ) -> None:
        queue.enqueue([item(1)])
        other = bench.open()
        take(other, 1)
        other.close()
        assert ids(take(queue, 1)) == {item(1).id}

    def test_items_may_come_while_others_are_leased(self, queue: WorkQueue, bench: Bench) -> None:
        queue.enqueue([item(1)])
        take(queue, 1)
        other = bench.open()
        other.enqueue([item(2)])
        other.close()

        assert ids(take(queue, 1)) == {item(2).id}
        assert queue.counts().open == 2
