"""The scheduler when the world is down or an item kills: who pays, who waits, who goes on."""

import pytest
from pydantic import ValidationError

from medpipe.scheduling import (
    BreakerConfig,
    Commit,
    Committed,
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
    StartWorker,
    StepDone,
    StepFailed,
    StopWorker,
    Tick,
    Warn,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries
from tests.support.scheduling import NODE_LOST, A, B, C, Job, counts, of, steps

D = "file:d"
HOST, OTHER = "videos.example.org", "media.example.com"
KILLER = ItemTries(deaths=1)
TWICE_BESIDE = ItemTries(bystanders=2)


def paid(out: list[Instruction]) -> dict[str, ItemTries]:
    """What items that went back to the queue have cost so far."""
    return {order.item_id: counts(order.tries) for order in of(out, Release)}


def kinds(out: list[Instruction]) -> dict[str, FailureKind]:
    return {order.item_id: order.failure.kind for order in of(out, Release)}


def nothing_ready(job: Job) -> None:
    """Answer what was asked of the queue; it may be asked again a second later."""
    job.tell(QueueSeen(ready=0, open_elsewhere=1))
    job.now_s += 1


def lease(
    job: Job, *items: str, place: str = "", tries: ItemTries | None = None
) -> list[Instruction]:
    out: list[Instruction] = []
    for item in items:
        out += job.tell(Leased(item, tries or ItemTries(), place))
    return out


# Fetching ahead ---------------------------------------------------------------------------------


def test_the_next_file_is_fetched_while_the_first_is_watched_and_no_further_one() -> None:
    job = Job(A, B, C)

    assert (B, "acquire") in steps(job.done(A, "acquire"))
    assert job.runs[B, "acquire"].worker == job.runs[A, "acquire"].worker
    assert steps(job.done(B, "acquire")) == []
    assert (C, "acquire") not in steps(job.done(A, "extract"))
    assert (C, "acquire") in steps(job.done(A, "transcribe"))


def test_a_file_that_was_fetched_ahead_is_watched_as_soon_as_the_worker_is_free() -> None:
    job = Job(A, B)
    job.done(A, "acquire")
    job.done(B, "acquire")

    assert steps(job.done(A, "extract")) == [(B, "extract")]


def test_no_file_is_fetched_ahead_while_a_worker_of_the_pool_starts() -> None:
    job = Job(A, B, slow=True, pools={"extract": 2, "transcribe": 1, "write": 1})
    job.tell(WorkerUp("extract-0"))

    assert steps(job.done(A, "acquire")) == [(A, "extract")]
    assert steps(job.tell(WorkerUp("extract-1"))) == [(B, "acquire")]


def test_files_are_fetched_ahead_while_another_worker_starts_if_enough_wait() -> None:
    job = Job(A, B, C, slow=True, pools={"extract": 2, "transcribe": 1, "write": 1})
    job.tell(WorkerUp("extract-0"))

    assert steps(job.done(A, "acquire")) == [(A, "extract"), (B, "acquire")]
    assert steps(job.tell(WorkerUp("extract-1"))) == [(C, "acquire")]


def test_no_file_is_fetched_ahead_while_the_pool_may_grow() -> None:
    job = Job(A, pools={"extract": 2, "transcribe": 1, "write": 1})
    job.done(A, "acquire")

    lease(job, B)

    assert job.runs[B, "acquire"].worker == "extract-1"


# Deaths -----------------------------------------------------------------------------------------


def test_a_death_is_charged_to_the_item_that_computes_and_not_to_the_one_fetched_ahead() -> None:
    job = Job(A, B)
    job.done(A, "acquire")

    out = job.dies(A, "extract")

    assert paid(out) == {A: ItemTries(deaths=1), B: ItemTries(bystanders=1)}
    assert kinds(out) == {A: FailureKind.DEATH, B: FailureKind.BYSTANDER}
    assert of(out, Finish) == []


def test_a_death_with_nothing_computing_is_charged_to_the_item_whose_sound_is_served() -> None:
    job = Job(A, B)
    job.done(A, "acquire", "extract")

    assert paid(job.dies(A, "acquire")) == {
        A: ItemTries(deaths=1),
        B: ItemTries(bystanders=1),
    }


def test_a_death_with_nothing_computing_or_served_is_charged_to_the_item_that_is_fetched() -> None:
    job = Job(A, B)

    assert paid(job.dies(A, "acquire")) == {A: ItemTries(deaths=1)}


def test_a_listener_that_dies_costs_nothing_to_what_its_source_fetched_ahead() -> None:
    job = Job(A, B)
    job.done(A, "acquire")

    out = job.dies(A, "transcribe")

    assert paid(out) == {A: ItemTries(deaths=1)}
    assert job.scheduler.items_in_flight == 1


def test_a_lost_node_is_free_for_all_who_were_on_it() -> None:
    job = Job(A, B)
    job.done(A, "acquire")

    out = job.dies(A, "extract", NODE_LOST) + job.dies(A, "transcribe", NODE_LOST)

    assert paid(out) == {A: ItemTries(losses=1), B: ItemTries(losses=1)}
    assert {order.delay_s for order in of(out, Release)} == {0}


def test_a_worker_killed_for_a_hang_costs_the_item_that_hung_and_frees_its_neighbour() -> None:
    job = Job(A, B, deadline_base_s=100)
    job.done(A, "acquire")
    job.tell(Tick(), after_s=60)
    job.done(B, "acquire")

    out = job.tell(Tick(), after_s=41)

    assert KillWorker("extract-0") in out
    assert kinds(out) == {A: FailureKind.DEATH, B: FailureKind.BYSTANDER}


# Suspects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tries", [KILLER, TWICE_BESIDE], ids=["killed once", "beside two deaths"])
def test_a_suspect_runs_on_workers_that_have_done_nothing(tries: ItemTries) -> None:
    job = Job(A)
    job.done(A, "acquire", "extract", "transcribe", "write")
    job.tell(Committed(A))

    out = lease(job, B, tries=tries)

    assert of(out, StopWorker)[0] == StopWorker("extract-0")
    assert StartWorker("extract", "extract-1") in out
    assert job.runs[B, "acquire"].worker == "extract-1"
    out = job.done(B, "acquire")
    assert StopWorker("transcribe-0") in out
    assert job.runs[B, "extract"].worker == "extract-1"
    assert job.runs[B, "transcribe"].worker == "transcribe-1"


@pytest.mark.parametrize("tries", [ItemTries(), ItemTries(bystanders=1), ItemTries(bugs=1)])
def test_an_item_that_is_no_suspect_takes_any_worker(tries: ItemTries) -> None:
    job = Job(A)
    job.done(A, "acquire", "extract", "transcribe", "write")
    job.tell(Committed(A))

    lease(job, B, tries=tries)

    assert job.runs[B, "acquire"].worker == "extract-0"


def test_nothing_is_fetched_beside_a_suspect() -> None:
    job = Job()
    lease(job, A, tries=KILLER)
    lease(job, B)

    assert steps(job.done(A, "acquire")) == [(A, "extract"), (A, "transcribe")]
    assert (B, "acquire") not in steps(job.done(A, "extract"))
    assert (B, "acquire") in steps(job.done(A, "transcribe"))


def test_a_suspect_is_not_fetched_beside_another_item() -> None:
    job = Job(A)
    lease(job, B, tries=KILLER)

    assert steps(job.done(A, "acquire")) == [(A, "extract"), (A, "transcribe")]


def test_while_a_suspect_waits_nobody_younger_is_fetched_ahead() -> None:
    """Else, with items enough, no worker would ever be idle and the suspect would wait for good."""
    job = Job(A)
    lease(job, B, tries=KILLER)
    lease(job, C, D)
    job.done(A, "acquire", "extract")

    out = job.done(A, "transcribe")

    assert StopWorker("extract-0") in out
    assert job.runs[B, "acquire"].worker == "extract-1"
    assert (C, "acquire") not in job.runs


def test_a_suspect_waits_for_its_turn_behind_older_items() -> None:
    job = Job(A, B, prefetch_items=0)
    lease(job, C, tries=KILLER)

    out = job.done(A, "acquire", "extract", "transcribe")

    assert (B, "acquire") in steps(out)
    assert StopWorker("extract-0") not in out


def test_a_suspect_that_goes_well_frees_its_worker_for_others() -> None:
    job = Job()
    lease(job, A, tries=KILLER)
    lease(job, B, C)
    job.done(A, "acquire", "extract", "transcribe")

    assert job.runs[B, "acquire"].worker == job.runs[A, "acquire"].worker
    assert (C, "acquire") in steps(job.done(B, "acquire"))


# A host that is down ----------------------------------------------------------------------------

BREAKER = BreakerConfig(failures=2, cool_down_s=60, cool_down_max_s=200)


def host_down(**config: object) -> Job:
    """A job of two fetchers that failed at HOST twice in a row."""
    job = Job(breaker=BREAKER, pools={"extract": 2, "transcribe": 2, "write": 1}, **config)
    lease(job, A, B, C, place=HOST)
    lease(job, D, place=OTHER)
    job.out = job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")
    job.out += job.fails(B, "acquire", FailureKind.TRANSIENT, "http_503")
    return job


def test_unbegun_items_of_a_host_that_is_down_go_back_without_a_charge() -> None:
    job = host_down(prefetch_items=0)
    parked = lease(job, "file:e", place=HOST)

    (release,) = of(parked, Release)
    assert (release.failure.code, release.tries, release.delay_s) == ("host_down", ItemTries(), 60)
    assert steps(parked) == []
    assert paid(job.out)[A].transients == paid(job.out)[B].transients == 1


def test_an_item_that_waits_for_a_worker_goes_back_when_its_host_goes_down() -> None:
    job = Job(breaker=BreakerConfig(failures=1), prefetch_items=0)
    lease(job, A, B, place=HOST)
    lease(job, C, place=OTHER)

    out = job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")

    assert paid(out)[B] == ItemTries()
    assert steps(out) == [(C, "acquire")]


def test_items_of_other_hosts_go_on() -> None:
    job = host_down()

    assert (D, "acquire") in job.runs
    assert steps(job.done(D, "acquire")) == [(D, "extract"), (D, "transcribe")]


def test_a_fetch_that_went_well_before_is_not_taken_back() -> None:
    job = host_down()

    assert (C, "acquire") in job.runs
    assert steps(job.done(C, "acquire"))[:2] == [(C, "extract"), (C, "transcribe")]


def test_after_the_rest_one_item_probes_and_each_failure_doubles_the_rest() -> None:
    job = Job(breaker=BREAKER)
    for _ in range(2):
        lease(job, A, place=HOST)
        job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")
    waits = []
    for rest_s in (60, 120, 200):
        job.tell(Tick(), after_s=rest_s - 1)
        (early,) = of(lease(job, B, place=HOST), Release)
        job.tell(Tick(), after_s=1)
        probe_and_other = lease(job, A, B, place=HOST)
        assert steps(probe_and_other) == [(A, "acquire")]
        waits.append((early.delay_s, of(probe_and_other, Release)[0].item_id))
        job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")

    assert waits == [(1, B), (1, B), (1, B)]
    (parked,) = of(lease(job, B, place=HOST), Release)
    assert parked.delay_s == 200


def test_a_probe_that_goes_well_lets_all_in_again() -> None:
    job = Job(breaker=BREAKER)
    for _ in range(2):
        lease(job, A, place=HOST)
        job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")
    job.tell(Tick(), after_s=60)
    lease(job, A, place=HOST)

    job.done(A, "acquire")

    assert of(lease(job, B, place=HOST), Release) == []


def test_a_probe_whose_lease_is_lost_lets_another_one_probe() -> None:
    job = Job(breaker=BREAKER)
    for _ in range(2):
        lease(job, A, place=HOST)
        job.fails(A, "acquire", FailureKind.TRANSIENT, "http_503")
    job.tell(Tick(), after_s=60)
    lease(job, A, place=HOST)
    job.tell(LeaseLostEvent(A))

    assert of(lease(job, B, place=HOST), Release) == []
    assert steps(job.done(A, "acquire")) == [(B, "acquire")]


def test_a_host_that_hangs_goes_down_like_one_that_fails() -> None:
    job = Job(breaker=BreakerConfig(failures=1), deadline_base_s=100, prefetch_items=0)
    lease(job, A, B, place=HOST)

    out = job.tell(Tick(), after_s=101)

    assert KillWorker("extract-0") in out
    assert paid(out)[B] == ItemTries()
    assert kinds(out) == {A: FailureKind.TRANSIENT, B: FailureKind.LOST}


def test_files_on_disk_have_no_host_that_could_go_down() -> None:
    job = Job(breaker=BreakerConfig(failures=1), retry=RetryPolicy(transient_tries=99))

    for _ in range(5):
        lease(job, A)
        job.fails(A, "acquire", FailureKind.TRANSIENT, "disk_full")

    assert steps(lease(job, B)) == [(B, "acquire")]


# A store that is down ---------------------------------------------------------------------------

STORE_DOWN = Failure(FailureKind.TRANSIENT, "store_unavailable", "503")
PATIENT = RetryPolicy(backoff_s=10, backoff_max_s=40, transient_budget_s=1000)


def written(job: Job, item: str) -> list[Instruction]:
    return job.done(item, "acquire", "extract", "transcribe", "write")


def commit_fails(job: Job, item: str) -> list[Instruction]:
    attempt = job.runs[item, "write"].attempt
    return job.tell(StepFailed(item, attempt, "commit", STORE_DOWN))


def test_a_failed_commit_is_repeated_in_place_with_longer_waits_and_without_a_charge() -> None:
    job = Job(A, retry=PATIENT)
    written(job, A)

    for wait_s in (10, 20, 40, 40):
        assert of(commit_fails(job, A), Release) == []
        assert of(job.tell(Tick(), after_s=wait_s - 1), Commit) == []
        assert of(job.tell(Tick(), after_s=1), Commit) == [Commit(A)]

    (end,) = of(job.tell(Committed(A)), Finish)
    assert (end.state, end.tries) == ("done", ItemTries())
    assert len([step for _, step in job.runs if step == "acquire"]) == 1


def test_a_failed_write_repeats_only_the_write() -> None:
    job = Job(A, retry=PATIENT)
    job.done(A, "acquire", "extract", "transcribe")

    out = job.tell(StepFailed(A, 1, "write", STORE_DOWN))

    assert steps(out) == []
    assert steps(job.tell(Tick(), after_s=9)) == []
    assert steps(job.tell(Tick(), after_s=1)) == [(A, "write")]
    assert job.runs[A, "write"].attempt == 1


def test_no_items_are_leased_while_the_store_is_down_and_again_once_it_answers() -> None:
    job = Job(A, B, retry=PATIENT, breaker=BREAKER)
    job.done(A, "acquire")
    job.done(B, "acquire")
    job.done(A, "extract", "transcribe", "write")
    commit_fails(job, A)
    job.tell(Tick(), after_s=10)
    nothing_ready(job)

    assert of(commit_fails(job, A), LeaseItems) == []  # the second failure: down for 60 s
    assert of(job.tell(Tick(), after_s=59), LeaseItems) == []
    assert of(job.tell(Tick(), after_s=1), Commit) == [Commit(A)]  # the probe
    assert of(commit_fails(job, A), LeaseItems) == []  # down for 120 s
    assert of(job.tell(Tick(), after_s=119), LeaseItems) == []
    assert of(job.tell(Tick(), after_s=1), Commit) == [Commit(A)]
    assert of(job.tell(Committed(A)), LeaseItems) == [LeaseItems(7)]


def test_a_commit_that_probes_and_whose_lease_is_lost_does_not_keep_the_store_down() -> None:
    job = Job(A, retry=PATIENT, breaker=BreakerConfig(failures=1, cool_down_s=60))
    written(job, A)
    nothing_ready(job)
    commit_fails(job, A)
    assert Commit(A) in job.tell(Tick(), after_s=60)

    assert of(job.tell(LeaseLostEvent(A)), LeaseItems) == [LeaseItems(8)]


def test_a_store_that_stays_down_beyond_the_budget_costs_the_item_a_try() -> None:
    job = Job(A, retry=PATIENT, breaker=BREAKER)
    written(job, A)

    for _ in range(99):
        out = commit_fails(job, A)
        if of(out, Release):
            break
        job.now_s += 200
        assert of(job.tell(Tick()), Commit) == [Commit(A)]

    assert job.now_s - 1000 >= 1000
    (release,) = of(out, Release)
    assert (release.tries.transients, release.failure.code) == (1, "store_unavailable")
    assert job.scheduler.items_in_flight == 0


def test_what_sat_out_an_outage_goes_on_soon_after_the_store_is_back() -> None:
    job = Job(A, B, retry=RetryPolicy(backoff_s=900), breaker=BreakerConfig(failures=2))
    for item in (A, B):
        written(job, item)
        commit_fails(job, item)
    job.tell(Tick(), after_s=900)
    commit_fails(job, A)  # waits for half an hour from now
    job.tell(Committed(B))

    assert of(job.tell(Tick(), after_s=5), Commit) == [Commit(A)]


def test_what_was_refused_by_a_store_that_is_up_waits_its_time() -> None:
    job = Job(A, B, retry=RetryPolicy(backoff_s=900), breaker=BreakerConfig(failures=2))
    written(job, A)
    written(job, B)
    commit_fails(job, A)
    job.tell(Committed(B))

    assert of(job.tell(Tick(), after_s=899), Commit) == []
    assert of(job.tell(Tick(), after_s=1), Commit) == [Commit(A)]


def test_a_host_of_the_stores_name_is_not_the_store() -> None:
    job = Job(A, retry=PATIENT, breaker=BreakerConfig(failures=1))
    written(job, A)
    commit_fails(job, A)

    assert of(lease(job, B, place="store"), Release) == []


def test_what_is_at_work_goes_on_while_the_store_is_down() -> None:
    job = Job(A, B, retry=PATIENT, breaker=BreakerConfig(failures=1))
    written(job, A)
    commit_fails(job, A)

    assert steps(job.done(B, "acquire")) == [(B, "extract"), (B, "transcribe")]


# Silence ----------------------------------------------------------------------------------------


def test_silence_is_explained_once_in_a_while() -> None:
    job = Job(A, stall_s=900, deadline_base_s=5000)

    assert of(job.tell(Tick(), after_s=900), Warn) == []
    (warning,) = of(job.tell(Tick(), after_s=1), Warn)
    assert "15 minutes" in warning.text
    assert "1 steps at work" in warning.text
    assert of(job.tell(Tick(), after_s=600), Warn) == []
    assert len(of(job.tell(Tick(), after_s=301), Warn)) == 1


def test_silence_begins_anew_when_something_happens() -> None:
    job = Job(A, stall_s=900, deadline_base_s=5000)
    job.tell(Tick(), after_s=800)
    job.done(A, "acquire")

    assert of(job.tell(Tick(), after_s=800), Warn) == []


def test_a_stall_names_the_store_that_is_down() -> None:
    job = Job(
        A,
        stall_s=900,
        breaker=BreakerConfig(failures=1, cool_down_s=3600),
        retry=RetryPolicy(backoff_s=3600, backoff_max_s=3600),
    )
    written(job, A)
    commit_fails(job, A)

    (warning,) = of(job.tell(Tick(), after_s=901), Warn)

    assert "the store to answer" in warning.text
    assert warning.text.endswith("down: the store")


# Workers ----------------------------------------------------------------------------------------


def test_a_worker_that_has_done_its_steps_is_replaced_although_more_work_waits() -> None:
    job = Job(A, B, worker_max_steps=2, prefetch_items=1)

    out = job.done(A, "acquire", "extract", "transcribe")

    assert StopWorker("extract-0") in out
    assert StartWorker("extract", "extract-1") in out
    assert job.runs[B, "acquire"].worker == "extract-1"


def test_a_worker_that_keeps_failing_is_replaced() -> None:
    job = Job(retry=RetryPolicy(bug_tries=1, worker_bugs=2))
    for item in (A, B):
        lease(job, item)
        out = job.fails(item, "acquire", FailureKind.BUG, "bug")

    assert StopWorker("extract-0") in out
    lease(job, C)
    assert job.runs[C, "acquire"].worker == "extract-1"


def test_a_worker_with_a_good_step_in_between_is_kept() -> None:
    job = Job(retry=RetryPolicy(bug_tries=1, worker_bugs=2))
    for item in (A, B, C):
        lease(job, item)
        job.done(item, "acquire")
        out = job.fails(item, "extract", FailureKind.BUG, "bug")
        assert StopWorker("extract-0") not in out


def test_idle_workers_of_free_nodes_go_before_those_of_nodes_at_work() -> None:
    job = Job(A, B, slow=True, pools={"extract": 2, "transcribe": 2, "write": 1})
    for worker, node in [
        ("extract-0", "node-a"),
        ("extract-1", "node-b"),
        ("transcribe-0", "node-b"),
        ("transcribe-1", "node-a"),
        ("write-0", "node-a"),
    ]:
        job.tell(WorkerUp(worker, node))
    for item in (A, B):
        job.done(item, "acquire", "extract", "transcribe")
    lease(job, C)
    job.done(C, "acquire")
    assert job.runs[C, "extract"].worker == "extract-0"

    out = job.tell(Tick(), after_s=61)

    assert of(out, StopWorker)[0] == StopWorker("extract-1")


# Back-pressure ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("media_s", "media_bytes"), [(101.0, 0), (1.0, 5001)])
def test_media_in_flight_hold_back_leases_until_they_are_written(
    media_s: float, media_bytes: int
) -> None:
    job = Job(A, media_in_flight_s=100, bytes_in_flight=5000)
    attempt = job.runs[A, "acquire"].attempt
    nothing_ready(job)

    assert of(job.tell(StepDone(A, attempt, "acquire", media_s, media_bytes)), LeaseItems) == []
    assert of(job.done(A, "extract", "transcribe", "write"), LeaseItems) == []
    assert of(job.tell(Committed(A)), LeaseItems) == [LeaseItems(8)]


def test_media_of_a_released_item_make_room() -> None:
    job = Job(A, B, media_in_flight_s=100)
    nothing_ready(job)
    job.done(A, "acquire", media_s=101)

    out = job.fails(A, "extract", FailureKind.BUG, "bug")

    assert of(out, LeaseItems) == [LeaseItems(7)]


# Config -----------------------------------------------------------------------------------------


def test_one_bad_item_alone_must_not_wear_out_the_workers() -> None:
    with pytest.raises(ValidationError, match="worker_bugs must be more than bug_tries"):
        RetryPolicy(bug_tries=4, worker_bugs=4)


def test_a_started_worker_that_dies_while_its_node_is_lost_is_just_started_again() -> None:
    job = Job(A, slow=True)

    out = job.tell(WorkerDied("extract-0", NODE_LOST))

    assert of(out, StartWorker) == [StartWorker("extract", "extract-1")]
