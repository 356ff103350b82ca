"""The items in flight: their leases, what their steps gave so far, and what the queue is told."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from urllib.parse import urlsplit

from medpipe import faults, logs
from medpipe.config import MedpipeConfig
from medpipe.dataset import Manifest
from medpipe.dataset.reader import KnownItem
from medpipe.errors import Transient
from medpipe.pipeline import Ticket
from medpipe.queues import Lease, LeaseLost, QueueCounts, Tries, WorkQueue
from medpipe.records import Transcript, Video
from medpipe.runtime.meter import Meter
from medpipe.runtime.pools import Ref
from medpipe.runtime.tracing import NO_SPANS, Spans, Value
from medpipe.scheduling import (
    DeathNote,
    Event,
    Failure,
    Finish,
    Leased,
    LeaseLostEvent,
    QueueSeen,
    Release,
)
from medpipe.scheduling.events import ItemTries
from medpipe.secrets import mask
from medpipe.telemetry import Timings, Trip

logger = logging.getLogger(__name__)

_COUNT_EVERY_S = 10.0


@dataclass(slots=True)
class Flight:
    """What the driver knows of an item in flight.

    Attributes:
        trip: What logs and traces name this lease by.
        since_s: Unix time at which it was leased.
        attempt: The scheduler's number of the attempt that runs.
        extractor: Name of the worker that holds the file.
        watched: Reference to what extracting gave; its images never pass through the driver.
    """

    lease: Lease
    ticket: Ticket
    trip: Trip
    since_s: float
    attempt: int = 0
    timings: Timings = field(default_factory=Timings)
    video: Video | None = None
    extractor: str = ""
    watched: Ref | None = None
    transcript: Transcript | None = None
    manifest: Manifest | None = None


@dataclass(slots=True)
class Tally:
    """What a run has done so far."""

    done: int = 0
    rejected: int = 0
    dead: int = 0
    retried: int = 0
    already_in: int = 0
    media_s: float = 0.0
    cost_usd: float = 0.0

    @property
    def ended(self) -> int:
        """Items that this run brought to an end."""
        return self.done + self.rejected + self.dead


class Flights:
    """Leases items, remembers what is known of them, and ends them in the queue.

    Args:
        config: All settings.
        queue: Where items are leased.
        known: Items that are in the dataset.
        meter: Counts what becomes of them.
        spans: Where the spans of whole attempts go.
        run_id: Names this run in logs and traces.
    """

    def __init__(
        self,
        config: MedpipeConfig,
        queue: WorkQueue,
        known: dict[str, KnownItem],
        meter: Meter | None = None,
        spans: Spans = NO_SPANS,
        run_id: str = "",
    ) -> None:
        self._lease_s = config.runtime.lease_s
        self._hash = config.rows_hash()
        self._prices = config.prices
        self._queue = queue
        self._known = known
        self._spans = spans
        self._run_id = run_id
        self._flights: dict[str, Flight] = {}
        self._counts = QueueCounts()
        self._counted_at_s = float("-inf")
        self._ended_when_counted = 0
        self.meter = meter or Meter()
        self._untold: deque[tuple[Lease, Callable[[], None]]] = deque()
        self.tally = Tally()

    def __getitem__(self, item_id: str) -> Flight:
        return self._flights[item_id]

    def get(self, item_id: str, attempt: int) -> Flight | None:
        """The flight of an item if this attempt is still the one that runs."""
        flight = self._flights.get(item_id)
        return flight if flight is not None and flight.attempt == attempt else None

    def having(self, item_ids: list[str]) -> list[Flight]:
        """The flights of those items that are still in flight."""
        return [self._flights[item_id] for item_id in item_ids if item_id in self._flights]

    def progress(self) -> tuple[int, int]:
        """Items at an end in this run, and all that the run knows of."""
        return self._at_end, self._ended_when_counted + self._counts.open

    @property
    def ready(self) -> int:
        """Items that could be leased when the queue was last counted."""
        return self._counts.ready

    def look(self) -> None:
        """Count the queue and tell how it stands; does nothing more than every ten seconds."""
        now_s = time.monotonic()
        if now_s - self._counted_at_s < _COUNT_EVERY_S:
            return
        self._counted_at_s = now_s
        try:
            next_ready_at_s = self._queue.next_ready_at_s()
            self._counts, self._ended_when_counted = self._queue.counts(), self._at_end
        except Transient:
            logger.debug("the queue cannot be counted now")
            return
        oldest = next(iter(self._flights.values()), None)  # they stand in order of their leases
        ready_age_s = time.time() - (next_ready_at_s or time.time()) if self._counts.ready else 0.0
        flight_age_s = time.time() - oldest.since_s if oldest else 0.0
        self.meter.queue(self._counts, max(0.0, ready_age_s), max(0.0, flight_age_s))

    @property
    def _at_end(self) -> int:
        return self.tally.ended + self.tally.already_in

    def lease(self, n: int) -> list[Event]:
        """Lease up to n items; those that are in already are acked on the spot."""
        try:
            events = self._leased(n)
            if events:
                return events
            elsewhere = self._queue.counts().open - len(self._flights)
            return [QueueSeen(ready=0, open_elsewhere=elsewhere)]
        except Transient as error:
            logger.warning("the queue cannot be asked now: %s", error)
            return [QueueSeen(ready=0, open_elsewhere=1)]  # so that the job goes on asking

    def _leased(self, n: int) -> list[Event]:
        events: list[Event] = []
        while len(events) < n:
            leases = self._queue.lease(n - len(events), lease_s=self._lease_s)
            if not leases:
                break
            for lease in leases:
                known = self._known.get(lease.item.id)
                if known and self._is_in(known, lease.tries):
                    self._ack_known(lease, known)
                    continue
                generation = known.generation + 1 if known else 1
                trip = Trip(self._run_id, lease.item.id, lease.token)
                self._flights.pop(lease.item.id, None)
                self._flights[lease.item.id] = Flight(
                    lease, Ticket(lease.item, generation), trip, time.time()
                )
                place = _place(lease.item.uri)
                events.append(Leased(lease.item.id, _item_tries(lease.tries), place))
        return events

    def beat(self) -> list[Event]:
        """Renew all leases; tells which are lost."""
        self.tell_again()
        leases = [flight.lease for flight in self._flights.values()]
        if not leases:
            return []
        try:
            lost = self._queue.extend(leases, lease_s=self._lease_s)
        except Transient as error:
            logger.warning("leases were not renewed: %s", error)
            return []
        for lease in lost:
            self._flights.pop(lease.item.id, None)
        return [LeaseLostEvent(lease.item.id) for lease in lost]

    def finish(self, finish: Finish) -> None:
        """End an item in the queue."""
        flight = self._flights.pop(finish.item_id)
        lease, state, manifest = flight.lease, finish.state, flight.manifest
        generation = lease.tries.generation
        if manifest is not None:
            generation = manifest.generation
            state = "done" if manifest.verdict == "done" else state  # what stands, stands
            self._known[finish.item_id] = KnownItem(
                generation, manifest.config_hash, manifest.verdict, manifest.reason
            )
        tries = _queue_tries(finish.tries, finish.failure, generation)
        faults.at("ack.before", finish.item_id)
        self._tell(lease, lambda: self._queue.finish(lease, state, tries))
        faults.at("ack.after", finish.item_id)
        self._count(state, flight, finish.failure)

    def release(self, release: Release) -> None:
        """Give an item back to the queue for another try."""
        flight = self._flights.pop(release.item_id)
        lease, failure = flight.lease, release.failure
        self.tally.retried += 1
        self.meter.retried(failure.step, failure.code)
        self._told(flight, "retried", failure)
        with _about(flight):
            logger.warning("%s again in %.0f s: %s", release.item_id, release.delay_s, failure)
        tries = _queue_tries(release.tries, release.failure, lease.tries.generation)
        self._tell(lease, lambda: self._queue.release(lease, tries, delay_s=release.delay_s))

    def _tell(self, lease: Lease, act: Callable[[], None]) -> None:
        """Tell the queue an item's end, now or as soon as it can be reached again."""
        self._untold.append((lease, act))
        self.tell_again()

    def tell_again(self) -> None:
        """Tell the queue what it could not be told so far."""
        while self._untold:
            lease, act = self._untold[0]
            try:
                act()
            except LeaseLost:
                logger.warning("the lease on %s was lost before its end was told", lease.item.id)
            except Transient as error:
                logger.warning("the queue cannot be told now: %s", error)
                return
            self._untold.popleft()

    def _is_in(self, known: KnownItem, tries: Tries) -> bool:
        """Whether an item's rows stand: made with this config, and not asked for again."""
        return known.config_hash == self._hash and known.generation > tries.generation

    def _ack_known(self, lease: Lease, known: KnownItem) -> None:
        self.tally.already_in += 1
        tries = Tries(generation=known.generation, last_code=known.reason)
        state = "done" if known.verdict == "done" else "rejected"
        self._tell(lease, lambda: self._queue.finish(lease, state, tries))

    def _count(self, state: str, flight: Flight, failure: Failure | None) -> None:
        media_s, rows = 0.0, Counter[str]()
        match state:
            case "done":
                failure = None
                media_s = flight.video.duration_s if flight.video else 0.0
                self.tally.done += 1
                self.tally.media_s += media_s
                for file in flight.manifest.files if flight.manifest else ():
                    rows[file.table] += file.rows
            case "rejected":
                self.tally.rejected += 1
            case _:
                self.tally.dead += 1
                with _about(flight):
                    logger.error("dead letter %s: %s", flight.lease.item.id, failure)
        self.tally.cost_usd += self._prices.cost_usd(flight.timings) or 0.0
        step, code = (failure.step, failure.code) if failure else ("", None)
        self.meter.item_ended(state, step, code, media_s, rows)
        for stage, cpu_s in flight.timings.cpu_s.items():
            self.meter.totals.cpu_s[stage] += cpu_s
        self._told(flight, state, failure)

    def _told(self, flight: Flight, state: str, failure: Failure | None) -> None:
        """Tell the span of an attempt that is over."""
        told: dict[str, Value] = {"state": state, "source": flight.lease.item.source}
        if flight.video is not None:
            told["media_s"] = flight.video.duration_s
        error = None
        if failure is not None:
            told |= {"step": failure.step, "reason": failure.code}
            error = mask(f"{failure.code}: {failure.detail}")
        self._spans.attempt(flight.trip, flight.since_s, time.time(), told, error)


def _about(flight: Flight) -> AbstractContextManager[None]:
    """Say on every line inside whose it is."""
    return logs.bound(item_id=flight.trip.item_id, attempt=flight.trip.number)


def _place(uri: str) -> str:
    """The host that an item is fetched from; empty where its uri names none."""
    try:
        return urlsplit(uri).netloc
    except ValueError:  # such as "http://[": the item is rejected when it is acquired
        return ""


def _item_tries(tries: Tries) -> ItemTries:
    kept = tries.model_dump(include={f.name for f in fields(ItemTries)} - {"notes"})
    return ItemTries(**kept, notes=tuple(DeathNote(**note.model_dump()) for note in tries.notes))


def _queue_tries(tries: ItemTries, failure: Failure | None, generation: int) -> Tries:
    return Tries(
        **asdict(tries),
        generation=generation,
        last_code=failure.code if failure else None,
        last_detail=f"{failure.step}: {failure.detail}" if failure else None,
    )
