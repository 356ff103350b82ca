"""Decides what runs where: a pure state machine, `handle(event, now_s) -> [instruction]`.

State changes only inside `handle` and `drain`. Items walk the steps of the walk; each step runs on
a worker of its pool, one step a lane at a time. A step may keep its worker for later steps of the
same item (the one that holds the file). What fails is charged to whom it concerns (`policy`) and
the item goes back to the queue, to the rejects or to the dead letters; its other steps still
running are left to end and are ignored. What the store failed is tried again in place. Nothing here
reads a clock: `now_s` is Unix time, given by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from medpipe.scheduling.background import Background
from medpipe.scheduling.breaker import Breakers
from medpipe.scheduling.crew import Crew, Worker
from medpipe.scheduling.events import (
    Committed,
    Event,
    Failure,
    FailureKind,
    Instruction,
    KillWorker,
    Leased,
    LeaseItems,
    LeaseLostEvent,
    LetGo,
    QueueSeen,
    Resize,
    StartWorker,
    StepDone,
    StepFailed,
    Stop,
    StopWorker,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.fates import Fates
from medpipe.scheduling.jobs import STORE, Jobs, Step
from medpipe.scheduling.leasing import Leasing
from medpipe.scheduling.placing import Placing
from medpipe.scheduling.policy import SchedulingConfig
from medpipe.scheduling.stall import StallWatch
from medpipe.scheduling.starts import Starts

_SLOW_START = "worker_start_timed_out"


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
        self._last = {walk[-1].name, record.name}
        self._steps = {step.name: step for step in (*walk, record)}
        self._crew = Crew(config, pools)
        self._breakers = Breakers(config.breaker)
        self._background = Background()
        self._jobs = Jobs()
        self._leasing = Leasing(config, self._jobs)
        self._starts = Starts(config.retry, self._background)
        self._fates = Fates(
            config.retry,
            walk,
            record,
            self._jobs,
            self._crew,
            self._breakers,
            self._leasing,
            self._background,
        )
        self._placing = Placing(config, self._jobs, self._crew, self._breakers, self._fates)
        self._stall = StallWatch(config.stall_s, self._crew, self._jobs, self._breakers)
        self._one_first = False
        self._stopped = False

    @property
    def items_in_flight(self) -> int:
        """Items leased and not yet at an end."""
        return len(self._jobs)

    @property
    def waiting_for(self) -> str:
        """One line for people: what the job waits for right now."""
        return self._stall.waiting_for

    def drain(self) -> None:
        """Take no new items; `Stop` follows when those in flight have ended."""
        self._leasing.drain()

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """Take one event and say what to do.

        What an event costs does not depend on the number of items and workers, but for those
        that it lets begin or end.

        Args:
            event: What happened.
            now_s: Unix time at which it was seen.
        """
        if self._stopped:
            return []
        out: list[Instruction] = []
        self._background.passes(now_s, self._crew.up)
        if not isinstance(event, Tick | QueueSeen | Resize):
            self._stall.moved(now_s)
        self._take(event, now_s, out)
        if not self._stopped:
            self._placing.place(now_s, out)
            self._resize(now_s, out)
            if not isinstance(event, Leased):  # more of the same answer may follow
                self._lease_or_stop(now_s, out)
        return out

    def _take(  # noqa: C901 - one case an event
        self, event: Event, now_s: float, out: list[Instruction]
    ) -> None:
        match event:
            case Leased():
                self._fates.admit(event, now_s, out)
            case QueueSeen():
                self._leasing.got_none(event, now_s)
            case LeaseLostEvent():
                self._fates.forget(event.item_id, now_s, out)
                self._leasing.more_may_come()
            case WorkerUp():
                worker = self._crew.came_up(event.worker, event.node, now_s)
                if worker is not None:
                    self._starts.went_well(worker.pool)
            case WorkerDied():
                self._worker_died(event, now_s, out)
            case StepDone():
                self._step_done(event, now_s, out)
            case StepFailed():
                self._step_failed(event, now_s, out)
            case Committed():
                self._fates.committed(event.item_id, now_s, out)
            case Resize():
                self._one_first = event.one_first
                for pool, limit in event.pools.items():
                    self._crew.resize(pool, limit)
            case Tick():
                self._overdue(now_s, out)
                if warning := self._stall.warning(now_s):
                    out.append(warning)

    # Items ----------------------------------------------------------------------------------

    def _step_done(self, event: StepDone, now_s: float, out: list[Instruction]) -> None:
        job, step = self._fates.current(event.item_id, event.attempt), self._steps[event.step]
        holds = job is not None and bool(step.holds_until)
        worker = self._left((event.item_id, event.attempt, event.step), now_s, holds=holds)
        if job is None:
            if worker is not None and step.holds_until:
                out.append(LetGo(worker.name, event.item_id))
            return
        self._jobs.step_done(job, event.step, last=event.step in self._last)
        if event.media_s is not None:
            self._jobs.measured(job, event.media_s, event.media_bytes)
        self._fates.went_well(job.leans_on(step), now_s)
        if holds and worker is not None:
            job.held[step.name] = worker.name
        for held in [n for n in job.held if job.done.issuperset(self._steps[n].holds_until)]:
            self._fates.let_go(job, held, now_s, out)

    def _step_failed(self, event: StepFailed, now_s: float, out: list[Instruction]) -> None:
        self._left((event.item_id, event.attempt, event.step), now_s, failed=event.failure.kind)
        job = self._fates.current(event.item_id, event.attempt)
        if job is None:
            return
        failure = replace(event.failure, step=event.step)
        if failure.unexplained:  # its worker lives: the one that holds its file died
            for name in sorted(set(job.held.values())):
                out.append(KillWorker(name))
                self._worker_gone(name, failure, {event.item_id}, now_s, out)
            if self._fates.current(event.item_id, event.attempt) is None:
                return
        place = job.leans_on(self._steps.get(event.step))
        if failure.kind is not FailureKind.TRANSIENT:
            self._breakers.gave_up(place)
            self._fates.fail(job, failure, now_s, out)
            return
        self._breakers.failed(place, now_s)
        if place == STORE and self._fates.waits_in_place(job, event.step, now_s):
            return
        self._fates.fail(job, failure, now_s, out)
        self._fates.park(place, now_s, out)

    def _left(
        self,
        run: tuple[str, int, str],
        now_s: float,
        *,
        failed: FailureKind | None = None,
        holds: bool = False,
    ) -> Worker | None:
        """A step left its worker, who may go on with what it holds."""
        worker = self._crew.end(run, now_s, failed=failed, holds=holds)
        if worker is not None:
            for item_id in worker.holds:
                self._jobs.touch(item_id)
            job = self._fates.current(run[0], run[1])
            if job is not None and job.item_id not in worker.items:
                job.leaves(worker.name, now_s)
        return worker

    # Workers --------------------------------------------------------------------------------

    def _worker_died(self, event: WorkerDied, now_s: float, out: list[Instruction]) -> None:
        worker = self._crew.get(event.worker)
        if worker is not None:
            self._worker_gone(event.worker, event.failure, worker.suspects, now_s, out)

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
            self._start_failed(worker, failure, now_s, out)
        elif failure.unexplained:
            self._background.died(now_s, culprits)
        for item_id in sorted(worker.items):
            job = self._jobs.get(item_id)
            if job is None or not (worker.has(item_id, job.attempt) or name in job.held.values()):
                continue  # an earlier attempt
            job.held = {k: v for k, v in job.held.items() if v != name}
            at = failure.step or worker.pool
            step = next((r.step for r in worker.runs.values() if r.item_id == item_id), at)
            theirs = replace(failure, step=step)
            if item_id not in culprits and failure.kind is not FailureKind.LOST:
                theirs = replace(theirs, kind=FailureKind.BYSTANDER)
            self._fates.fail(job, theirs, now_s, out)

    def _start_failed(
        self, worker: Worker, failure: Failure, now_s: float, out: list[Instruction]
    ) -> None:
        if failure.kind is FailureKind.LOST or failure.code == _SLOW_START:
            return  # a node went, or the cluster has no room yet
        others = self._crew.starting(worker.pool)
        hopeless = self._starts.failed(worker, failure, now_s, others)
        if hopeless or failure.code == "config_error":
            self._stop(out, failure)

    def _overdue(self, now_s: float, out: list[Instruction]) -> None:
        """Kill workers that are past their deadline, at work or while starting."""
        for name, late in self._crew.overdue(now_s):
            if late:
                failure = self._steps[late[0].step].overdue()
            else:
                failure = Failure(FailureKind.DEATH, _SLOW_START, f"{name} did not start")
            out.append(KillWorker(name))
            items = {run.item_id for run in late}
            hosts = {job.place for item_id in items if (job := self._jobs.get(item_id))}
            for host in sorted(hosts) if failure.kind is FailureKind.TRANSIENT else ():
                self._breakers.failed(host, now_s)
            self._worker_gone(name, failure, items, now_s, out)
            if self._stopped:
                return
            for host in sorted(hosts):
                self._fates.park(host, now_s, out)

    # Decisions ------------------------------------------------------------------------------

    def _resize(self, now_s: float, out: list[Instruction]) -> None:
        """Start workers for items that will need them; let go worn, long idle and surplus ones."""
        missing, wants = {}, {pool: self._jobs.wanted(pool) for pool in self._crew.pools}
        one_first = self._one_first and any(
            wanted and not self._crew.has_up(pool) for pool, wanted in wants.items()
        )
        for pool, wanted in wants.items():
            most = 1 if one_first else wanted if self._one_first else None
            for name in self._crew.surplus(pool, most):
                self._crew.remove(name)
                out.append(KillWorker(name))
            for name in self._crew.spare(pool, wanted, now_s):
                self._crew.remove(name)
                out.append(StopWorker(name))
            missing[pool] = self._crew.missing(pool, min(1, wanted) if one_first else wanted)
        while missing := {pool: n for pool, n in missing.items() if n > 0}:
            for pool in missing:  # in turn, so that none takes all the room
                out.append(StartWorker(pool, self._crew.start(pool, now_s)))
                missing[pool] -= 1

    def _lease_or_stop(self, now_s: float, out: list[Instruction]) -> None:
        if self._leasing.over:
            self._stop(out, None)
            return
        n = self._leasing.ask(now_s, self._breakers.blocked_s(STORE, now_s))
        if n:
            out.append(LeaseItems(n))

    def _stop(self, out: list[Instruction], failure: Failure | None) -> None:
        self._stopped = True
        for name, worker in self._crew:
            self._crew.remove(name)
            out.append(StopWorker(name) if worker.up else KillWorker(name))
        out.append(Stop(failure))
