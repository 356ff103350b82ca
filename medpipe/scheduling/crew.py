"""The workers of all pools: who is up, what each does, whom to start and whom to let go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
        since_s: Unix time since when it is in its state (starting, idle).
        node: Where it runs, once it is up.
        runs: Step at work by lane; a worker has one step a lane.
        holds: Items whose file it holds between steps.
        used: Steps that it has begun.
        failures: Unexpected exceptions of ours in a row.
        alone: Kept for one suspect item.
    """

    pool: str
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


class Crew:
    """Keeps the workers' book; orders nothing itself.

    Args:
        config: Lifetimes and limits.
        pools: Most workers by pool.
    """

    def __init__(self, config: SchedulingConfig, pools: Mapping[str, int]) -> None:
        self._config = config
        self._pools = dict(pools)
        self._workers: dict[str, Worker] = {}
        self._started = dict.fromkeys(pools, 0)

    def __getitem__(self, name: str) -> Worker:
        return self._workers[name]

    def get(self, name: str) -> Worker | None:
        """A worker that was started and is not gone."""
        return self._workers.get(name)

    def __iter__(self) -> Iterator[tuple[str, Worker]]:
        return iter(list(self._workers.items()))

    @property
    def pools(self) -> dict[str, int]:
        """Most workers by pool."""
        return self._pools

    def start(self, pool: str, now_s: float) -> str:
        """Note a new worker; returns its name."""
        name = f"{pool}-{self._started[pool]}"
        self._started[pool] += 1
        self._workers[name] = Worker(pool, now_s)
        return name

    def came_up(self, name: str, node: str, now_s: float) -> Worker | None:
        """Note that a worker is open for work."""
        worker = self._workers.get(name)
        if worker is not None:
            worker.up, worker.node, worker.since_s = True, node, now_s
        return worker

    def remove(self, name: str) -> Worker | None:
        """Forget a worker that is gone."""
        return self._workers.pop(name, None)

    def choose(self, pool: str, lane: str, *, alone: bool) -> str | None:
        """A worker that may begin a step of a new item, or None.

        Args:
            pool: Whose workers.
            lane: In which lane the step runs.
            alone: The item is a suspect: only a worker that has done nothing yet will do.
        """
        mine = [(n, w) for n, w in self._workers.items() if w.pool == pool]
        for name, worker in mine:
            if worker.idle and not worker.alone and (worker.used == 0 or not alone):
                return name
        full = len(mine) >= self._pools[pool] and all(w.up for _, w in mine)
        if alone or not full or lane == "compute" or self._config.prefetch_items == 0:
            return None
        for name, worker in mine:
            ahead = len(worker.items) - 1
            if lane not in worker.runs and not worker.alone and ahead < self._config.prefetch_items:
                return name
        return None

    def retirable(self, pool: str) -> str | None:
        """An idle, used worker that could make room for a fresh one, unless one is coming."""
        mine = [(n, w) for n, w in self._workers.items() if w.pool == pool]
        if any(not worker.up for _, worker in mine):
            return None
        return next((name for name, worker in mine if worker.idle and worker.used), None)

    def begin(self, name: str, lane: str, run: Run, *, alone: bool) -> None:
        """Note that a step begins on a worker."""
        worker = self._workers[name]
        worker.runs[lane] = run
        worker.used += 1
        worker.alone = worker.alone or alone

    def end(self, item_id: str, attempt: int, step: str, now_s: float) -> str | None:
        """Note that a step left its worker; returns the worker, or None if it is gone."""
        for name, worker in self._workers.items():
            for lane, run in worker.runs.items():
                if (run.item_id, run.attempt, run.step) == (item_id, attempt, step):
                    del worker.runs[lane]
                    self._rest(worker, now_s)
                    return name
        return None

    def let_go(self, name: str, item_id: str, now_s: float) -> bool:
        """Note that a worker no longer holds an item; False if the worker is gone."""
        worker = self._workers.get(name)
        if worker is None:
            return False
        worker.holds.discard(item_id)
        self._rest(worker, now_s)
        return True

    def missing(self, pool: str, wanted: int) -> int:
        """How many workers to start so that `wanted` items find one, within the limit."""
        alive = sum(worker.pool == pool for worker in self._workers.values())
        return max(0, min(self._pools[pool], wanted) - alive)

    def spare(self, pool: str, wanted: int, now_s: float) -> list[str]:
        """Idle workers to let go: worn ones, and those over `wanted` that have idled for long.

        Whole nodes first: a worker whose node has no other work goes before one whose node stays.
        """
        mine = {n: w for n, w in self._workers.items() if w.pool == pool}
        worn = [n for n, w in mine.items() if w.idle and self._is_worn(w)]
        surplus = len(mine) - len(worn) - min(self._pools[pool], wanted)
        busy_on = {w.node for w in self._workers.values() if w.up and not w.idle}
        rested = [
            (w.node in busy_on, w.since_s, n)
            for n, w in mine.items()
            if n not in worn and w.idle and now_s - w.since_s > self._config.idle_worker_s
        ]
        return worn + [name for _, _, name in sorted(rested)[: max(0, surplus)]]

    def _is_worn(self, worker: Worker) -> bool:
        return (
            worker.used >= self._config.worker_max_steps
            or worker.failures >= self._config.retry.worker_bugs
        )

    def _rest(self, worker: Worker, now_s: float) -> None:
        if worker.idle:
            worker.alone = False
            worker.since_s = max(worker.since_s, now_s)
