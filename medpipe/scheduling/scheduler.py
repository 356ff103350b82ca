"""Decides what runs where: a pure state machine, `handle(event, now_s) -> [instruction]`.

State changes only inside `handle` and `drain`. Items walk the steps of the walk; each step runs on
a worker of its pool, one step a lane at a time. A step may keep its worker for later steps of the
same item (the one that holds the file). What fails is charged to whom it concerns (`policy`) and
the item goes back to the queue, to the rejects or to the dead letters; its other steps still
running are left to end and are ignored. What only the store failed is tried again in place, with
all results kept. Nothing here reads a clock: `now_s` is Unix time, given by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from medpipe.scheduling.breaker import Breakers
from medpipe.scheduling.crew import Crew, Run, Worker
from medpipe.scheduling.events import (
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
    LetGo,
    QueueSeen,
    Release,
    RunStep,
    StartWorker,
    StepDone,
    StepFailed,
    Stop,
    StopWorker,
    Tick,
    Warn,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.jobs import Job, Step
from medpipe.scheduling.policy import (
    SchedulingConfig,
    charge,
    delay_s,
    in_place_s,
    is_suspect,
    verdict,
)

_POLL_S = 1.0
_STORE = "store"


class Scheduler:
    """See the module's docstring.

    Args:
        config: Bounds and budgets.
        walk: The steps of an item, in order.
        record: The step that records a rejection.
        pools: Most workers by pool; none is started before it is needed.
    """

    def __init__(
        self, config: SchedulingConfig, walk: Sequence[Step], record: Step, pools: Mapping[str, int]
    ) -> None:
        self._config = config
        self._walk = tuple(walk)
        self._record = record
        self._steps = {step.name: step for step in (*walk, record)}
        self._crew = Crew(config, pools)
        self._breakers = Breakers(config.breaker)
        self._jobs: dict[str, Job] = {}
        self._failed_starts = dict.fromkeys(pools, 0)
        self._attempts = 0
        self._leasing = False
        self._poll_at_s = 0.0
        self._moved_at_s: float | None = None
        self._drained = False
        self._draining = False
        self._stopped = False

    @property
    def items_in_flight(self) -> int:
        """Items leased and not yet at an end."""
        return len(self._jobs)

    @property
    def waiting_for(self) -> str:
        """One line for people: what the job waits for right now."""
        busy = sum(len(worker.runs) for _, worker in self._crew)
        starting = sum(not worker.up for _, worker in self._crew)
        parts = [f"{busy} steps at work"] if busy else []
        parts += [f"{starting} workers to start"] if starting else []
        if any(job.committing for job in self._jobs.values()):
            parts.append("a commit")
        if any(job.store_failures for job in self._jobs.values()):
            parts.append("the store to answer")
        if not parts:
            parts.append("workers" if self._jobs else "items that wait for their next try")
        return ", ".join(parts)

    def drain(self) -> None:
        """Take no new items; `Stop` follows when those in flight have ended."""
        self._draining = True

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """Take one event and say what to do.

        Args:
            event: What happened.
            now_s: Unix time at which it was seen.
        """
        if self._stopped:
            return []
        out: list[Instruction] = []
        if not isinstance(event, Tick | QueueSeen) or self._moved_at_s is None:
            self._moved_at_s = now_s
        self._take(event, now_s, out)
        if not self._stopped:
            self._place(now_s, out)
            self._resize(now_s, out)
            if not isinstance(event, Leased):  # more of the same answer may follow
                self._lease_or_stop(now_s, out)
        return out

    def _take(  # noqa: C901 - one case an event
        self, event: Event, now_s: float, out: list[Instruction]
    ) -> None:
        match event:
            case Leased():
                self._leased(event, now_s, out)
            case QueueSeen():
                self._leasing = False
                self._poll_at_s = now_s + _POLL_S
                self._drained = event.ready == 0 and event.open_elsewhere == 0
            case LeaseLostEvent():
                self._forget(event.item_id, now_s, out)
                self._drained = False  # it may come back
            case WorkerUp():
                worker = self._crew.came_up(event.worker, event.node, now_s)
                if worker is not None:
                    self._failed_starts[worker.pool] = 0
            case WorkerDied():
                self._worker_died(event, now_s, out)
            case StepDone():
                self._step_done(event, now_s, out)
            case StepFailed():
                self._step_failed(event, now_s, out)
            case Committed():
                self._committed(event.item_id, out)
            case Tick():
                self._overdue(now_s, out)
                self._stalled(now_s, out)

    # Items ----------------------------------------------------------------------------------

    def _leased(self, event: Leased, now_s: float, out: list[Instruction]) -> None:
        self._leasing = False
        self._drained = False
        self._forget(event.item_id, now_s, out)  # our own lease had run out and came back to us
        self._attempts += 1
        self._jobs[event.item_id] = Job(
            event.item_id, self._attempts, event.tries, place=event.place
        )

    def _step_done(self, event: StepDone, now_s: float, out: list[Instruction]) -> None:
        name = self._crew.end(event.item_id, event.attempt, event.step, now_s)
        worker = self._crew.get(name) if name else None
        if worker is not None:
            worker.failures = 0
        job = self._current(event.item_id, event.attempt)
        if job is None:
            if name is not None and self._steps[event.step].holds_until:
                out.append(LetGo(name, event.item_id))
            return
        job.running.discard(event.step)
        job.done.add(event.step)
        if event.media_s is not None:
            job.media_s, job.media_bytes = event.media_s, event.media_bytes
        step = self._steps[event.step]
        self._breakers.succeeded(self._place_of(job, step))
        if step.holds_until and name is not None and worker is not None:
            job.held[step.name] = name
            worker.holds.add(job.item_id)
        for held in [n for n in job.held if job.done.issuperset(self._steps[n].holds_until)]:
            self._let_go(job, held, now_s, out)
        job.written = job.written or event.step in (self._record.name, self._walk[-1].name)

    def _step_failed(self, event: StepFailed, now_s: float, out: list[Instruction]) -> None:
        name = self._crew.end(event.item_id, event.attempt, event.step, now_s)
        if name is not None and event.failure.kind is FailureKind.BUG:
            self._crew[name].failures += 1
        job = self._current(event.item_id, event.attempt)
        if job is None:
            return
        failure = replace(event.failure, step=event.step)
        step = self._steps.get(event.step)
        stores = step is None or step.stores
        place = _STORE if stores else self._place_of(job, step)
        if failure.kind is FailureKind.TRANSIENT:
            self._breakers.failed(place, now_s)
            if stores and self._waits_in_place(job, event.step, now_s):
                return
        else:
            self._breakers.gave_up(place)
        self._fail(job, failure, now_s, out)

    def _waits_in_place(self, job: Job, step: str, now_s: float) -> bool:
        """Keep an item's results and try its step again later, unless its budget is spent."""
        job.store_failed_at_s = job.store_failed_at_s or now_s
        if now_s - job.store_failed_at_s > self._config.retry.transient_budget_s:
            return False
        job.store_failures += 1
        job.running.discard(step)
        job.committing = False
        rest_s = self._breakers.blocked_s(_STORE, now_s)
        job.not_before_s = now_s + max(rest_s, in_place_s(job.store_failures, self._config.retry))
        return True

    def _fail(self, job: Job, failure: Failure, now_s: float, out: list[Instruction]) -> None:
        """End an attempt and decide what becomes of its item."""
        tries = charge(job.tries, failure, now_s)
        end = verdict(tries, failure, now_s, self._config.retry)
        self._forget(job.item_id, now_s, out)
        if end == "retry":
            wait_s = delay_s(job.item_id, tries, failure, self._config.retry)
            out.append(Release(job.item_id, wait_s, tries, failure))
            self._drained = False
        elif end == "rejected" and job.rejection is None:
            self._attempts += 1
            self._jobs[job.item_id] = Job(
                job.item_id, self._attempts, tries, media_s=job.media_s, rejection=failure
            )
        else:
            out.append(Finish(job.item_id, "dead", tries, failure))

    def _committed(self, item_id: str, out: list[Instruction]) -> None:
        job = self._jobs.get(item_id)
        if job is not None and job.committing:
            del self._jobs[item_id]
            self._breakers.succeeded(_STORE)
            state = "done" if job.rejection is None else "rejected"
            out.append(Finish(item_id, state, job.tries, job.rejection))

    def _forget(self, item_id: str, now_s: float, out: list[Instruction]) -> None:
        """Drop an item; its steps at work end on their own and are ignored."""
        job = self._jobs.pop(item_id, None)
        if job is not None:
            for held in list(job.held):
                self._let_go(job, held, now_s, out)
            for name in job.running:
                self._breakers.gave_up(self._place_of(job, self._steps[name]))

    def _let_go(self, job: Job, held: str, now_s: float, out: list[Instruction]) -> None:
        worker = job.held.pop(held)
        if self._crew.let_go(worker, job.item_id, now_s):
            out.append(LetGo(worker, job.item_id))

    # Workers --------------------------------------------------------------------------------

    def _worker_died(self, event: WorkerDied, now_s: float, out: list[Instruction]) -> None:
        worker = self._crew.get(event.worker)
        if worker is not None:
            self._worker_gone(event.worker, event.failure, _suspects(worker), now_s, out)

    def _worker_gone(
        self,
        name: str,
        failure: Failure,
        culprits: set[str],
        now_s: float,
        out: list[Instruction],
    ) -> None:
        """Charge the culprits; whoever else was on the worker goes free."""
        worker = self._crew.remove(name)
        if worker is None:
            return
        if not worker.up:
            self._start_failed(worker.pool, failure, out)
        for item_id in sorted(worker.items):
            job = self._jobs.get(item_id)
            if job is None or not self._is_there(job, name, worker):
                continue
            job.held = {k: v for k, v in job.held.items() if v != name}
            step = next((r.step for r in worker.runs.values() if r.item_id == item_id), worker.pool)
            theirs = replace(failure, step=step)
            if item_id not in culprits and failure.kind is not FailureKind.LOST:
                theirs = replace(theirs, kind=FailureKind.BYSTANDER)
            self._fail(job, theirs, now_s, out)

    def _is_there(self, job: Job, name: str, worker: Worker) -> bool:
        """Whether the attempt that runs is on this worker, not an earlier one."""
        at_work = any(
            run.item_id == job.item_id and run.attempt == job.attempt
            for run in worker.runs.values()
        )
        return at_work or name in job.held.values()

    def _start_failed(self, pool: str, failure: Failure, out: list[Instruction]) -> None:
        if failure.kind is FailureKind.LOST:
            return
        self._failed_starts[pool] += 1
        hopeless = self._failed_starts[pool] >= self._config.retry.worker_start_failures
        if hopeless or failure.code == "config_error":
            self._stop(out, failure)

    def _overdue(self, now_s: float, out: list[Instruction]) -> None:
        """Kill workers that are past their deadline, at work or while starting."""
        for name, worker in self._crew:
            late = [run for run in worker.runs.values() if now_s > run.deadline_s]
            if not worker.up and now_s - worker.since_s > self._config.worker_start_s:
                code, what = "worker_start_timed_out", f"{name} did not start"
                failure = Failure(FailureKind.DEATH, code, what)
            elif late:
                failure = self._deadline_failure(late[0].step)
            else:
                continue
            out.append(KillWorker(name))
            self._worker_gone(name, failure, {run.item_id for run in late}, now_s, out)
            if self._stopped:
                return

    def _deadline_failure(self, step: str) -> Failure:
        detail = f"{step} ran past its deadline and was killed"
        if step == self._walk[0].name:
            return Failure(FailureKind.TRANSIENT, "timed_out", detail)
        return Failure(FailureKind.DEATH, "deadline_exceeded", detail)

    def _stalled(self, now_s: float, out: list[Instruction]) -> None:
        """Say what the job waits for when nothing has happened for long."""
        if self._moved_at_s is not None and now_s - self._moved_at_s > self._config.stall_s:
            self._moved_at_s = now_s
            minutes = self._config.stall_s / 60
            down = ", ".join(self._breakers.open_places(now_s))
            text = f"nothing happened for {minutes:.0f} minutes; waiting for {self.waiting_for}"
            out.append(Warn(text + (f"; down: {down}" if down else "")))

    # Decisions ------------------------------------------------------------------------------

    def _place(self, now_s: float, out: list[Instruction]) -> None:
        """Give runnable steps to free workers, oldest item first."""
        for job in list(self._jobs.values()):
            if now_s < job.not_before_s or self._breakers_hold(job, now_s, out):
                continue
            if job.written and not job.committing:
                job.committing = True
                out.append(Commit(job.item_id))
            for step in job.runnable(self._walk_of(job)):
                self._begin(job, step, now_s, out)

    def _begin(self, job: Job, step: Step, now_s: float, out: list[Instruction]) -> None:
        """Start a step if there is a worker for it; make room for a suspect's fresh one."""
        alone = is_suspect(job.tries, self._config.retry)
        name = (
            job.held.get(step.on)
            if step.on
            else self._crew.choose(step.pool, step.lane, alone=alone)
        )
        worker = self._crew.get(name) if name else None
        if name is None or worker is None:
            retired = self._crew.retirable(step.pool) if alone and not step.on else None
            if retired is not None:
                self._crew.remove(retired)
                out.append(StopWorker(retired))
            return
        if step.lane in worker.runs:
            return
        limit_s = self._config.deadline_base_s + self._config.deadline_per_media_s * job.media_s
        run = Run(job.item_id, job.attempt, step.name, now_s + limit_s)
        self._crew.begin(name, step.lane, run, alone=alone)
        self._breakers.started(self._place_of(job, step))
        job.running.add(step.name)
        out.append(RunStep(name, job.item_id, job.attempt, step.name, job.rejection))

    def _breakers_hold(self, job: Job, now_s: float, out: list[Instruction]) -> bool:
        """Whether an item must wait for a place that is down; an unbegun one goes back free."""
        if job.done or job.running or job.rejection is not None or not job.place:
            return False
        blocked_s = self._breakers.blocked_s(job.place, now_s)
        if not blocked_s:
            return False
        self._forget(job.item_id, now_s, out)
        parked = Failure(FailureKind.LOST, "host_down", f"{job.place} keeps failing; parked")
        out.append(Release(job.item_id, blocked_s, job.tries, parked))
        self._drained = False
        return True

    def _place_of(self, job: Job, step: Step | None) -> str:
        """Which part of the world a step leans on: the host, the store, or none."""
        if step is None or step.stores:
            return _STORE
        return job.place if step.name == self._walk[0].name else ""

    def _walk_of(self, job: Job) -> tuple[Step, ...]:
        return self._walk if job.rejection is None else (self._record,)

    def _resize(self, now_s: float, out: list[Instruction]) -> None:
        """Start workers for items that will need them; let go worn and long idle ones."""
        for pool in self._crew.pools:
            jobs = self._jobs.values()
            wanted = sum(job.needs_pool(pool, self._walk_of(job)) for job in jobs)
            for name in self._crew.spare(pool, wanted, now_s):
                self._crew.remove(name)
                out.append(StopWorker(name))
            for _ in range(self._crew.missing(pool, wanted)):
                out.append(StartWorker(pool, self._crew.start(pool, now_s)))

    def _lease_or_stop(self, now_s: float, out: list[Instruction]) -> None:
        if not self._jobs and (self._draining or (self._drained and not self._leasing)):
            self._stop(out, None)
            return
        room = self._config.items_in_flight - len(self._jobs)
        if (
            room > 0
            and not self._draining
            and not self._leasing
            and now_s >= self._poll_at_s
            and not self._breakers.blocked_s(_STORE, now_s)
            and (not self._jobs or self._has_room_for_media())
        ):
            self._leasing = True
            out.append(LeaseItems(room))

    def _has_room_for_media(self) -> bool:
        jobs = self._jobs.values()
        return (
            sum(job.media_s for job in jobs) < self._config.media_in_flight_s
            and sum(job.media_bytes for job in jobs) < self._config.bytes_in_flight
        )

    def _stop(self, out: list[Instruction], failure: Failure | None) -> None:
        self._stopped = True
        for name, _ in self._crew:
            self._crew.remove(name)
            out.append(StopWorker(name))
        out.append(Stop(failure))

    def _current(self, item_id: str, attempt: int) -> Job | None:
        job = self._jobs.get(item_id)
        return job if job is not None and job.attempt == attempt else None


def _suspects(worker: Worker) -> set[str]:
    """Whose work may have ended a worker: what computes, else what is served, else what fetches."""
    computing = {run.item_id for lane, run in worker.runs.items() if lane == "compute"}
    return computing or worker.holds or worker.items
