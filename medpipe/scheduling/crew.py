"""The workers of all pools: who is up, what each does, whom to start and whom to let go."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from medpipe.scheduling.events import FailureKind
from medpipe.scheduling.lines import Ranked
from medpipe.scheduling.policy import SchedulingConfig


@dataclass(frozen=True, slots=True)
class Run:
    """A step at work on a worker."""

    item_id: str
    attempt: int
    step: str
    deadline_s: float


@dataclass(slots=True)
class Worker:
    """A worker and what it does.

    Attributes:
        number: How many workers were started before it.
        since_s: Unix time since when it is in its state (starting, idle).
        node: Where it runs, once it is up.
        runs: Step at work by lane; a worker has one step a lane.
        holds: Items whose file it holds between steps.
        used: Steps that it has begun.
        failures: Unexpected exceptions of ours in a row.
        alone: Kept for one suspect item.
    """

    name: str
    pool: str
    number: int
    since_s: float
    up: bool = False
    node: str = ""
    runs: dict[str, Run] = field(default_factory=dict)
    holds: set[str] = field(default_factory=set)
    used: int = 0
    failures: int = 0
    alone: bool = False

    @property
    def idle(self) -> bool:
        """Up, without work, holding nothing."""
        return self.up and not self.runs and not self.holds

    @property
    def items(self) -> set[str]:
        """All items that it works on or holds."""
        return self.holds | {run.item_id for run in self.runs.values()}

    @property
    def suspects(self) -> set[str]:
        """Whose work may have ended it: what computes, else what is served, else what fetches."""
        computing = {run.item_id for lane, run in self.runs.items() if lane == "compute"}
        return computing or self.holds or self.items

    def has(self, item_id: str, attempt: int) -> bool:
        """Whether a step of this attempt is at work here."""
        return any((r.item_id, r.attempt) == (item_id, attempt) for r in self.runs.values())


class _Roster:
    """The workers of one pool, filed by what they can take on.

    Attributes:
        fresh: Idle ones that have done nothing yet.
        rested: Idle ones that have.
        worn: Idle ones that are to be replaced.
        ahead: By lane, busy ones that may begin a step of one more item in it.
        resting: All idle ones, in the order in which they came to rest.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.started = 0
        self.workers: dict[str, Worker] = {}
        self.starting = 0
        self.fresh: Ranked[tuple[int, str]] = Ranked()
        self.rested: Ranked[tuple[int, str]] = Ranked()
        self.worn: Ranked[tuple[int, str]] = Ranked()
        self.ahead: dict[str, Ranked[tuple[int, str]]] = {}
        self.resting: dict[str, None] = {}


class Crew:
    """Keeps the workers' book; orders nothing itself.

    Args:
        config: Lifetimes and limits.
        pools: Most workers by pool.
    """

    def __init__(self, config: SchedulingConfig, pools: Mapping[str, int]) -> None:
        self._config = config
        self._workers: dict[str, Worker] = {}
        self._rosters = {pool: _Roster(limit) for pool, limit in pools.items()}
        self._at_work: dict[tuple[str, int, str], tuple[Worker, str]] = {}
        self._due: list[tuple[float, str]] = []

    def get(self, name: str) -> Worker | None:
        """A worker that was started and is not gone."""
        return self._workers.get(name)

    def __iter__(self) -> Iterator[tuple[str, Worker]]:
        return iter(list(self._workers.items()))

    @property
    def up(self) -> int:
        """How many workers are up."""
        return len(self._workers) - sum(map(self.starting, self._rosters))

    def starting(self, pool: str) -> int:
        """How many workers of a pool start."""
        return self._rosters[pool].starting

    @property
    def pools(self) -> list[str]:
        """Names of the pools."""
        return list(self._rosters)

    # What happens to workers ----------------------------------------------------------------

    def start(self, pool: str, now_s: float) -> str:
        """Note a new worker; returns its name."""
        roster = self._rosters[pool]
        number = sum(roster.started for roster in self._rosters.values())
        worker = Worker(f"{pool}-{roster.started}", pool, number, now_s)
        roster.started += 1
        roster.starting += 1
        roster.workers[worker.name] = self._workers[worker.name] = worker
        self._note_due(now_s + self._config.worker_start_s, worker.name)
        return worker.name

    def came_up(self, name: str, node: str, now_s: float) -> Worker | None:
        """Note that a worker is open for work."""
        worker = self._workers.get(name)
        if worker is not None and not worker.up:
            self._rosters[worker.pool].starting -= 1
            worker.up, worker.node, worker.since_s = True, node, now_s
            self._file(worker)
        return worker

    def remove(self, name: str) -> Worker | None:
        """Forget a worker that is gone."""
        worker = self._workers.pop(name, None)
        if worker is not None:
            roster = self._rosters[worker.pool]
            del roster.workers[name]
            roster.starting -= not worker.up
            for run in worker.runs.values():
                self._at_work.pop((run.item_id, run.attempt, run.step), None)
            self._file(worker)
        return worker

    def begin(self, name: str, lane: str, run: Run, *, alone: bool) -> None:
        """Note that a step begins on a worker."""
        worker = self._workers[name]
        worker.runs[lane] = run
        worker.used += 1
        worker.alone = worker.alone or alone
        self._at_work[run.item_id, run.attempt, run.step] = worker, lane
        self._note_due(run.deadline_s, name)
        self._file(worker)

    def end(
        self,
        run: tuple[str, int, str],
        now_s: float,
        *,
        failed: FailureKind | None = None,
        holds: bool = False,
    ) -> Worker | None:
        """Note that a step left its worker.

        Args:
            run: Item, attempt and step.
            now_s: Unix time.
            failed: How it failed; None if it ended well.
            holds: The worker keeps the item's file from now on.

        Returns:
            The worker, or None if it is gone.
        """
        worker, lane = self._at_work.pop(run, (None, ""))
        if worker is None:
            return None
        del worker.runs[lane]
        if failed is None:
            worker.failures = 0
        elif failed is FailureKind.BUG:
            worker.failures += 1
        if holds:
            worker.holds.add(run[0])
        self._rest(worker, now_s)
        return worker

    def let_go(self, name: str, item_id: str, now_s: float) -> bool:
        """Note that a worker no longer holds an item; False if the worker is gone."""
        worker = self._workers.get(name)
        if worker is None:
            return False
        worker.holds.discard(item_id)
        self._rest(worker, now_s)
        return True

    def resize(self, pool: str, limit: int) -> None:
        """Set the most workers of a pool; who is up stays until it has idled for long."""
        self._rosters[pool].limit = limit

    def surplus(self, pool: str, most: int | None) -> list[str]:
        """Those that still start and are too many, last first.

        Args:
            pool: Of the workers.
            most: How many there may be; None: as many as the pool's limit says.
        """
        roster = self._rosters[pool]
        limit = roster.limit if most is None else min(roster.limit, most)
        above = min(roster.starting, len(roster.workers) - limit)
        if above <= 0:
            return []
        return [name for name, w in reversed(roster.workers.items()) if not w.up][:above]

    def has_up(self, pool: str) -> bool:
        """Whether a worker of a pool is up."""
        roster = self._rosters[pool]
        return len(roster.workers) > roster.starting

    # Who may do what ------------------------------------------------------------------------

    def fresh(self, pool: str) -> str | None:
        """An idle worker that has done nothing yet."""
        first = self._rosters[pool].fresh.first()
        return None if first is None else first[1]

    def free(self, pool: str) -> str | None:
        """The first idle worker, whatever it did before."""
        roster = self._rosters[pool]
        idle = [first for line in (roster.fresh, roster.rested) if (first := line.first())]
        return min(idle)[1] if idle else None

    def ahead(self, pool: str, lane: str, waiting: int) -> str | None:
        """A busy worker that may begin a step of one more item beside its work.

        Args:
            pool: Of the worker.
            lane: Of the step.
            waiting: Steps that wait there; each worker that starts or may be started is left one
                of them. None is begun ahead while a worker is idle.
        """
        roster = self._rosters[pool]
        if lane == "compute" or self._config.prefetch_items == 0 or roster.resting:
            return None
        if waiting <= roster.limit - len(roster.workers) + roster.starting:
            return None
        if lane not in roster.ahead:
            roster.ahead[lane] = Ranked()
            for worker in roster.workers.values():
                self._file(worker)
        first = roster.ahead[lane].first()
        return None if first is None else first[1]

    def retirable(self, pool: str) -> str | None:
        """An idle, used worker that could make room for a fresh one, unless one is coming."""
        roster = self._rosters[pool]
        if roster.starting:
            return None
        first = roster.worn.first() or roster.rested.first()
        return None if first is None else first[1]

    def missing(self, pool: str, wanted: int) -> int:
        """How many workers to start so that `wanted` items find one, within the limit."""
        roster = self._rosters[pool]
        return max(0, min(roster.limit, wanted) - len(roster.workers))

    def spare(self, pool: str, wanted: int, now_s: float) -> list[str]:
        """Idle workers to let go: worn ones, and those over `wanted` that have idled for long.

        Whole nodes first: those without other work, one after the other, in the same order for
        every pool.
        """
        roster = self._rosters[pool]
        worn = [name for _, name in roster.worn.in_order()]
        surplus = len(roster.workers) - len(worn) - min(roster.limit, wanted)
        if surplus <= 0 or not self._rested_long(next(iter(roster.resting), None), now_s):
            return worn
        busy_on = {w.node for w in self._workers.values() if w.up and not w.idle}
        rested = [
            (w.node in busy_on, w.node, w.since_s, w.number, name)
            for name, w in ((name, self._workers[name]) for name in roster.resting)
            if name not in worn and self._rested_long(name, now_s)
        ]
        return worn + [name for *_, name in sorted(rested)[:surplus]]

    def overdue(self, now_s: float) -> list[tuple[str, list[Run]]]:
        """Workers past a deadline, with their late steps; none of a worker that does not start."""
        names = set()
        while self._due and self._due[0][0] < now_s:
            names.add(heapq.heappop(self._due)[1])
        found = []
        for name in names:
            worker = self._workers.get(name)
            if worker is None:
                continue
            late = [run for run in worker.runs.values() if now_s > run.deadline_s]
            slow = not worker.up and worker.since_s + self._config.worker_start_s < now_s
            if late or slow:
                found.append((worker.number, name, late))
        return [(name, late) for _, name, late in sorted(found, key=lambda f: f[0])]

    def _note_due(self, at_s: float, name: str) -> None:
        """Look at a worker again at a time; now and then forget times that no longer matter."""
        heapq.heappush(self._due, (at_s, name))
        if len(self._due) > 100 + 4 * (len(self._workers) + len(self._at_work)):
            starts = (
                (w.since_s + self._config.worker_start_s, name)
                for name, w in self._workers.items()
                if not w.up
            )
            ends = ((w.runs[lane].deadline_s, w.name) for w, lane in self._at_work.values())
            self._due = [*starts, *ends]
            heapq.heapify(self._due)

    def _rested_long(self, name: str | None, now_s: float) -> bool:
        if name is None:
            return False
        return now_s - self._workers[name].since_s > self._config.idle_worker_s

    def _is_worn(self, worker: Worker) -> bool:
        return (
            worker.used >= self._config.worker_max_steps
            or worker.failures >= self._config.retry.worker_bugs
        )

    def _rest(self, worker: Worker, now_s: float) -> None:
        if worker.idle:
            worker.alone = False
            worker.since_s = max(worker.since_s, now_s)
        self._file(worker)

    def _file(self, worker: Worker) -> None:
        """File a worker under what it can take on now; under nothing if it is gone."""
        roster, name = self._rosters[worker.pool], worker.name
        here, key = name in self._workers, (worker.number, name)
        idle, worn = here and worker.idle, self._is_worn(worker)
        roster.fresh.put(key, inside=idle and not worn and worker.used == 0)
        roster.rested.put(key, inside=idle and not worn and worker.used > 0)
        roster.worn.put(key, inside=idle and worn)
        roomy = here and not idle and worker.up and not worn and not worker.alone
        roomy = roomy and len(worker.items) <= self._config.prefetch_items
        for lane, line in roster.ahead.items():
            line.put(key, inside=roomy and lane not in worker.runs)
        if not idle:
            roster.resting.pop(name, None)
        elif name not in roster.resting:
            roster.resting[name] = None
