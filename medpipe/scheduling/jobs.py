"""The steps of the walk, and the items on their way through them."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from medpipe.scheduling.background import Background
from medpipe.scheduling.events import Failure, FailureKind, ItemTries
from medpipe.scheduling.lines import Lines, Turn
from medpipe.scheduling.policy import Attempt, jitter

STORE = "the store"  # as no host is named

_WAKE_S = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk.

    Attributes:
        name: Unique in the walk.
        pool: Whose workers run it.
        needs: Steps that must be done before.
        on: Step whose worker must run this one too, or None for any worker of the pool.
        holds_until: Steps for which the worker stays with the item after this step.
        lane: A worker runs one step a lane; `fetch` goes on beside `compute`, and is the one that
            leans on the item's host.
        stores: It writes to the store: what the store fails is tried again in place.
    """

    name: str
    pool: str
    needs: tuple[str, ...] = ()
    on: str | None = None
    holds_until: tuple[str, ...] = ()
    lane: str = "compute"
    stores: bool = False

    def overdue(self) -> Failure:
        """Whose fault it is that it ran past its deadline: the world's while it fetches."""
        detail = f"{self.name} ran past its deadline and was killed"
        if self.lane == "fetch":
            return Failure(FailureKind.TRANSIENT, "timed_out", detail)
        return Failure(FailureKind.DEATH, "deadline_exceeded", detail)


@dataclass(slots=True)
class Job:
    """An item in flight.

    Attributes:
        attempt: Unique in the job and growing; results of another attempt are stale.
        walk: Its steps: the walk, or the one that records its rejection.
        alone: It is a suspect: tried alone, on workers that have done nothing yet.
        place: Host that it is fetched from, if any.
        held: Worker by the step that keeps it.
        waiting: Places in the walk of the steps that wait for a worker.
        rejection: Set once the item is to be recorded as rejected.
        written: Its last step is done; a commit follows.
        not_before_s: Unix time before which nothing of it is started.
        began_s: Unix time at which its first step began.
        exposed_s: Worker-seconds that it has had on workers which it left.
        on: Since when (Unix time) it has been on a worker, running or held.
    """

    item_id: str
    attempt: int
    tries: ItemTries
    walk: Sequence[Step]
    alone: bool = False
    place: str = ""
    done: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    media_s: float = 0.0
    media_bytes: int = 0
    rejection: Failure | None = None
    written: bool = False
    committing: bool = False
    store_failures: int = 0
    store_failed_at_s: float = 0.0
    not_before_s: float = float("-inf")
    began_s: float | None = None
    exposed_s: float = 0.0
    on: dict[str, float] = field(default_factory=dict)

    def comes_on(self, worker: str, now_s: float) -> None:
        """A step of it begins on a worker."""
        self.began_s = now_s if self.began_s is None else self.began_s
        self.on.setdefault(worker, now_s)

    def leaves(self, worker: str, now_s: float) -> None:
        """A worker has nothing to do with it any more."""
        self.exposed_s += max(0.0, now_s - self.on.pop(worker, now_s))

    def ends(self, now_s: float, background: Background) -> Attempt:
        """Its attempt is over; tells what it was."""
        for worker in list(self.on):
            self.leaves(worker, now_s)
        until_s = self.store_failed_at_s or now_s  # it has sat out the store's outage since
        took_s = 0.0 if self.began_s is None else max(0.0, until_s - self.began_s)
        return Attempt(
            took_s=took_s,
            exposed_s=self.exposed_s,
            rate_per_s=background.rate_per_s(now_s, besides=self.item_id),
            sure_per_s=background.rate_per_s(now_s, sure=True),
            watched_s=background.watched_s,
        )

    def leans_on(self, step: Step | None) -> str:
        """Which part of the world a step (None: a commit) needs: the host, the store, or none."""
        if step is None or step.stores:
            return STORE
        return self.place if step.lane == "fetch" else ""

    def runnable(self) -> list[tuple[int, Step]]:
        """Steps of its walk that could begin now, with their places in it."""
        if self.written:
            return []
        return [
            (index, step)
            for index, step in enumerate(self.walk)
            if step.name not in self.done
            and step.name not in self.running
            and self.done.issuperset(step.needs)
        ]

    def pools(self) -> set[str]:
        """Pools that a step of its walk will still run on."""
        if self.written:
            return set()
        return {step.pool for step in self.walk if step.name not in self.done}


class Jobs:
    """The items in flight, with sums over them and a note of those that need a look.

    Attributes:
        lines: Those of their steps that wait for a worker.
        media_s: Seconds of media in flight.
        media_bytes: Bytes of it.
        written: Items that only wait for a commit.
    """

    def __init__(self) -> None:
        self.lines = Lines()
        self.written = 0
        self.media_s = 0.0
        self.media_bytes = 0
        self._jobs: dict[str, Job] = {}
        self._wanted: Counter[str] = Counter()
        self._unbegun: dict[str, dict[str, None]] = {}
        self._touched: set[str] = set()
        self._later: list[tuple[float, int, str]] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __getitem__(self, item_id: str) -> Job:
        return self._jobs[item_id]

    def get(self, item_id: str) -> Job | None:
        """An item in flight."""
        return self._jobs.get(item_id)

    def add(self, job: Job) -> None:
        """Take in an item."""
        self._jobs[job.item_id] = job
        self._wanted.update(job.pools())
        self._count_media(job, 1)
        if job.place and job.rejection is None:
            self._unbegun.setdefault(job.place, {})[job.item_id] = None
        self.touch(job.item_id)

    def pop(self, item_id: str) -> Job | None:
        """Drop an item."""
        job = self._jobs.pop(item_id, None)
        if job is not None:
            self.written -= job.written
            self._wanted.subtract(job.pools())
            self._count_media(job, -1)
            self._leave_lines(job)
            self.begun(job)
            if not self._jobs:
                self.media_s = 0.0  # nothing of many roundings stays
        return job

    def line_up(self, job: Job, index: int) -> None:
        """Let a step wait for a worker."""
        job.waiting.add(index)
        self._put_in_line(job, index, inside=True)

    def take(self, turn: Turn) -> tuple[Job, Step]:
        """Take a step out of its line."""
        _, index, item_id = turn
        job = self._jobs[item_id]
        job.waiting.discard(index)
        self._put_in_line(job, index, inside=False)
        return job, job.walk[index]

    def waits(self, turn: Turn) -> bool:
        """Whether a step is still in its line."""
        job = self._jobs.get(turn[2])
        return job is not None and job.attempt == turn[0] and turn[1] in job.waiting

    def begun(self, job: Job) -> None:
        """Note that something of an item was begun."""
        others = self._unbegun.get(job.place, {})
        others.pop(job.item_id, None)
        if not others:
            self._unbegun.pop(job.place, None)

    def unbegun(self, place: str) -> list[Job]:
        """Items of a place of which nothing was begun yet."""
        return [self._jobs[item_id] for item_id in self._unbegun.get(place, {})]

    def step_done(self, job: Job, step: str, *, last: bool) -> None:
        """Note that a step is done; with the last one the item is written."""
        before = job.pools()
        job.running.discard(step)
        job.done.add(step)
        self.written += last and not job.written
        job.written = job.written or last
        job.store_failures, job.store_failed_at_s = 0, 0.0
        self._wanted.subtract(before - job.pools())
        self.touch(job.item_id)

    def measured(self, job: Job, media_s: float, media_bytes: int) -> None:
        """Note how much media an item is."""
        self._count_media(job, -1)
        job.media_s, job.media_bytes = media_s, media_bytes
        self._count_media(job, 1)

    def wanted(self, pool: str) -> int:
        """Items that a pool will still work for."""
        return self._wanted[pool]

    def touch(self, item_id: str) -> None:
        """Note that something of an item may begin now."""
        self._touched.add(item_id)

    def rest(self, job: Job, until_s: float) -> None:
        """Start nothing of an item before a time."""
        self._leave_lines(job)
        job.not_before_s = until_s
        heapq.heappush(self._later, (until_s, job.attempt, job.item_id))

    def wake(self, now_s: float) -> None:
        """Let what waits for the store begin soon, but not all of it at once."""
        for job in self._jobs.values():
            soon_s = now_s + _WAKE_S * jitter(job.item_id)
            if job.store_failures and job.not_before_s > soon_s:
                self.rest(job, soon_s)

    def to_look_at(self, now_s: float) -> list[Job]:
        """Items that were touched or have rested since the last call, oldest first."""
        while self._later and self._later[0][0] <= now_s:
            self._touched.add(heapq.heappop(self._later)[2])
        if not self._touched:
            return []
        found = [self._jobs[item_id] for item_id in self._touched if item_id in self._jobs]
        self._touched.clear()
        return sorted(found, key=lambda job: job.attempt)

    def _leave_lines(self, job: Job) -> None:
        for index in job.waiting:
            self._put_in_line(job, index, inside=False)
        job.waiting.clear()

    def _put_in_line(self, job: Job, index: int, *, inside: bool) -> None:
        step, turn = job.walk[index], (job.attempt, index, job.item_id)
        self.lines.put(step.pool, step.lane, turn, alone=job.alone, inside=inside)

    def _count_media(self, job: Job, sign: int) -> None:
        self.media_s += sign * job.media_s
        self.media_bytes += sign * job.media_bytes
