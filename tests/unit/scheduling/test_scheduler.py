"""The scheduler on the real walk, fed by hand: what happens, and what it orders then."""

from typing import TypeVar

import pytest

from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK
from medpipe.scheduling import (
    Commit,
    Committed,
    Event,
    Failure,
    FailureKind,
    Finish,
    Instruction,
    KillWorker,
    Leased,
    LeaseItems,
    LeaseLostEvent,
    QueueSeen,
    Release,
    RetryPolicy,
    RunStep,
    Scheduler,
    SchedulingConfig,
    StartWorker,
    StepDone,
    StepFailed,
    Stop,
    StopWorker,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries

A, B, C = "file:a", "file:b", "file:c"
DIED = Failure(FailureKind.DEATH, "worker_died", "exit code 139")
NODE_LOST = Failure(FailureKind.LOST, "node_lost", "its node has died")
ONE_EACH = {"extract": 1, "transcribe": 1, "write": 1}

T = TypeVar("T")


class Job:
    """A scheduler whose workers come up as soon as they are ordered, unless `slow`."""

    def __init__(
        self,
        *leased: str,
        pools: dict[str, int] | None = None,
        slow: bool = False,
        tries: ItemTries | None = None,
        **config: object,
    ) -> None:
        self.now_s = 1000.0
        self.slow = slow
        self.runs: dict[tuple[str, str], RunStep] = {}
        self.scheduler = Scheduler(
            SchedulingConfig.model_validate(config), VIDEO_WALK, RECORD_REJECTION, pools or ONE_EACH
        )
        self.out: list[Instruction] = self.tell(Tick())
        for item in leased:
            self.out += self.tell(Leased(item, tries or ItemTries()))

    def tell(self, event: Event, *, after_s: float = 0) -> list[Instruction]:
        self.now_s += after_s
        out = self.scheduler.handle(event, self.now_s)
        for order in list(out):
            if isinstance(order, RunStep):
                self.runs[order.item_id, order.step] = order
            if isinstance(order, StartWorker) and not self.slow:
                out += self.tell(WorkerUp(order.worker))
        return out

    def done(self, item: str, *steps: str, media_s: float | None = None) -> list[Instruction]:
        out: list[Instruction] = []
        for step in steps:
            out += self.tell(StepDone(item, self.runs[item, step].attempt, step, media_s))
        return out

    def fails(self, item: str, step: str, kind: FailureKind, code: str) -> list[Instruction]:
        failure = Failure(kind, code, "why")
        return self.tell(StepFailed(item, self.runs[item, step].attempt, step, failure))

    def dies(self, item: str, step: str, failure: Failure = DIED) -> list[Instruction]:
        return self.tell(WorkerDied(self.runs[item, step].worker, failure))


def steps(out: list[Instruction]) -> list[tuple[str, str]]:
    return [(order.item_id, order.step) for order in out if isinstance(order, RunStep)]


def of(out: list[Instruction], kind: type[T]) -> list[T]:
    return [order for order in out if isinstance(order, kind)]


def test_one_item_walks_from_its_lease_to_its_end() -> None:
    job = Job(slow=True)

    assert job.out == [LeaseItems(8)]
    assert job.tell(Leased(A, ItemTries())) == [
        StartWorker("extract", "extract-0"),
        StartWorker("transcribe", "transcribe-0"),
        StartWorker("write", "write-0"),
    ]
    job.tell(QueueSeen(ready=0, open_elsewhere=0))
    assert job.tell(WorkerUp("extract-0")) == [RunStep("extract-0", A, 1, "acquire")]
    assert job.tell(WorkerUp("transcribe-0")) == job.tell(WorkerUp("write-0")) == []
    assert job.tell(StepDone(A, 1, "acquire", 60.0)) == [
        RunStep("extract-0", A, 1, "extract"),
        RunStep("transcribe-0", A, 1, "transcribe"),
    ]
    assert job.tell(StepDone(A, 1, "extract")) == []
    assert job.tell(StepDone(A, 1, "transcribe")) == [RunStep("write-0", A, 1, "write")]
    assert job.tell(StepDone(A, 1, "write")) == [Commit(A)]
    assert job.tell(Committed(A)) == [
        Finish(A, "done", ItemTries()),
        StopWorker("extract-0"),
        StopWorker("transcribe-0"),
        StopWorker("write-0"),
        Stop(),
    ]


def test_a_file_is_watched_where_it_was_fetched() -> None:
    job = Job(A, B, pools={"extract": 2, "transcribe": 2, "write": 1})

    job.done(B, "acquire")
    job.done(A, "acquire")

    for item in (A, B):
        assert job.runs[item, "extract"].worker == job.runs[item, "acquire"].worker
    assert job.runs[A, "extract"].worker != job.runs[B, "extract"].worker


@pytest.mark.parametrize("last", ["extract", "transcribe"])
def test_a_worker_stays_with_its_item_until_it_was_watched_and_heard(last: str) -> None:
    job = Job(A, B)
    first = {"extract": "transcribe", "transcribe": "extract"}[last]
    job.done(A, "acquire")

    assert (B, "acquire") not in steps(job.done(A, first))
    assert (B, "acquire") in steps(job.done(A, last))


def test_no_more_items_are_asked_for_than_may_be_in_flight() -> None:
    job = Job(A, B, slow=True, items_in_flight=2)

    assert of(job.out, LeaseItems) == [LeaseItems(2)]
    for worker in ("extract-0", "transcribe-0", "write-0"):
        assert of(job.tell(WorkerUp(worker)), LeaseItems) == []
    assert of(job.tell(Tick(), after_s=60), LeaseItems) == []
    job.done(A, "acquire", "extract", "transcribe", "write")
    assert of(job.tell(Committed(A)), LeaseItems) == [LeaseItems(1)]


def test_long_media_in_flight_hold_back_new_leases() -> None:
    job = Job(A, media_in_flight_s=100)

    assert of(job.done(A, "acquire", media_s=101), LeaseItems) == []
    assert of(job.tell(Tick(), after_s=60), LeaseItems) == []


def test_a_rejected_item_is_recorded_and_then_finished() -> None:
    job = Job(A)
    why = Failure(FailureKind.REJECTED, "not_a_video", "why", step="acquire")

    out = job.fails(A, "acquire", FailureKind.REJECTED, "not_a_video")

    assert of(out, RunStep) == [RunStep("write-0", A, 2, "record", rejection=why)]
    assert of(job.done(A, "record"), Commit) == [Commit(A)]
    assert of(job.tell(Committed(A)), Finish) == [Finish(A, "rejected", ItemTries(), why)]


def test_the_worlds_failures_wait_longer_each_time_and_end_in_a_reject() -> None:
    policy = RetryPolicy(transient_tries=4, backoff_s=10)
    tries, waits = ItemTries(), []
    for _ in range(3):
        job = Job(A, tries=tries, retry=policy)
        (release,) = of(job.fails(A, "acquire", FailureKind.TRANSIENT, "throttled"), Release)
        tries, waits = release.tries, [*waits, release.delay_s]
    job = Job(A, tries=tries, retry=policy)

    out = job.fails(A, "acquire", FailureKind.TRANSIENT, "throttled")

    assert waits == sorted(set(waits))
    assert all(0.5 * 10 * 2**n <= wait <= 10 * 2**n for n, wait in enumerate(waits))
    assert of(out, RunStep)[0].step == "record"
    assert of(out, Release) == []
    job.done(A, "record")
    (end,) = of(job.tell(Committed(A)), Finish)
    assert (end.state, end.failure and end.failure.code) == ("rejected", "throttled")


def test_our_bug_is_tried_again_and_then_a_dead_letter() -> None:
    job = Job(A, retry=RetryPolicy(bug_tries=2))

    (release,) = of(job.fails(A, "acquire", FailureKind.BUG, "bug"), Release)
    job.tell(Leased(A, release.tries))
    (end,) = of(job.fails(A, "acquire", FailureKind.BUG, "bug"), Finish)

    assert (release.delay_s, release.tries) == (0, ItemTries(bugs=1))
    assert (end.state, end.tries) == ("dead", ItemTries(bugs=2))


def test_a_dead_worker_costs_its_item_one_try_and_is_replaced() -> None:
    job = Job(A, B, pools={"extract": 2, "transcribe": 2, "write": 1})

    out = job.dies(A, "acquire")

    assert [(r.item_id, r.tries) for r in of(out, Release)] == [(A, ItemTries(deaths=1))]
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


def test_a_lost_node_costs_no_try() -> None:
    job = Job(A)

    (release,) = of(job.dies(A, "acquire", NODE_LOST), Release)

    assert (release.delay_s, release.tries) == (0, ItemTries())


def test_the_death_of_a_worker_that_only_holds_the_file_fails_its_item() -> None:
    job = Job(A)
    job.done(A, "acquire", "extract")

    (release,) = of(job.dies(A, "extract"), Release)

    assert (release.item_id, release.tries.deaths) == (A, 1)
    assert job.scheduler.items_in_flight == 0


def test_a_result_of_an_earlier_attempt_frees_its_worker_and_does_nothing_else() -> None:
    job = Job(A)
    job.done(A, "acquire")
    stale = job.runs[A, "transcribe"].attempt
    (release,) = of(job.fails(A, "extract", FailureKind.BUG, "bug"), Release)
    job.tell(Leased(A, release.tries))
    assert steps(job.done(A, "acquire")) == [(A, "extract")]

    out = job.tell(StepDone(A, stale, "transcribe"))

    assert steps(out) == [(A, "transcribe")]
    assert job.runs[A, "transcribe"].attempt > stale
    assert job.tell(StepFailed(A, stale, "extract", DIED)) == []


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


def test_a_drain_ends_what_is_in_flight_and_takes_nothing_new() -> None:
    job = Job(A)
    job.scheduler.drain()

    out = job.tell(Tick(), after_s=60) + job.done(A, "acquire", "extract", "transcribe", "write")

    assert of(out, LeaseItems) == of(out, Stop) == []
    assert job.tell(Committed(A))[-1] == Stop()


def test_a_lost_lease_is_forgotten_and_its_worker_goes_on_with_others() -> None:
    job = Job(A, B)
    job.done(A, "acquire", "extract")

    out = job.tell(LeaseLostEvent(A))

    assert steps(out) == [(B, "acquire")]
    assert of(out, Finish) == of(out, Release) == []
    assert job.tell(Committed(A)) == []


def test_a_job_does_not_end_while_a_lost_lease_may_come_back() -> None:
    job = Job(A)
    job.tell(QueueSeen(ready=0, open_elsewhere=0), after_s=5)

    assert of(job.tell(LeaseLostEvent(A), after_s=5), Stop) == []
    assert of(job.tell(QueueSeen(ready=0, open_elsewhere=1)), Stop) == []
    assert of(job.tell(QueueSeen(ready=0, open_elsewhere=0)), Stop) == [Stop()]


def test_an_item_that_we_lease_again_ourselves_starts_anew_and_keeps_no_worker() -> None:
    job = Job(A)
    job.done(A, "acquire", "extract", "transcribe", "write")

    assert steps(job.tell(Leased(A, ItemTries()))) == [(A, "acquire")]
    assert of(job.tell(Committed(A)), Finish) == []


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


def test_a_job_stops_once_and_says_nothing_after() -> None:
    job = Job()

    assert job.tell(QueueSeen(ready=0, open_elsewhere=0)) == [Stop()]
    for event in (Tick(), Leased(A, ItemTries()), QueueSeen(0, 0), WorkerUp("extract-0")):
        assert job.tell(event) == []
