"""The scheduler on the real walk: what becomes of items."""

from medpipe.scheduling import (
    Commit,
    Committed,
    Failure,
    FailureKind,
    Finish,
    Leased,
    LeaseItems,
    LeaseLostEvent,
    LetGo,
    QueueSeen,
    Release,
    RetryPolicy,
    RunStep,
    StartWorker,
    StepDone,
    StepFailed,
    Stop,
    StopWorker,
    Tick,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries
from tests.support.scheduling import DIED, A, B, Job, of, steps


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
    assert job.tell(StepDone(A, 1, "transcribe")) == [
        LetGo("extract-0", A),
        RunStep("write-0", A, 1, "write"),
    ]
    assert job.tell(StepDone(A, 1, "write")) == [Commit(A)]
    assert job.tell(Committed(A)) == [
        Finish(A, "done", ItemTries()),
        StopWorker("extract-0"),
        StopWorker("transcribe-0"),
        StopWorker("write-0"),
        Stop(),
    ]


def test_no_more_items_are_asked_for_than_may_be_at_work() -> None:
    job = Job(A, B, slow=True, items_in_flight=2)

    assert of(job.out, LeaseItems) == [LeaseItems(2)]
    for worker in ("extract-0", "transcribe-0", "write-0"):
        assert of(job.tell(WorkerUp(worker)), LeaseItems) == []
    assert of(job.tell(Tick(), after_s=60), LeaseItems) == []
    assert of(job.done(A, "acquire", "extract", "transcribe"), LeaseItems) == []
    assert of(job.done(A, "write"), LeaseItems) == [LeaseItems(1)]
    assert of(job.tell(Committed(A)), LeaseItems) == []


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


def test_a_drain_ends_what_is_in_flight_and_takes_nothing_new() -> None:
    job = Job(A)
    job.scheduler.drain()

    out = job.tell(Tick(), after_s=60) + job.done(A, "acquire", "extract", "transcribe", "write")

    assert of(out, LeaseItems) == of(out, Stop) == []
    assert job.tell(Committed(A))[-1] == Stop()


def test_a_lost_lease_is_forgotten_and_its_worker_goes_on_with_others() -> None:
    job = Job(A, B, prefetch_items=0)
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
    job.done(A, "acquire", "extract")

    assert steps(job.tell(Leased(A, ItemTries()))) == [(A, "acquire")]


def test_a_commit_of_an_earlier_attempt_ends_no_later_one() -> None:
    job = Job(A)
    job.done(A, "acquire", "extract", "transcribe", "write")
    job.tell(Leased(A, ItemTries()))

    assert of(job.tell(Committed(A)), Finish) == []
    assert job.scheduler.items_in_flight == 1


def test_a_job_stops_once_and_says_nothing_after() -> None:
    job = Job()

    assert job.tell(QueueSeen(ready=0, open_elsewhere=0)) == [Stop()]
    for event in (Tick(), Leased(A, ItemTries()), QueueSeen(0, 0), WorkerUp("extract-0")):
        assert job.tell(event) == []
