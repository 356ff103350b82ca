"""Decides what runs where: a pure state machine, `handle(event, now_s) -> [instruction]`.

State changes only inside `handle`. Items walk the steps of the walk; each step runs on a worker of
its pool, one step a worker at a time. A step may keep its worker for later steps of the same item
(the one that holds the file). What fails is charged to whom it concerns (`policy`) and the item
goes back to the queue, to the rejects or to the dead letters; its other steps still running are
left to end and are ignored. Nothing here reads a clock: `now_s` is Unix time, given by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from medpipe.scheduling.events import (
    Commit,
    Committed,
    Event,
    Failure,
    FailureKind,
    Finish,
    Instruction,
    ItemTries,
    KillWorker,
    Leased,
    LeaseItems,
    LeaseLostEvent,
    QueueSeen,
    Release,
    RunStep,
    StartWorker,
    StepDone,
    StepFailed,
    Stop,
    StopWorker,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.policy import SchedulingConfig, charge, delay_s, verdict

_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk.

    Attributes:
        name: Unique in the walk.
        pool: Whose workers run it.
        needs: Steps that must be done before.
        on: Step whose worker must run this one too, or None for any worker of the pool.
        holds_until: Steps for which the worker stays with the item after this step.
    """

    name: str
    pool: str
    needs: tuple[str, ...] = ()
    on: str | None = None
    holds_until: tuple[str, ...] = ()


@dataclass(slots=True)
class _Job:
    """An item in flight."""

    item_id: str
    attempt: int
    tries: ItemTries
    done: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    media_s: float = 0.0
    rejection: Failure | None = None
    committing: bool = False


@dataclass(slots=True)
class _Worker:
    """A worker and what it does; idle when up, not at work and held by nobody."""

    pool: str
    since_s: float
    up: bool = False
    run: tuple[str, int, str] | None = None
    deadline_s: float = 0.0
    held_by: str | None = None

    @property
    def idle(self) -> bool:
        return self.up and self.run is None and self.held_by is None


class Scheduler:
    """See the module's docstring.

    Args:
        config: Bounds and budgets.
        walk: The steps of an item, in order.
        record: The step that records a rejection.
        pools: Most workers by pool; none is started before it is needed.
    """

    def __init__(
        self,
        config: SchedulingConfig,
        walk: Sequence[Step],
        record: Step,
        pools: Mapping[str, int],
    ) -> None:
        self._config = config
        self._walk = tuple(walk)
        self._record = record
        self._pools = dict(pools)
        self._jobs: dict[str, _Job] = {}
        self._workers: dict[str, _Worker] = {}
        self._started = dict.fromkeys(pools, 0)
        self._failed_starts = dict.fromkeys(pools, 0)
        self._attempts = 0
        self._leasing = False
        self._poll_at_s = 0.0
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
        busy = [w for w in self._workers.values() if w.run is not None]
        starting = sum(not w.up for w in self._workers.values())
        if busy:
            return f"{len(busy)} steps at work, {starting} workers starting"
        if starting:
            return f"{starting} workers to start"
        if any(job.committing for job in self._jobs.values()):
            return "a commit"
        return "items that wait for their next try" if not self._jobs else "workers"

    def drain(self) -> None:
        """Take no new items; `Stop` follows when those in flight have ended."""
        self._draining = True

    def handle(  # noqa: C901 - one case an event
        self, event: Event, now_s: float
    ) -> list[Instruction]:
        """Take one event and say what to do.

        Args:
            event: What happened.
            now_s: Unix time at which it was seen.
        """
        if self._stopped:
            return []
        out: list[Instruction] = []
        match event:
            case Leased():
                self._leased(event)
            case QueueSeen():
                self._leasing = False
                self._poll_at_s = now_s + _POLL_S
                self._drained = event.ready == 0 and event.open_elsewhere == 0
            case LeaseLostEvent():
                self._forget(event.item_id)
                self._drained = False  # it may come back
            case WorkerUp():
                self._worker_up(event.worker, now_s)
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
        if not self._stopped:
            self._place(now_s, out)
            self._resize(now_s, out)
            if not isinstance(event, Leased):  # more of the same answer may follow
                self._lease_or_stop(now_s, out)
        return out

    # Items ----------------------------------------------------------------------------------

    def _leased(self, event: Leased) -> None:
        self._leasing = False
        self._drained = False
        self._forget(event.item_id)  # our own lease had run out and came back to us
        self._attempts += 1
        self._jobs[event.item_id] = _Job(event.item_id, self._attempts, event.tries)

    def _step_done(self, event: StepDone, now_s: float, out: list[Instruction]) -> None:
        worker = self._free_run(event.item_id, event.attempt, event.step, now_s)
        job = self._current(event.item_id, event.attempt)
        if job is None:
            return
        job.running.discard(event.step)
        job.done.add(event.step)
        if event.media_s is not None:
            job.media_s = event.media_s
        step = self._step(event.step)
        if step.holds_until and worker is not None:
            job.held[step.name] = worker
            self._workers[worker].held_by = job.item_id
        for name in [n for n in job.held if job.done.issuperset(self._step(n).holds_until)]:
            self._let_go(job.held.pop(name), now_s)
        if event.step == self._record.name or event.step == self._walk[-1].name:
            job.committing = True
            out.append(Commit(job.item_id))

    def _step_failed(self, event: StepFailed, now_s: float, out: list[Instruction]) -> None:
        self._free_run(event.item_id, event.attempt, event.step, now_s)
        job = self._current(event.item_id, event.attempt)
        if job is not None:
            self._fail(job, replace(event.failure, step=event.step), now_s, out)

    def _fail(self, job: _Job, failure: Failure, now_s: float, out: list[Instruction]) -> None:
        """End an attempt and decide what becomes of its item."""
        tries = charge(job.tries, failure, now_s)
        end = verdict(tries, failure, now_s, self._config.retry)
        self._forget(job.item_id, now_s)
        if end == "retry":
            wait_s = delay_s(job.item_id, tries, failure, self._config.retry)
            out.append(Release(job.item_id, wait_s, tries, failure))
            self._drained = False
        elif end == "rejected" and job.rejection is None:
            self._attempts += 1
            self._jobs[job.item_id] = _Job(
                job.item_id, self._attempts, tries, media_s=job.media_s, rejection=failure
            )
        else:
            out.append(Finish(job.item_id, "dead", tries, failure))

    def _committed(self, item_id: str, out: list[Instruction]) -> None:
        job = self._jobs.get(item_id)
        if job is not None and job.committing:
            del self._jobs[item_id]
            state = "done" if job.rejection is None else "rejected"
            out.append(Finish(item_id, state, job.tries, job.rejection))

    def _forget(self, item_id: str, now_s: float = 0.0) -> None:
        """Drop an item; its steps at work end on their own and are ignored."""
        job = self._jobs.pop(item_id, None)
        if job is not None:
            for worker in job.held.values():
                self._let_go(worker, now_s)

    # Workers --------------------------------------------------------------------------------

    def _worker_up(self, name: str, now_s: float) -> None:
        worker = self._workers.get(name)
        if worker is not None:
            worker.up, worker.since_s = True, now_s
            self._failed_starts[worker.pool] = 0

    def _worker_died(self, event: WorkerDied, now_s: float, out: list[Instruction]) -> None:
        worker = self._workers.pop(event.worker, None)
        if worker is None:
            return
        if not worker.up:
            self._start_failed(worker.pool, event.failure, out)
        victims = {worker.held_by} | ({worker.run[0]} if worker.run else set())
        for item_id in victims - {None}:
            job = self._jobs.get(str(item_id))
            mine = worker.held_by == item_id or (
                job is not None and worker.run is not None and job.attempt == worker.run[1]
            )
            if job is not None and mine:
                job.held = {k: v for k, v in job.held.items() if v != event.worker}
                step = worker.run[2] if worker.run else worker.pool
                self._fail(job, replace(event.failure, step=step), now_s, out)

    def _start_failed(self, pool: str, failure: Failure, out: list[Instruction]) -> None:
        if failure.kind is FailureKind.LOST:
            return
        self._failed_starts[pool] += 1
        hopeless = self._failed_starts[pool] >= self._config.retry.worker_start_failures
        if hopeless or failure.code == "config_error":
            self._stop(out, failure)

    def _overdue(self, now_s: float, out: list[Instruction]) -> None:
        """Kill workers that are past their deadline, at work or while starting."""
        for name, worker in list(self._workers.items()):
            if not worker.up and now_s - worker.since_s > self._config.worker_start_s:
                late = Failure(FailureKind.DEATH, "worker_start_timed_out", f"{name} did not start")
            elif worker.run is not None and now_s > worker.deadline_s:
                late = self._deadline_failure(worker.run[2])
            else:
                continue
            out.append(KillWorker(name))
            self._worker_died(WorkerDied(name, late), now_s, out)
            if self._stopped:
                return

    def _deadline_failure(self, step: str) -> Failure:
        detail = f"{step} ran past its deadline and was killed"
        if step == self._walk[0].name:
            return Failure(FailureKind.TRANSIENT, "timed_out", detail)
        return Failure(FailureKind.DEATH, "deadline_exceeded", detail)

    def _free_run(self, item_id: str, attempt: int, step: str, now_s: float) -> str | None:
        """Note that a step left its worker; returns the worker, or None if it is gone."""
        for name, worker in self._workers.items():
            if worker.run == (item_id, attempt, step):
                worker.run, worker.since_s = None, now_s
                return name
        return None

    def _let_go(self, name: str, now_s: float) -> None:
        worker = self._workers.get(name)
        if worker is not None:
            worker.held_by = None
            worker.since_s = max(worker.since_s, now_s)

    # Decisions ------------------------------------------------------------------------------

    def _place(self, now_s: float, out: list[Instruction]) -> None:
        """Give runnable steps to free workers, oldest item first."""
        for job in list(self._jobs.values()):
            for step in self._runnable(job):
                name = job.held.get(step.on) if step.on else self._idle(step.pool)
                worker = self._workers.get(name) if name else None
                if name is None or worker is None or worker.run is not None:
                    continue
                worker.run = (job.item_id, job.attempt, step.name)
                worker.deadline_s = now_s + (
                    self._config.deadline_base_s + self._config.deadline_per_media_s * job.media_s
                )
                job.running.add(step.name)
                out.append(RunStep(name, job.item_id, job.attempt, step.name, job.rejection))

    def _runnable(self, job: _Job) -> list[Step]:
        if job.committing:
            return []
        walk = self._walk if job.rejection is None else (self._record,)
        return [
            step
            for step in walk
            if step.name not in job.done
            and step.name not in job.running
            and job.done.issuperset(step.needs)
        ]

    def _idle(self, pool: str) -> str | None:
        for name, worker in self._workers.items():
            if worker.pool == pool and worker.idle:
                return name
        return None

    def _resize(self, now_s: float, out: list[Instruction]) -> None:
        """Start workers for items that will need them; let go those idle for long."""
        for pool, most in self._pools.items():
            mine = {n: w for n, w in self._workers.items() if w.pool == pool}
            wanted = min(most, sum(self._needs_pool(job, pool) for job in self._jobs.values()))
            for _ in range(wanted - len(mine)):
                name = f"{pool}-{self._started[pool]}"
                self._started[pool] += 1
                self._workers[name] = _Worker(pool, now_s)
                out.append(StartWorker(pool, name))
            late_s = now_s - self._config.idle_worker_s
            idle = [name for name, w in mine.items() if w.idle and w.since_s < late_s]
            for name in idle[: max(0, len(mine) - wanted)]:
                del self._workers[name]
                out.append(StopWorker(name))

    def _needs_pool(self, job: _Job, pool: str) -> bool:
        if job.committing:
            return False
        walk = self._walk if job.rejection is None else (self._record,)
        return any(step.pool == pool and step.name not in job.done for step in walk)

    def _lease_or_stop(self, now_s: float, out: list[Instruction]) -> None:
        if not self._jobs and (self._draining or (self._drained and not self._leasing)):
            self._stop(out, None)
            return
        room = self._config.items_in_flight - len(self._jobs)
        media_s = sum(job.media_s for job in self._jobs.values())
        if (
            room > 0
            and not self._draining
            and not self._leasing
            and now_s >= self._poll_at_s
            and (media_s < self._config.media_in_flight_s or not self._jobs)
        ):
            self._leasing = True
            out.append(LeaseItems(room))

    def _stop(self, out: list[Instruction], failure: Failure | None) -> None:
        self._stopped = True
        out.extend(StopWorker(name) for name in self._workers)
        self._workers.clear()
        out.append(Stop(failure))

    def _current(self, item_id: str, attempt: int) -> _Job | None:
        job = self._jobs.get(item_id)
        return job if job is not None and job.attempt == attempt else None

    def _step(self, name: str) -> Step:
        return next(s for s in (*self._walk, self._record) if s.name == name)
