"""The scheduler where workers die: what is laid to an item, what to the world, and the evidence."""

import pytest

from medpipe.scheduling import (
    DeathNote,
    Failure,
    FailureKind,
    Finish,
    KillWorker,
    Leased,
    Release,
    RetryPolicy,
    StepFailed,
    Stop,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries
from tests.support.scheduling import DIED, A, B, C, Job, of

OWN = Failure(FailureKind.DEATH, "memory_limit", "5 of 4 GiB")
POOLS = {"extract": 3, "transcribe": 3, "write": 3}


def dies_again(job: Job, item: str, tries: ItemTries, failure: Failure = DIED) -> ItemTries:
    """Let an item try again and die after ten seconds; returns its tries."""
    job.tell(Leased(item, tries))
    job.tell(Tick(), after_s=10)
    (end,) = [o for o in job.dies(item, "acquire", failure) if isinstance(o, Release | Finish)]
    return end.tries


def calm_hour(job: Job) -> None:
    for _ in range(60):
        job.tell(Tick(), after_s=60)


def test_two_deaths_among_calm_workers_are_the_items_own() -> None:
    job = Job(C, pools=POOLS, idle_worker_s=1e6, deadline_base_s=1e6)
    calm_hour(job)

    tries = dies_again(job, A, ItemTries())
    job.tell(Leased(A, tries))
    (end,) = of(job.dies(A, "acquire"), Finish)

    assert (end.state, end.tries.deaths) == ("dead", 2)


def test_two_deaths_while_idle_workers_die_all_around_are_not() -> None:
    job = Job(C, pools=POOLS, idle_worker_s=1e6, deadline_base_s=1e6)
    calm_hour(job)
    tries = dies_again(job, A, ItemTries())
    for worker in ("write-0", "write-1", "write-2"):
        job.tell(WorkerDied(worker, DIED), after_s=1)

    again = dies_again(job, A, tries)

    assert again.deaths == 2
    assert job.scheduler.items_in_flight == 1  # C: the item went back to the queue
    assert again.expected_deaths > 0.01


def test_deaths_with_a_known_cause_count_whatever_happens_around() -> None:
    job = Job(C, pools=POOLS, idle_worker_s=1e6, deadline_base_s=1e6)
    tries = dies_again(job, A, ItemTries(), OWN)
    for worker in ("write-0", "write-1", "write-2"):
        job.tell(WorkerDied(worker, DIED), after_s=1)

    job.tell(Leased(A, tries))

    assert of(job.dies(A, "acquire", OWN), Finish)[0].state == "dead"


def test_an_item_ends_at_the_cap_however_many_die_around_it() -> None:
    job = Job(C, pools=POOLS, idle_worker_s=1e6, deadline_base_s=1e6)
    tries, deaths = ItemTries(), []
    for n in range(20):
        job.tell(WorkerDied(f"write-{n}", DIED), after_s=1)
        tries = dies_again(job, A, tries)
        deaths.append(tries.deaths)
        if tries.deaths == RetryPolicy().death_tries_max:
            break

    assert deaths == list(range(1, 9))
    assert job.scheduler.items_in_flight == 1


def test_the_dead_letter_holds_the_evidence_of_each_death() -> None:
    job = Job(C, pools=POOLS, idle_worker_s=1e6, deadline_base_s=1e6)
    calm_hour(job)
    tries = dies_again(job, A, ItemTries())
    job.tell(Leased(A, tries), after_s=60)
    job.done(A, "acquire")

    (end,) = of(job.dies(A, "extract"), Finish)

    assert end.tries.notes == (
        DeathNote(4610.0, "acquire", "worker_died", DIED.detail, True, 0.0),
        DeathNote(4670.0, "extract", "worker_died", DIED.detail, True, 0.0),
    )
    assert end.failure is not None
    assert "worker death 2 under it" in end.failure.detail
    assert DIED.detail in end.failure.detail


def test_after_an_unexplained_death_an_item_waits_at_least_as_long_as_it_ran() -> None:
    job = Job(A, deadline_base_s=1e6)
    job.tell(Tick(), after_s=400)

    (release,) = of(job.dies(A, "acquire"), Release)

    assert 200 <= release.delay_s <= 400


def test_deaths_that_an_earlier_driver_saw_speak_for_other_items_now() -> None:
    seen = DeathNote(990.0, "extract", "worker_died", "", True, 0.0)
    job = Job(C, pools=POOLS, idle_worker_s=1e6, deadline_base_s=1e6)
    job.tell(Leased(B, ItemTries(deaths=1, notes=(seen,))))

    tries = dies_again(job, A, dies_again(job, A, ItemTries()))

    assert tries.notes[-1].rate_per_h > 0
    assert tries.deaths == 2


def test_a_listener_whose_source_died_lays_the_death_to_the_item_once() -> None:
    job = Job(A)
    job.done(A, "acquire", "extract")
    attempt = job.runs[A, "transcribe"].attempt

    out = job.tell(StepFailed(A, attempt, "transcribe", DIED))

    (release,) = of(out, Release)
    assert release.tries.deaths == 1
    assert KillWorker("extract-0") in out  # it is gone: forget it
    assert of(job.tell(WorkerDied("extract-0", DIED)), Release) == []
    assert job.scheduler.items_in_flight == 0


def test_a_pool_whose_other_workers_start_well_is_not_hopeless() -> None:
    job = Job(A, slow=True, pools=POOLS, retry=RetryPolicy(worker_start_failures=2))
    job.tell(Leased(B, ItemTries()))
    job.tell(Leased(C, ItemTries()))

    out = job.tell(WorkerDied("extract-0", DIED)) + job.tell(WorkerDied("extract-1", DIED))

    assert of(out, Stop) == []
    assert of(job.tell(WorkerDied("extract-2", DIED)), Stop) == [Stop(DIED)]


def test_starting_workers_that_die_like_all_others_do_not_stop_the_job() -> None:
    job = Job(A, slow=True, pools={**POOLS, "extract": 1})
    job.tell(WorkerUp("transcribe-0"))
    job.tell(Tick(), after_s=20)
    job.tell(WorkerDied("transcribe-0", DIED))

    outs = [job.tell(WorkerDied(f"extract-{n}", DIED), after_s=20) for n in range(20)]

    stopped = [n for n, out in enumerate(outs, start=1) if of(out, Stop)]
    assert stopped
    assert RetryPolicy().worker_start_failures < stopped[0]
    assert stopped[0] <= RetryPolicy().worker_start_failures_max


@pytest.mark.parametrize("waited_s", [0, 1e6], ids=["at once", "behind a long queue"])
def test_standing_in_line_is_not_counted_against_the_worlds_budget(waited_s: float) -> None:
    retry = RetryPolicy(transient_budget_s=100, backoff_s=40, backoff_max_s=40)
    job = Job(A, retry=retry)
    tries, spent = ItemTries(), []
    for _ in range(5):
        job.tell(Tick(), after_s=3)
        (end,) = [
            out
            for out in job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")
            if isinstance(out, Release)
        ] or [None]
        if end is None:
            break
        tries = end.tries
        spent.append(tries.transient_s)
        job.tell(Leased(A, tries), after_s=waited_s)

    assert len(spent) in (3, 4)
    assert spent[0] == pytest.approx(3 + 40 * 0.75, abs=10)
    assert max(spent) < 100 + 40
