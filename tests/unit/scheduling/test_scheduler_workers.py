"""The scheduler on the real walk: who works, who waits and who is let go."""

import pytest

from medpipe.scheduling import (
    Committed,
    Failure,
    FailureKind,
    Finish,
    KillWorker,
    Leased,
    LeaseLostEvent,
    QueueSeen,
    Release,
    Resize,
    RetryPolicy,
    StartWorker,
    Stop,
    StopWorker,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries
from tests.support.scheduling import DIED, NODE_LOST, A, B, C, Job, counts, of, steps


def test_a_file_is_watched_where_it_was_fetched() -> None:
    job = Job(A, B, pools={"extract": 2, "transcribe": 2, "write": 1})

    job.done(B, "acquire")
    job.done(A, "acquire")

    for item in (A, B):
        assert job.runs[item, "extract"].worker == job.runs[item, "acquire"].worker
    assert job.runs[A, "extract"].worker != job.runs[B, "extract"].worker


@pytest.mark.parametrize("last", ["extract", "transcribe"])
def test_a_worker_stays_with_its_item_until_it_was_watched_and_heard(last: str) -> None:
    job = Job(A, B, prefetch_items=0)
    first = {"extract": "transcribe", "transcribe": "extract"}[last]
    job.done(A, "acquire")

    assert (B, "acquire") not in steps(job.done(A, first))
    assert (B, "acquire") in steps(job.done(A, last))


def test_a_dead_worker_costs_its_item_one_try_and_is_replaced() -> None:
    job = Job(A, B, pools={"extract": 2, "transcribe": 2, "write": 1})

    out = job.dies(A, "acquire")

    assert [(r.item_id, counts(r.tries)) for r in of(out, Release)] == [(A, ItemTries(deaths=1))]
    assert of(out, StartWorker) == []
    assert of(job.tell(Leased(A, ItemTries(deaths=1))), StartWorker) == [
        StartWorker("extract", "extract-2")
    ]
    assert of(job.dies(A, "acquire"), Finish)[0].state == "dead"
    assert steps(job.done(B, "acquire")) == [(B, "extract"), (B, "transcribe")]


def test_the_death_of_an_idle_worker_costs_nobody() -> None:
    job = Job(A)

    out = job.tell(WorkerDied("write-0", DIED))

    assert of(out, Release) == of(out, Finish) == []
    assert of(out, StartWorker) == [StartWorker("write", "write-1")]


def test_the_death_of_a_worker_under_an_earlier_attempt_costs_nobody() -> None:
    job = Job(A)
    job.done(A, "acquire")
    (release,) = of(job.fails(A, "extract", FailureKind.BUG, "bug"), Release)
    job.tell(Leased(A, release.tries))

    out = job.dies(A, "transcribe")

    assert of(out, Release) == of(out, Finish) == []
    assert of(out, StartWorker) == [StartWorker("transcribe", "transcribe-1")]


def test_a_lost_node_costs_no_try() -> None:
    job = Job(A)

    (release,) = of(job.dies(A, "acquire", NODE_LOST), Release)

    assert (release.delay_s, release.tries) == (0, ItemTries(losses=1))


def test_an_item_that_is_lost_again_and_again_is_a_dead_letter_in_the_end() -> None:
    job = Job(A, tries=ItemTries(losses=18), retry={"backoff_s": 10})
    (release,) = of(job.dies(A, "acquire", NODE_LOST), Release)
    assert release.delay_s > 0
    job.tell(Leased(A, release.tries), after_s=release.delay_s)

    (finish,) = of(job.dies(A, "acquire", NODE_LOST), Finish)

    assert (finish.state, finish.tries.losses) == ("dead", 20)
    assert finish.failure == Failure(
        FailureKind.LOST, "node_lost", "lost 20 times in a row: its node has died", "acquire"
    )


def test_the_death_of_a_worker_that_only_holds_the_file_fails_its_item() -> None:
    job = Job(A)
    job.done(A, "acquire", "extract")

    (release,) = of(job.dies(A, "extract"), Release)

    assert (release.item_id, release.tries.deaths) == (A, 1)
    assert job.scheduler.items_in_flight == 0


def test_a_step_past_its_deadline_is_killed_and_its_kind_says_who_pays() -> None:
    job = Job(A, deadline_base_s=100, deadline_per_media_s=2)

    assert of(job.tell(Tick(), after_s=100), KillWorker) == []
    out = job.tell(Tick(), after_s=1)
    assert of(out, KillWorker) == [KillWorker("extract-0")]
    (release,) = of(out, Release)
    assert (release.failure.kind, release.failure.code) == (FailureKind.TRANSIENT, "timed_out")

    job.tell(Leased(A, release.tries))
    job.done(A, "acquire", media_s=50)
    job.done(A, "extract")
    assert of(job.tell(Tick(), after_s=200), KillWorker) == []
    (release,) = of(job.tell(Tick(), after_s=1), Release)
    assert (release.failure.kind, release.failure.code) == (
        FailureKind.DEATH,
        "deadline_exceeded",
    )


def test_workers_that_never_start_stop_the_job_at_the_limit() -> None:
    job = Job(A, slow=True, retry=RetryPolicy(worker_start_failures=3))

    assert of(job.tell(WorkerDied("extract-0", DIED)), Stop) == []
    assert of(job.tell(WorkerDied("extract-1", NODE_LOST)), Stop) == []
    assert of(job.tell(WorkerDied("extract-2", DIED)), Stop) == []
    assert of(job.tell(WorkerDied("extract-3", DIED)), Stop) == [Stop(DIED)]


def test_a_worker_that_hangs_while_it_starts_is_killed_and_replaced() -> None:
    job = Job(A, slow=True, worker_start_s=30)

    out = job.tell(Tick(), after_s=31)

    assert KillWorker("extract-0") in out
    assert StartWorker("extract", "extract-1") in out


def test_a_wrong_config_stops_the_job_at_once() -> None:
    wrong = Failure(FailureKind.BUG, "config_error", "no such model")
    job = Job(A, slow=True)

    assert job.tell(WorkerDied("transcribe-0", wrong))[-1] == Stop(wrong)


def test_pools_grow_by_need_up_to_their_limit() -> None:
    job = Job(A, pools={"extract": 2, "transcribe": 2, "write": 1})
    assert len(of(job.out, StartWorker)) == 3

    assert len(of(job.tell(Leased(B, ItemTries())), StartWorker)) == 2
    assert of(job.tell(Leased(C, ItemTries())), StartWorker) == []


def test_idle_workers_are_let_go_but_not_those_that_will_be_needed() -> None:
    job = Job(A, B, pools={"extract": 2, "transcribe": 2, "write": 2}, idle_worker_s=60)
    job.done(A, "acquire", "extract", "transcribe", "write")
    job.tell(Committed(A))

    assert of(job.tell(Tick(), after_s=60), StopWorker) == []
    out = job.tell(Tick(), after_s=1)

    assert len(of(out, StopWorker)) == 3
    assert of(out, StartWorker) == []
    assert steps(job.done(B, "acquire")) == [(B, "extract"), (B, "transcribe")]


def test_a_pool_grows_at_once_when_the_cluster_does() -> None:
    job = Job(A, B, C)

    out = job.tell(Resize({"extract": 3, "transcribe": 2}))

    assert of(out, StartWorker) == [
        StartWorker("extract", "extract-1"),
        StartWorker("transcribe", "transcribe-1"),
        StartWorker("extract", "extract-2"),
    ]


def test_who_was_ordered_for_more_room_than_there_is_comes_no_more_and_no_other_is_touched() -> (
    None
):
    job = Job(pools={"extract": 3, "transcribe": 1, "write": 1}, slow=True)
    for item in (A, B, C):
        job.tell(Leased(item, ItemTries()))
    job.tell(WorkerUp("extract-2"))

    out = job.tell(Resize({"extract": 1, "transcribe": 1, "write": 1}))

    assert of(out, KillWorker) == [KillWorker("extract-1"), KillWorker("extract-0")]
    assert job.tell(Tick(), after_s=1) == []


def test_where_room_is_scarce_no_pool_gets_a_second_worker_before_all_have_their_first() -> None:
    job = Job(pools={"extract": 3, "transcribe": 2, "write": 1}, slow=True)
    job.tell(Resize({"extract": 3}, one_first=True))
    started = [job.tell(Leased(item, ItemTries())) for item in (A, B, C)]

    firsts = [StartWorker(pool, f"{pool}-0") for pool in ("extract", "transcribe", "write")]
    assert [of(out, StartWorker) for out in started] == [firsts, [], []]
    assert of(job.tell(WorkerUp("extract-0")), StartWorker) == []
    assert of(job.tell(WorkerUp("write-0")), StartWorker) == []
    assert [order.worker for order in of(job.tell(WorkerUp("transcribe-0")), StartWorker)] == [
        "extract-1", "transcribe-1", "extract-2",
    ]  # fmt: skip


def test_where_room_is_scarce_a_pool_that_lost_its_last_worker_goes_before_those_that_start() -> (
    None
):
    job = Job(pools={"extract": 3, "transcribe": 1, "write": 1}, slow=True)
    job.tell(Resize({"extract": 3}, one_first=True))
    for item in (A, B, C):
        job.tell(Leased(item, ItemTries()))
    for pool in ("extract", "transcribe", "write"):
        job.tell(WorkerUp(f"{pool}-0"))

    out = job.tell(WorkerDied("transcribe-0", NODE_LOST))

    assert of(out, KillWorker) == [KillWorker("extract-2"), KillWorker("extract-1")]
    assert of(out, StartWorker) == [StartWorker("transcribe", "transcribe-1")]
    assert len(of(job.tell(WorkerUp("transcribe-1")), StartWorker)) == 2


def test_where_room_is_scarce_who_is_no_longer_needed_is_not_waited_for() -> None:
    job = Job(pools={"extract": 2, "transcribe": 1, "write": 1}, slow=True)
    job.tell(Resize({"extract": 2}, one_first=True))
    for item in (A, B):
        job.tell(Leased(item, ItemTries()))
    for pool in ("extract", "transcribe", "write"):
        job.tell(WorkerUp(f"{pool}-0"))

    out = job.tell(LeaseLostEvent(B))

    assert of(out, KillWorker) == [KillWorker("extract-1")]


def test_at_the_end_nobody_waits_for_a_worker_that_still_starts() -> None:
    job = Job(A, slow=True)
    job.tell(WorkerUp("extract-0"))
    job.tell(LeaseLostEvent(A))

    out = job.tell(QueueSeen(0, 0), after_s=2)

    assert of(out, StopWorker) == [StopWorker("extract-0")]
    assert of(out, KillWorker) == [KillWorker("transcribe-0"), KillWorker("write-0")]
