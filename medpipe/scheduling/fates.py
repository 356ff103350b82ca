"""What becomes of items: admitted, tried again, parked, recorded, quarantined, finished."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from medpipe.scheduling.background import Background
from medpipe.scheduling.breaker import Breakers
from medpipe.scheduling.crew import Crew
from medpipe.scheduling.events import (
    Failure,
    FailureKind,
    Finish,
    Instruction,
    Leased,
    LetGo,
    Release,
)
from medpipe.scheduling.jobs import STORE, Job, Jobs, Step
from medpipe.scheduling.leasing import Leasing
from medpipe.scheduling.policy import (
    RetryPolicy,
    charge,
    delay_s,
    in_place_s,
    is_suspect,
    to_be_expected,
    verdict,
)


class Fates:
    """Begins and ends attempts; charges whom a failure concerns.

    Args:
        policy: Budgets.
        walk: The steps of an item, in order.
        record: The step that records a rejection.
        jobs: The items in flight.
        crew: The workers.
        breakers: Of hosts and the store.
        leasing: What is known of the queue.
        background: Deaths of workers.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        walk: Sequence[Step],
        record: Step,
        jobs: Jobs,
        crew: Crew,
        breakers: Breakers,
        leasing: Leasing,
        background: Background,
    ) -> None:
        self._policy = policy
        self._walk = tuple(walk)
        self._record = record
        self._steps: Mapping[str, Step] = {step.name: step for step in (*walk, record)}
        self._jobs = jobs
        self._crew = crew
        self._breakers = breakers
        self._leasing = leasing
        self._background = background
        self._attempts = 0

    def admit(self, event: Leased, now_s: float, out: list[Instruction]) -> None:
        """Take in an item that was leased."""
        self._leasing.got()
        self.forget(event.item_id, now_s, out)  # our own lease had run out and came back to us
        self._attempts += 1
        alone = is_suspect(event.tries, self._policy)
        self._jobs.add(
            Job(event.item_id, self._attempts, event.tries, self._walk, alone, event.place)
        )
        if event.tries.notes and not self._background.knows(event.item_id):
            for note in event.tries.notes:  # of an earlier driver
                if note.unexplained:
                    self._background.died(note.at_s, {event.item_id})

    def current(self, item_id: str, attempt: int) -> Job | None:
        """An item in flight, if this is the attempt that runs."""
        job = self._jobs.get(item_id)
        return job if job is not None and job.attempt == attempt else None

    def forget(self, item_id: str, now_s: float, out: list[Instruction]) -> None:
        """Drop an item; its steps at work end on their own and are ignored."""
        job = self._jobs.pop(item_id)
        if job is not None:
            for held in list(job.held):
                self.let_go(job, held, now_s, out)
            for name in job.running:
                self._breakers.gave_up(job.leans_on(self._steps[name]))
            if job.committing:
                self._breakers.gave_up(STORE)

    def let_go(self, job: Job, held: str, now_s: float, out: list[Instruction]) -> None:
        """Free the worker that a step of an item held."""
        name = job.held.pop(held)
        if self._crew.let_go(name, job.item_id, now_s):
            out.append(LetGo(name, job.item_id))
            worker = self._crew.get(name)
            if worker is not None and not worker.has(job.item_id, job.attempt):
                job.leaves(name, now_s)

    def fail(self, job: Job, failure: Failure, now_s: float, out: list[Instruction]) -> None:
        """End an attempt and decide what becomes of its item."""
        attempt = job.ends(now_s, self._background)
        tries = charge(job.tries, failure, now_s, attempt)
        end = verdict(tries, failure, self._policy, attempt)
        self.forget(job.item_id, now_s, out)
        if end == "retry":
            wait_s = delay_s(job.item_id, tries, failure, self._policy, exposed_s=attempt.exposed_s)
            if failure.kind is FailureKind.TRANSIENT:
                tries = replace(tries, transient_s=tries.transient_s + wait_s)
            out.append(Release(job.item_id, wait_s, tries, failure))
            self._leasing.more_may_come()
        elif end == "rejected" and job.rejection is None:
            self._attempts += 1
            recording = Job(job.item_id, self._attempts, tries, (self._record,), job.alone)
            recording.media_s, recording.rejection = job.media_s, failure
            self._jobs.add(recording)
        else:
            if failure.kind is FailureKind.DEATH:
                self._background.condemned(job.item_id)
                said = f"worker death {tries.deaths} under it"
                expected = to_be_expected(tries, attempt)
                said += f" ({expected:.2g} to be expected): {failure.detail}"
                failure = replace(failure, detail=said)
            elif failure.kind is FailureKind.LOST:
                said = f"lost {tries.losses} times in a row: {failure.detail}"
                failure = replace(failure, detail=said)
            out.append(Finish(job.item_id, "dead", tries, failure))

    def committed(self, item_id: str, now_s: float, out: list[Instruction]) -> None:
        """An item's rows are in the dataset."""
        job = self._jobs.get(item_id)
        if job is None or not job.committing:
            return
        self._jobs.pop(item_id)
        self.went_well(STORE, now_s)
        if job.tries.deaths:
            self._background.cleared(item_id)
        state = "done" if job.rejection is None else "rejected"
        out.append(Finish(item_id, state, job.tries, job.rejection))

    def went_well(self, place: str, now_s: float) -> None:
        """Something worked at a place; if the store was down, what waits for it is due soon."""
        if self._breakers.succeeded(place) and place == STORE:
            self._jobs.wake(now_s)

    def waits_in_place(self, job: Job, step: str, now_s: float) -> bool:
        """Keep an item's results and try its step again later, unless its budget is spent."""
        job.store_failed_at_s = job.store_failed_at_s or now_s
        if now_s - job.store_failed_at_s > self._policy.transient_budget_s:
            return False
        job.store_failures += 1
        job.running.discard(step)
        job.committing = False
        rest_s = self._breakers.blocked_s(STORE, now_s)
        wait_s = max(rest_s, in_place_s(job.store_failures, self._policy))
        self._jobs.rest(job, now_s + wait_s)
        return True

    def park(self, place: str, now_s: float, out: list[Instruction]) -> None:
        """Give unbegun items of a place that is down back to the queue; it costs them nothing."""
        unbegun = self._jobs.unbegun(place)
        blocked_s = self._breakers.blocked_s(place, now_s) if unbegun else 0.0
        if not blocked_s:
            return
        parked = Failure(FailureKind.LOST, "host_down", f"{place} keeps failing; parked")
        for job in unbegun:
            self.forget(job.item_id, now_s, out)
            out.append(Release(job.item_id, blocked_s, job.tries, parked))
        self._leasing.more_may_come()
