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
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.jobs import STORE, Job, Jobs, Step
from medpipe.scheduling.leasing import Leasing
from medpipe.scheduling.lines import Turn
from medpipe.scheduling.policy import (
    SchedulingConfig,
    charge,
    delay_s,
    in_place_s,
    is_suspect,
    step_limit_s,
    verdict,
)
from medpipe.scheduling.stall import StallWatch

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
        self._config = config
        self._walk = tuple(walk)
        self._record = record
        self._steps = {step.name: step for step in (*walk, record)}
        self._crew = Crew(config, pools)
        self._breakers = Breakers(config.breaker)
        self._jobs = Jobs()
        self._leasing = Leasing(config, self._jobs)
        self._failed_starts = dict.fromkeys(pools, 0)
        self._attempts, self._stopped = 0, False
        self._stall = StallWatch(config.stall_s, self._crew, self._jobs, self._breakers)

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
        if not isinstance(event, Tick | QueueSeen):
            self._stall.moved(now_s)
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
                self._leasing.got_none(event, now_s)
            case LeaseLostEvent():
                self._forget(event.item_id, now_s, out)
                self._leasing.more_may_come()
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
                if warning := self._stall.warning(now_s):
                    out.append(warning)

    # Items ----------------------------------------------------------------------------------

    def _leased(self, event: Leased, now_s: float, out: list[Instruction]) -> None:
        self._leasing.got()
        self._forget(event.item_id, now_s, out)  # our own lease had run out and came back to us
        self._attempts += 1
        alone = is_suspect(event.tries, self._config.retry)
        self._jobs.add(
            Job(event.item_id, self._attempts, event.tries, self._walk, alone, event.place)
        )

    def _step_done(self, event: StepDone, now_s: float, out: list[Instruction]) -> None:
        job, step = self._current(event.item_id, event.attempt), self._steps[event.step]
        holds = job is not None and bool(step.holds_until)
        worker = self._left((event.item_id, event.attempt, event.step), now_s, holds=holds)
        if job is None:
            if worker is not None and step.holds_until:
                out.append(LetGo(worker.name, event.item_id))
            return
        last = event.step in (self._record.name, self._walk[-1].name)
        self._jobs.step_done(job, event.step, last=last)
        if event.media_s is not None:
            self._jobs.measured(job, event.media_s, event.media_bytes)
        self._breakers.succeeded(job.leans_on(step))
        if holds and worker is not None:
            job.held[step.name] = worker.name
        for held in [n for n in job.held if job.done.issuperset(self._steps[n].holds_until)]:
            self._let_go(job, held, now_s, out)

    def _step_failed(self, event: StepFailed, now_s: float, out: list[Instruction]) -> None:
        self._left((event.item_id, event.attempt, event.step), now_s, failed=event.failure.kind)
        job = self._current(event.item_id, event.attempt)
        if job is None:
            return
        failure = replace(event.failure, step=event.step)
        place = job.leans_on(self._steps.get(event.step))
        if failure.kind is not FailureKind.TRANSIENT:
            self._breakers.gave_up(place)
            self._fail(job, failure, now_s, out)
            return
        self._breakers.failed(place, now_s)
        if place == STORE and self._waits_in_place(job, event.step, now_s):
            return
        self._fail(job, failure, now_s, out)
        self._park(place, now_s, out)

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
        return worker

    def _waits_in_place(self, job: Job, step: str, now_s: float) -> bool:
        """Keep an item's results and try its step again later, unless its budget is spent."""
        job.store_failed_at_s = job.store_failed_at_s or now_s
        if now_s - job.store_failed_at_s > self._config.retry.transient_budget_s:
            return False
        job.store_failures += 1
        job.running.discard(step)
        job.committing = False
        rest_s = self._breakers.blocked_s(STORE, now_s)
        wait_s = max(rest_s, in_place_s(job.store_failures, self._config.retry))
        self._jobs.rest(job, now_s + wait_s)
        return True

    def _fail(self, job: Job, failure: Failure, now_s: float, out: list[Instruction]) -> None:
        """End an attempt and decide what becomes of its item."""
        tries = charge(job.tries, failure, now_s)
        end = verdict(tries, failure, now_s, self._config.retry)
        self._forget(job.item_id, now_s, out)
        if end == "retry":
            wait_s = delay_s(job.item_id, tries, failure, self._config.retry)
            out.append(Release(job.item_id, wait_s, tries, failure))
            self._leasing.more_may_come()
        elif end == "rejected" and job.rejection is None:
            self._attempts += 1
            recording = Job(job.item_id, self._attempts, tries, (self._record,), job.alone)
            recording.media_s, recording.rejection = job.media_s, failure
            self._jobs.add(recording)
        else:
            out.append(Finish(job.item_id, "dead", tries, failure))

    def _committed(self, item_id: str, out: list[Instruction]) -> None:
        job = self._jobs.get(item_id)
        if job is not None and job.committing:
            self._jobs.pop(item_id)
            self._breakers.succeeded(STORE)
            state = "done" if job.rejection is None else "rejected"
            out.append(Finish(item_id, state, job.tries, job.rejection))

    def _forget(self, item_id: str, now_s: float, out: list[Instruction]) -> None:
        """Drop an item; its steps at work end on their own and are ignored."""
        job = self._jobs.pop(item_id)
        if job is not None:
            for held in list(job.held):
                self._let_go(job, held, now_s, out)
            for name in job.running:
                self._breakers.gave_up(job.leans_on(self._steps[name]))
            if job.committing:
                self._breakers.gave_up(STORE)

    def _let_go(self, job: Job, held: str, now_s: float, out: list[Instruction]) -> None:
        worker = job.held.pop(held)
        if self._crew.let_go(worker, job.item_id, now_s):
            out.append(LetGo(worker, job.item_id))

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
            self._start_failed(worker.pool, failure, out)
        for item_id in sorted(worker.items):
            job = self._jobs.get(item_id)
            if job is None or not (worker.has(item_id, job.attempt) or name in job.held.values()):
                continue  # an earlier attempt
            job.held = {k: v for k, v in job.held.items() if v != name}
            step = next((r.step for r in worker.runs.values() if r.item_id == item_id), worker.pool)
            theirs = replace(failure, step=step)
            if item_id not in culprits and failure.kind is not FailureKind.LOST:
                theirs = replace(theirs, kind=FailureKind.BYSTANDER)
            self._fail(job, theirs, now_s, out)

    def _start_failed(self, pool: str, failure: Failure, out: list[Instruction]) -> None:
        if failure.kind is FailureKind.LOST or failure.code == _SLOW_START:
            return  # a node went, or the cluster has no room yet
        self._failed_starts[pool] += 1
        hopeless = self._failed_starts[pool] >= self._config.retry.worker_start_failures
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
                self._park(host, now_s, out)

    # Decisions ------------------------------------------------------------------------------

    def _place(self, now_s: float, out: list[Instruction]) -> None:
        """Give runnable steps to free workers, oldest item first."""
        for job in self._jobs.to_look_at(now_s):
            self._park(job.place, now_s, out)
            if now_s < job.not_before_s or self._current(job.item_id, job.attempt) is None:
                continue
            if job.written and not job.committing:
                job.committing = True
                self._breakers.started(STORE)
                out.append(Commit(job.item_id))
            for index, step in job.runnable():
                if step.on is None:
                    self._jobs.line_up(job, index)
                else:
                    self._go_on(job, step, now_s, out)
        for pool in self._crew.pools:
            self._fill(pool, now_s, out)

    def _fill(self, pool: str, now_s: float, out: list[Instruction]) -> None:
        """Give the steps that wait for a pool its free workers; make room for suspects.

        While a suspect waits, nobody younger is fetched ahead: else its pool would never rest.
        """
        waits = False
        for turn in self._jobs.lines.suspects(pool):
            self._serve(pool, now_s, out, before=turn, ahead=not waits)
            if not self._jobs.waits(turn):
                continue  # its host went down under one of those
            name = self._crew.fresh(pool)
            if name is not None:
                self._begin(turn, name, now_s, out)
                continue
            waits = True
            retired = self._crew.retirable(pool)
            if retired is None:
                break
            self._crew.remove(retired)
            out.append(StopWorker(retired))
        self._serve(pool, now_s, out, before=None, ahead=not waits)

    def _serve(
        self,
        pool: str,
        now_s: float,
        out: list[Instruction],
        *,
        before: Turn | None,
        ahead: bool,
    ) -> None:
        """Begin what waits for a pool and is no suspect, oldest first, as far as workers go."""
        while True:
            free = self._crew.free(pool)
            able = [
                (turn, name)
                for lane, turn in self._jobs.lines.heads(pool)
                if (before is None or turn < before)
                and (name := free or (self._crew.ahead(pool, lane) if ahead else None))
            ]
            if not able:
                return
            self._begin(*min(able), now_s, out)

    def _begin(self, turn: Turn, name: str, now_s: float, out: list[Instruction]) -> None:
        """Start a step that waited in line."""
        job, step = self._jobs.take(turn)
        self._run(job, step, name, now_s, out)
        self._park(job.leans_on(step), now_s, out)

    def _go_on(self, job: Job, step: Step, now_s: float, out: list[Instruction]) -> None:
        """Start a step on the worker that holds the file, if its lane is free."""
        name = job.held.get(step.on) if step.on else None
        worker = self._crew.get(name) if name else None
        if worker is not None and step.lane not in worker.runs:
            self._run(job, step, worker.name, now_s, out)

    def _run(self, job: Job, step: Step, name: str, now_s: float, out: list[Instruction]) -> None:
        limit_s = step_limit_s(step.lane, job.media_s, self._config)
        run = Run(job.item_id, job.attempt, step.name, now_s + limit_s)
        self._crew.begin(name, step.lane, run, alone=job.alone)
        self._breakers.started(job.leans_on(step))
        self._jobs.begun(job)
        job.running.add(step.name)
        out.append(RunStep(name, job.item_id, job.attempt, step.name, job.rejection))

    def _park(self, place: str, now_s: float, out: list[Instruction]) -> None:
        """Give unbegun items of a place that is down back to the queue; it costs them nothing."""
        unbegun = self._jobs.unbegun(place)
        blocked_s = self._breakers.blocked_s(place, now_s) if unbegun else 0.0
        if not blocked_s:
            return
        parked = Failure(FailureKind.LOST, "host_down", f"{place} keeps failing; parked")
        for job in unbegun:
            self._forget(job.item_id, now_s, out)
            out.append(Release(job.item_id, blocked_s, job.tries, parked))
        self._leasing.more_may_come()

    def _resize(self, now_s: float, out: list[Instruction]) -> None:
        """Start workers for items that will need them; let go worn and long idle ones."""
        for pool in self._crew.pools:
            wanted = self._jobs.wanted(pool)
            for name in self._crew.spare(pool, wanted, now_s):
                self._crew.remove(name)
                out.append(StopWorker(name))
            for _ in range(self._crew.missing(pool, wanted)):
                out.append(StartWorker(pool, self._crew.start(pool, now_s)))

    def _lease_or_stop(self, now_s: float, out: list[Instruction]) -> None:
        if self._leasing.over:
            self._stop(out, None)
            return
        n = self._leasing.ask(now_s, self._breakers.blocked_s(STORE, now_s))
        if n:
            out.append(LeaseItems(n))

    def _stop(self, out: list[Instruction], failure: Failure | None) -> None:
        self._stopped = True
        for name, _ in self._crew:
            self._crew.remove(name)
            out.append(StopWorker(name))
        out.append(Stop(failure))

    def _current(self, item_id: str, attempt: int) -> Job | None:
        job = self._jobs.get(item_id)
        return job if job is not None and job.attempt == attempt else None
