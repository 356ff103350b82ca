"""The loop that carries: events from Ray and the queue in, the scheduler's instructions out.

Holds no state that a restart would miss: leases are in the queue, decisions in the manifests.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from medpipe.config import MedpipeConfig
from medpipe.dataset import Committer, Manifest
from medpipe.dataset.reader import KnownItem
from medpipe.errors import Transient
from medpipe.pipeline import Ticket
from medpipe.queues import Lease, LeaseLost, Tries, WorkQueue
from medpipe.records import Drop, Transcript, Video
from medpipe.runtime.blame import Undecided, blame
from medpipe.runtime.pools import Pools, Ref
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
    RunStep,
    Scheduler,
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
from medpipe.telemetry import SILENT, Sink, Timings

logger = logging.getLogger(__name__)

_TICK_S = 0.5
_WAIT_S = 0.2
_UNREACHABLE_S = 30.0


@dataclass(slots=True)
class _Flight:
    """What the driver knows of an item in flight."""

    lease: Lease
    ticket: Ticket
    attempt: int = 0
    timings: Timings = field(default_factory=Timings)
    video: Video | None = None
    extractor: str = ""
    watched: Ref | None = None
    transcript: Transcript | None = None
    manifest: Manifest | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """A call on a worker: `open`, `life`, or a step of the walk.

    Attributes:
        asked_since_s: Unix time since when the worker, unreachable, is asked whether it lives; 0
            for the call itself.
    """

    worker: str
    step: str
    item_id: str = ""
    attempt: int = 0
    asked_since_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What a run has done so far."""

    done: int = 0
    rejected: int = 0
    dead: int = 0
    retried: int = 0
    already_in: int = 0
    media_s: float = 0.0


class Driver:
    """Runs one job to its end; see `curate`.

    Args:
        config: All settings.
        queue: Where items are leased.
        committer: Of the dataset.
        known: Items that are in the dataset.
        scheduler: Fresh.
        pools: Fresh.
        on_tick: Called about twice a second, for progress.
        sink: Where figures go.
    """

    def __init__(
        self,
        config: MedpipeConfig,
        queue: WorkQueue,
        committer: Committer,
        known: dict[str, KnownItem],
        scheduler: Scheduler,
        pools: Pools,
        on_tick: Callable[["Driver"], None] | None = None,
        sink: Sink = SILENT,
    ) -> None:
        self._config = config
        self._hash = config.rows_hash()
        self._queue = queue
        self._committer = committer
        self._known = known
        self._pools = pools
        self._on_tick = on_tick
        self._sink = sink
        self.scheduler = scheduler
        self.tally = Tally()
        self.failure: Failure | None = None
        self._flights: dict[str, _Flight] = {}
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
                now_s = time.time()
                if now_s >= next_beat_s:
                    self._beat()
                    next_beat_s = now_s + self._config.runtime.lease_s / 3
                if now_s >= next_tick_s:
                    self._events.append(Tick())
                    next_tick_s = now_s + _TICK_S
                    if self._on_tick:
                        self._on_tick(self)
                self._dispatch()
                self._commit_if_due()
                self._dispatch()
                if not self._stopped:
                    self._collect()
        finally:
            self._pools.end_all()

    def progress(self) -> tuple[int, int]:
        """Items at an end in this run, and all that the run knows of."""
        tally = self.tally
        ended = tally.done + tally.rejected + tally.dead + tally.already_in
        return ended, ended + self._queue.counts().open

    # Events in ------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while self._events and not self._stopped:
            for instruction in self.scheduler.handle(self._events.popleft(), time.time()):
                self._carry_out(instruction)

    def _collect(self) -> None:
        """Turn finished calls into events; waits a little when there are none."""
        if not self._calls:
            time.sleep(_WAIT_S)
            return
        refs = list(self._calls)
        ready, _ = ray.wait(refs, num_returns=1, timeout=_WAIT_S, fetch_local=False)
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
            self._events.append(StepFailed(call.item_id, call.attempt, call.step, lost))
        elif call.step == "open":
            self._events.append(WorkerUp(call.worker))
        else:
            self._step_done(call, value)

    def _step_done(self, call: _Call, value: Any) -> None:
        flight = self._flights.get(call.item_id)
        media_s = None
        if flight is not None and flight.attempt == call.attempt:
            match call.step:
                case "acquire":
                    flight.video, timings = value
                    flight.timings.add(timings)
                    flight.ticket = Ticket(flight.video.item, flight.ticket.generation)
                    flight.extractor = call.worker
                    media_s = flight.video.duration_s
                case "extract":
                    flight.timings.add(value)
                case "transcribe":
                    flight.transcript, timings = value
                    flight.timings.add(timings)
                case "write" | "record":
                    flight.manifest = value
        self._sink.count("medpipe_steps_total", 1, {"step": call.step, "result": "done"})
        self._events.append(StepDone(call.item_id, call.attempt, call.step, media_s))

    def _failed(self, call: _Call, error: BaseException) -> None:
        try:
            failure, gone = blame(error)
        except Undecided:
            self._probe(call)
            return
        if call.step == "life" and not gone:
            return  # the group was cancelled with its actor; the death itself will be told
        if gone or call.step == "open":
            self._pools.end(call.worker)
            self._events.append(WorkerDied(call.worker, failure))
        else:
            self._sink.count(
                "medpipe_steps_total", 1, {"step": call.step, "result": failure.kind.value}
            )
            self._events.append(StepFailed(call.item_id, call.attempt, call.step, failure))

    def _probe(self, call: _Call) -> None:
        """Ask an unreachable worker again; after a while it counts as lost with its node."""
        since_s = call.asked_since_s or time.time()
        actor = self._pools.actor(call.worker)
        if actor is None:
            return
        if time.time() - since_s > _UNREACHABLE_S:
            self._pools.end(call.worker)
            lost = Failure(FailureKind.LOST, "node_lost", f"{call.worker} was unreachable")
            self._events.append(WorkerDied(call.worker, lost))
            return
        time.sleep(0.05)
        self._calls[actor.ping.remote()] = replace(call, asked_since_s=since_s)

    # Instructions out -----------------------------------------------------------------------

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case LeaseItems():
                self._lease(instruction.n)
            case StartWorker():
                opened, life = self._pools.start(instruction.pool, instruction.worker)
                self._calls[opened] = _Call(instruction.worker, "open")
                self._calls[life] = _Call(instruction.worker, "life")
            case StopWorker():
                self._forget_worker(instruction.worker)
                self._pools.stop(instruction.worker)
            case KillWorker():
                self._forget_worker(instruction.worker)
                self._pools.end(instruction.worker)
            case RunStep():
                self._run_step(instruction)
            case Commit():
                self._written_since_s = self._written_since_s or time.time()
                self._written.append(instruction.item_id)
            case Finish():
                self._finish(instruction)
            case Release():
                self._release(instruction)
            case Stop():
                self.failure = instruction.failure
                self._stopped = True

    def _forget_worker(self, worker: str) -> None:
        for ref in [r for r, call in self._calls.items() if call.worker == worker]:
            del self._calls[ref]

    def _run_step(self, run: RunStep) -> None:
        flight = self._flights[run.item_id]
        flight.attempt = run.attempt
        actor = self._pools.actor(run.worker)
        if actor is None:  # it died a moment ago; its death is already on the way
            lost = Failure(FailureKind.LOST, "worker_gone", f"{run.worker} was gone")
            self._events.append(WorkerDied(run.worker, lost))
            return
        named = f"{run.step}[{run.item_id}]"
        ref: Ref
        match run.step:
            case "acquire":
                flight.timings = Timings()
                ref = actor.acquire.options(name=named).remote(flight.lease.item)
            case "extract":
                ref, flight.watched = actor.extract.options(name=named, num_returns=2).remote()
            case "transcribe":
                source = self._pools.actor(flight.extractor)
                ref = actor.transcribe.options(name=named).remote(run.item_id, source)
            case "write":
                ref = actor.write.options(name=named).remote(
                    flight.ticket, flight.video, flight.watched, flight.transcript, flight.timings
                )
            case _:
                ref = actor.record.options(name=named).remote(
                    flight.ticket, _drop(run.rejection), flight.video
                )
        self._calls[ref] = _Call(run.worker, run.step, run.item_id, run.attempt)

    # The queue ------------------------------------------------------------------------------

    def _lease(self, n: int) -> None:
        """Lease items; those that are in already are acked on the spot."""
        fresh = 0
        while fresh < n:
            leases = self._queue.lease(n - fresh, lease_s=self._config.runtime.lease_s)
            if not leases:
                break
            for lease in leases:
                known = self._known.get(lease.item.id)
                if known and self._is_in(known, lease.tries):
                    self._ack_known(lease, known)
                    continue
                generation = known.generation + 1 if known else 1
                self._flights[lease.item.id] = _Flight(lease, Ticket(lease.item, generation))
                self._events.append(Leased(lease.item.id, _item_tries(lease.tries)))
                fresh += 1
        if not fresh:
            elsewhere = self._queue.counts().open - len(self._flights)
            self._events.append(QueueSeen(ready=0, open_elsewhere=elsewhere))

    def _is_in(self, known: KnownItem, tries: Tries) -> bool:
        """Whether an item's rows stand: made with this config, and not asked for again."""
        return known.config_hash == self._hash and known.generation > tries.generation

    def _ack_known(self, lease: Lease, known: KnownItem) -> None:
        self.tally.already_in += 1
        tries = Tries(generation=known.generation, last_code=known.reason)
        state = "done" if known.verdict == "done" else "rejected"
        self._tell_queue(lease, lambda: self._queue.finish(lease, state, tries))

    def _finish(self, finish: Finish) -> None:
        flight = self._flights.pop(finish.item_id)
        generation = flight.lease.tries.generation
        if flight.manifest is not None:
            manifest = flight.manifest
            generation = manifest.generation
            self._known[finish.item_id] = KnownItem(
                generation, manifest.config_hash, manifest.verdict, manifest.reason
            )
        tries = _queue_tries(finish.tries, finish.failure, generation)
        lease, state = flight.lease, finish.state
        self._tell_queue(lease, lambda: self._queue.finish(lease, state, tries))
        match finish.state:
            case "done":
                self.tally.done += 1
                self.tally.media_s += flight.video.duration_s if flight.video else 0.0
            case "rejected":
                self.tally.rejected += 1
            case _:
                self.tally.dead += 1
                logger.error("dead letter %s: %s", finish.item_id, finish.failure)
        self._sink.count("medpipe_items_total", 1, {"state": finish.state})

    def _release(self, release: Release) -> None:
        flight = self._flights.pop(release.item_id)
        self.tally.retried += 1
        logger.warning("%s again in %.0f s: %s", release.item_id, release.delay_s, release.failure)
        tries = _queue_tries(release.tries, release.failure, flight.lease.tries.generation)
        self._tell_queue(
            flight.lease,
            lambda: self._queue.release(flight.lease, tries, delay_s=release.delay_s),
        )

    def _tell_queue(self, lease: Lease, act: Callable[[], None]) -> None:
        try:
            act()
        except LeaseLost:
            logger.warning("the lease on %s was lost before its end was told", lease.item.id)

    def _beat(self) -> None:
        leases = [flight.lease for flight in self._flights.values()]
        if not leases:
            return
        for lost in self._queue.extend(leases, lease_s=self._config.runtime.lease_s):
            self._flights.pop(lost.item.id, None)
            self._events.append(LeaseLostEvent(lost.item.id))

    # The dataset ----------------------------------------------------------------------------

    def _commit_if_due(self) -> None:
        """Commit what was written when enough of it waits, or long enough, or all waits for it."""
        if not self._written:
            return
        runtime = self._config.runtime
        due = (
            len(self._written) >= min(runtime.commit_items, self.scheduler.items_in_flight)
            or time.time() - self._written_since_s >= runtime.commit_s
        )
        if not due:
            return
        ids, self._written, self._written_since_s = self._written, [], 0.0
        flights = [self._flights[i] for i in ids if i in self._flights]
        manifests = [f.manifest for f in flights if f.manifest is not None]
        try:
            self._committer.commit(manifests)
        except Transient as error:
            failure = Failure(FailureKind.TRANSIENT, error.code, error.detail)
            for flight in flights:
                item_id = flight.lease.item.id
                self._events.append(StepFailed(item_id, flight.attempt, "commit", failure))
            return
        for flight in flights:
            self._events.append(Committed(flight.lease.item.id))


def _drop(rejection: Failure | None) -> Drop:
    if rejection is None:
        raise RuntimeError("a rejection is recorded without its reason")
    stage = rejection.step or "acquire"
    return Drop(stage=stage, kind="item", code=rejection.code, detail=rejection.detail)


def _item_tries(tries: Tries) -> ItemTries:
    return ItemTries(tries.bugs, tries.deaths, tries.transients, tries.first_transient_at_s)


def _queue_tries(tries: ItemTries, failure: Failure | None, generation: int) -> Tries:
    return Tries(
        bugs=tries.bugs,
        deaths=tries.deaths,
        transients=tries.transients,
        first_transient_at_s=tries.first_transient_at_s,
        generation=generation,
        last_code=failure.code if failure else None,
        last_detail=failure.detail if failure else None,
    )


