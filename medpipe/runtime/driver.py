"""The loop that carries: events from Ray and the queue in, the scheduler's instructions out.

Holds no state that a restart would miss: leases are in the queue, decisions in the manifests.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import ray

from medpipe.config import RuntimeConfig
from medpipe.runtime.blame import Undecided, blame
from medpipe.runtime.commits import Commits, Committing
from medpipe.runtime.flights import Flights
from medpipe.runtime.meter import pool_of
from medpipe.runtime.pools import Pools, Ref
from medpipe.runtime.tracing import NO_SPANS, Spans
from medpipe.runtime.work import VIDEO, Work
from medpipe.scheduling import (
    Commit,
    Event,
    Failure,
    FailureKind,
    Finish,
    Instruction,
    KillWorker,
    LeaseItems,
    LetGo,
    Release,
    RunStep,
    Scheduler,
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
from medpipe.secrets import mask
from medpipe.telemetry import Trip

logger = logging.getLogger(__name__)

# Unix time that cannot be set: a clock that is put back must not let rests and deadlines return.
_UNIX_ZERO_S = time.time() - time.monotonic()

_TICK_S = 0.5
_WAIT_S = 0.2
_WAIT_FOR_COMMIT_S = 0.05
_UNREACHABLE_S = 30.0

_KILLED = Failure(FailureKind.DEATH, "deadline_exceeded", "its worker was killed")


@dataclass(frozen=True, slots=True)
class _Call:
    """A call on a worker: `open`, `life`, or a step of the walk.

    Attributes:
        asked_since_s: Unix time since when the worker, unreachable, is asked whether it lives; 0
            for the call itself.
        began_s: Unix time at which it was made.
        trip: Of a step: what its span hangs under, which may be told after the item has left.
    """

    worker: str
    step: str
    item_id: str = ""
    attempt: int = 0
    asked_since_s: float = 0.0
    began_s: float = 0.0
    trip: Trip | None = None


class Driver:
    """Runs one job to its end; see `curate`.

    Args:
        config: Leases, commits.
        flights: The items in flight, over the queue.
        committer: Of the dataset.
        scheduler: Fresh.
        pools: Fresh.
        on_tick: Called about twice a second, for progress.
        spans: Where spans of steps go that no worker can tell of.
        work: How the steps of the scheduler's walk are carried out.
    """

    def __init__(
        self,
        config: RuntimeConfig,
        flights: Flights,
        committer: Committing,
        scheduler: Scheduler,
        pools: Pools,
        on_tick: Callable[["Driver"], None] | None = None,
        spans: Spans = NO_SPANS,
        work: Work = VIDEO,
    ) -> None:
        self._config = config
        self.flights = flights
        self.scheduler = scheduler
        self.failure: Failure | None = None
        self._commits = Commits(committer)
        self._pools = pools
        self._on_tick = on_tick
        self._meter = flights.meter
        self._spans = spans
        self._work = work
        self._calls: dict[Ref, _Call] = {}
        self._events: deque[Event] = deque()
        self._written: list[str] = []
        self._written_since_s = 0.0
        self._stopped = False

    def run(self) -> None:
        """Work until the queue has nothing left, a drain has ended, or the job cannot go on."""
        next_tick_s = next_beat_s = 0.0
        try:
            while not self._stopped:
                now_s = _now_s()
                if now_s >= next_beat_s:
                    self._events.extendleft(self.flights.beat())  # before what they overtake
                    next_beat_s = now_s + self._config.lease_s / 3
                if now_s >= next_tick_s:
                    self._events.append(Tick())
                    next_tick_s = now_s + _TICK_S
                    self.flights.look()
                    self._meter.workers(self._states(), now_s)
                    if self._on_tick:
                        self._on_tick(self)
                self._dispatch()
                self._commit_if_due()
                self._dispatch()
                if not self._stopped:
                    self._collect()
        finally:
            self._pools.end_all()
            self._commits.close()

    def tell(self, event: Event) -> None:
        """Add an event from outside the job, such as a change of the cluster."""
        self._events.append(event)

    @property
    def written(self) -> int:
        """Items whose rows are written and wait for their commit."""
        return len(self._written) + self._commits.size

    # Events in ------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while self._events and not self._stopped:
            for instruction in self.scheduler.handle(self._events.popleft(), _now_s()):
                self._carry_out(instruction)

    def _collect(self) -> None:
        """Turn finished calls into events; waits a little when there are none."""
        wait_s = _WAIT_FOR_COMMIT_S if self._commits.busy else _WAIT_S
        if not self._calls:
            time.sleep(wait_s)
            return
        refs = list(self._calls)
        ready, _ = ray.wait(refs, num_returns=1, timeout=wait_s, fetch_local=False)
        if ready:
            more, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
            ready = more or ready
        for ref in ready:
            call = self._calls.pop(ref)
            try:
                value = ray.get(ref)
            except Exception as error:  # noqa: BLE001 - judged by blame()
                self._failed(call, error)
            else:
                self._succeeded(call, value)

    def _succeeded(self, call: _Call, value: Any) -> None:
        if call.asked_since_s:
            lost = Failure(FailureKind.LOST, "unreachable_for_a_while", "its result was lost")
            self._note_failure(call, lost)
            self._events.append(StepFailed(call.item_id, call.attempt, call.step, lost))
        elif call.step == "open":
            self._events.append(WorkerUp(call.worker, value))
        elif call.step == "drop":
            return
        else:
            self._step_done(call, value)

    def _step_done(self, call: _Call, value: Any) -> None:
        flight = self.flights.get(call.item_id, call.attempt)
        media_s, media_bytes = None, 0
        if flight is not None:
            media_s, media_bytes = self._work.keep(flight, call.step, call.worker, value)
            if media_bytes:
                self._meter.fetched(flight.lease.item.source, media_bytes)
            known_s = flight.video.duration_s if flight.video else 0.0
            self._meter.step_ended(call.step, "done", _now_s() - call.began_s, known_s)
        done = StepDone(call.item_id, call.attempt, call.step, media_s, media_bytes)
        self._events.append(done)

    def _failed(self, call: _Call, error: BaseException) -> None:
        try:
            failure, gone = blame(error)
        except Undecided:
            self._probe(call)
            return
        if call.step == "drop":
            return  # the worker went; its scratch is swept by the next one on that machine
        if call.step == "life" and not gone and failure.kind is not FailureKind.DEATH:
            return  # cancelled with its actor; the death itself will be told
        self._note_failure(call, failure)
        if gone or call.step in ("open", "life"):
            if self._pools.actor(call.worker) is not None:
                self._meter.worker_died(call.worker, failure.code)
            self._pools.end(call.worker)
            self._events.append(WorkerDied(call.worker, failure))
        else:
            self._events.append(StepFailed(call.item_id, call.attempt, call.step, failure))

    def _note_failure(self, call: _Call, failure: Failure) -> None:
        """Count a failed step; if its worker is gone, tell its span, too."""
        if not call.item_id:
            return
        now_s = _now_s()
        self._meter.step_ended(call.step, failure.kind.value, now_s - call.began_s)
        if call.trip is not None and failure.kind in (FailureKind.DEATH, FailureKind.LOST):
            result, error = failure.kind.value, mask(f"{failure.code}: {failure.detail}")
            told = {"step": call.step, "worker": call.worker}
            told |= {"result": result, "reason": failure.code}
            self._spans.step(call.trip, call.step, call.began_s, now_s, told, error)

    def _states(self) -> Iterator[tuple[str, str]]:
        """Pool and state of every worker that was started and is not gone."""
        opening = {call.worker for call in self._calls.values() if call.step == "open"}
        busy = {call.worker for call in self._calls.values() if call.item_id}
        for worker in {call.worker for call in self._calls.values() if call.step == "life"}:
            state = "starting" if worker in opening else "busy" if worker in busy else "idle"
            yield pool_of(worker), state

    def _probe(self, call: _Call) -> None:
        """Ask an unreachable worker again; after a while it counts as lost with its node."""
        since_s = call.asked_since_s or _now_s()
        actor = self._pools.actor(call.worker)
        if actor is None:
            return
        if _now_s() - since_s > _UNREACHABLE_S:
            self._pools.end(call.worker)
            lost = Failure(FailureKind.LOST, "node_lost", f"{call.worker} was unreachable")
            self._events.append(WorkerDied(call.worker, lost))
            return
        time.sleep(0.05)
        asked: Ref = actor.ping.options(name=f"ping[{call.worker}]").remote()
        self._calls[asked] = replace(call, asked_since_s=since_s)

    # Instructions out -----------------------------------------------------------------------

    def _carry_out(self, instruction: Instruction) -> None:  # noqa: C901 - one case an order
        match instruction:
            case LeaseItems():
                self._events.extend(self.flights.lease(instruction.n))
            case StartWorker():
                opened, life = self._pools.start(instruction.pool, instruction.worker)
                self._calls[opened] = _Call(instruction.worker, "open")
                self._calls[life] = _Call(instruction.worker, "life")
            case StopWorker():
                self._forget_worker(instruction.worker)
                self._pools.stop(instruction.worker)
            case KillWorker():
                for call in list(self._calls.values()):
                    if call.worker == instruction.worker:
                        self._note_failure(call, _KILLED)
                self._forget_worker(instruction.worker)
                self._pools.end(instruction.worker)
            case LetGo():
                self._let_go(instruction)
            case RunStep():
                self._run_step(instruction)
            case Commit():
                self._written_since_s = self._written_since_s or _now_s()
                self._written.append(instruction.item_id)
            case Finish():
                self.flights.finish(instruction)
            case Release():
                self.flights.release(instruction)
            case Warn():
                logger.warning("%s", instruction.text)
            case Stop():
                self.failure = instruction.failure
                self._stopped = True

    def _forget_worker(self, worker: str) -> None:
        for ref in [r for r, call in self._calls.items() if call.worker == worker]:
            del self._calls[ref]

    def _let_go(self, order: LetGo) -> None:
        actor = self._pools.actor(order.worker)
        if actor is not None:
            dropped: Ref = actor.drop.options(name=f"drop[{order.item_id}]").remote(order.item_id)
            self._calls[dropped] = _Call(order.worker, "drop")

    def _run_step(self, run: RunStep) -> None:
        flight = self.flights[run.item_id]
        flight.attempt = run.attempt
        actor = self._pools.actor(run.worker)
        if actor is None:  # it died a moment ago; its death is already on the way
            lost = Failure(FailureKind.LOST, "worker_gone", f"{run.worker} was gone")
            self._events.append(WorkerDied(run.worker, lost))
            return
        ref = self._work.begin(run, flight, actor, self._pools.actor)
        self._calls[ref] = _Call(
            run.worker, run.step, run.item_id, run.attempt, began_s=_now_s(), trip=flight.trip
        )

    # The dataset ----------------------------------------------------------------------------

    def _commit_if_due(self) -> None:
        """Commit what was written when enough of it waits, or long enough, or all waits for it."""
        self._events.extend(self._commits.ended(self.flights.get))
        if not self._written or self._commits.busy:
            return
        due = (
            len(self._written) >= min(self._config.commit_items, self.scheduler.items_in_flight)
            or _now_s() - self._written_since_s >= self._config.commit_s
        )
        if due:
            flights = self.flights.having(self._written)
            self._written, self._written_since_s = [], 0.0
            self._commits.begin(flights)


def _now_s() -> float:
    return _UNIX_ZERO_S + time.monotonic()
