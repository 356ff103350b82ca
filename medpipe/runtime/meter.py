"""What a run counts and times: told by the driver, passed on to a sink, and summed for its summary.

Labels are the names of steps, pools, states, sources and reason codes of a closed set: never an
item, a place or a path.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medpipe.queues import QueueCounts
from medpipe.runtime.reasons import NONE, label
from medpipe.telemetry import SILENT, Sink

_OPEN = ("ready", "delayed", "leased")
WORKER_STATES = ("starting", "idle", "busy")


@dataclass(slots=True)
class StepTotals:
    """What became of all runs of one step.

    Attributes:
        results: Runs by `done` or the kind of their failure.
        wall_s: Seconds that the good ones took, as the driver saw them.
        media_s: Seconds of media that these were through with.
    """

    results: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0
    media_s: float = 0.0


def _zeros() -> defaultdict[Any, float]:
    return defaultdict(float)


@dataclass(slots=True)
class Totals:
    """All that a run has counted.

    Attributes:
        ends: Items by (state, step, reason code).
        retries: Attempts with another one to come, by (step, reason code).
        deaths: Workers by (pool, reason code).
        steps: By name.
        worker_s: Worker-seconds by (pool, state).
        gpu_s: GPU-seconds by pool.
        fetched_bytes: By source.
        rows: Rows of the items that are done, by table.
        cpu_s: CPU seconds of the items that ended, by stage.
    """

    ends: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    retries: Counter[tuple[str, str]] = field(default_factory=Counter)
    deaths: Counter[tuple[str, str]] = field(default_factory=Counter)
    steps: dict[str, StepTotals] = field(default_factory=dict)
    worker_s: defaultdict[tuple[str, str], float] = field(default_factory=_zeros)
    gpu_s: defaultdict[str, float] = field(default_factory=_zeros)
    fetched_bytes: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    cpu_s: defaultdict[str, float] = field(default_factory=_zeros)


class Meter:
    """See the module's docstring.

    Args:
        sink: Where figures go.
        gpus: GPUs of a worker, by pool.
    """

    def __init__(self, sink: Sink = SILENT, gpus: Mapping[str, float] | None = None) -> None:
        self._sink = sink
        self._gpus = gpus or {}
        self._looked_at_s: float | None = None
        self._seen: set[tuple[str, str]] = set()
        self.totals = Totals()

    def step_ended(self, step: str, result: str, wall_s: float, media_s: float = 0.0) -> None:
        """A step of an attempt ended.

        Args:
            step: Its name.
            result: `done`, or the kind of its failure.
            wall_s: Seconds from its call to its answer.
            media_s: Of the item, where known.
        """
        self._sink.count("medpipe_steps_total", 1, {"step": step, "result": result})
        totals = self.totals.steps.setdefault(step, StepTotals())
        totals.results[result] += 1
        if result == "done":
            totals.wall_s += wall_s
            totals.media_s += media_s
            self._sink.observe("medpipe_step_seconds", wall_s, {"step": step})
            self._sink.count("medpipe_step_media_seconds_total", media_s, {"step": step})

    def fetched(self, source: str, size_bytes: int) -> None:
        """A file came in; `source` is the prefix of its item's id."""
        self.totals.fetched_bytes[source] += size_bytes
        self._sink.count("medpipe_fetched_bytes_total", size_bytes, {"source": source})

    def item_ended(
        self, state: str, step: str, code: str | None, media_s: float, rows: Mapping[str, int]
    ) -> None:
        """An item came to its end.

        Args:
            state: `done`, `rejected` or `dead`.
            step: Where it failed; empty for one that is done.
            code: Why.
            media_s: What it brought into the dataset.
            rows: The same, by table.
        """
        end = (state, step or NONE, label(code))
        self.totals.ends[end] += 1
        self.totals.rows.update(rows)
        labels = {"state": end[0], "step": end[1], "reason": end[2]}
        self._sink.count("medpipe_items_total", 1, labels)
        self._sink.count("medpipe_media_seconds_total", media_s, {})

    def retried(self, step: str, code: str) -> None:
        """An attempt ended, and its item will be tried again."""
        key = (step or NONE, label(code))
        self.totals.retries[key] += 1
        self._sink.count("medpipe_retries_total", 1, {"step": key[0], "reason": key[1]})

    def worker_died(self, worker: str, code: str) -> None:
        """A worker went that nobody had let go."""
        key = (pool_of(worker), label(code))
        self.totals.deaths[key] += 1
        self._sink.count("medpipe_worker_deaths_total", 1, {"pool": key[0], "reason": key[1]})

    def workers(self, states: Iterable[tuple[str, str]], now_s: float) -> None:
        """Take a look at the workers; time since the last look is laid to their states of now.

        Args:
            states: (pool, one of `WORKER_STATES`) of each worker.
            now_s: Of a clock that does not jump.
        """
        passed_s = now_s - (now_s if self._looked_at_s is None else self._looked_at_s)
        self._looked_at_s = now_s
        counts = Counter(states)
        self._seen |= {(pool, state) for pool, _ in counts for state in WORKER_STATES}
        for pool, state in sorted(self._seen):
            number = counts[pool, state]
            labels = {"pool": pool, "state": state}
            self._sink.gauge("medpipe_workers", number, labels)
            self._sink.count("medpipe_worker_seconds_total", number * passed_s, labels)
            self.totals.worker_s[pool, state] += number * passed_s
            held_s = number * passed_s * self._gpus.get(pool, 0.0)
            self.totals.gpu_s[pool] += held_s
            self._sink.count("medpipe_gpu_seconds_total", held_s, {"pool": pool})

    def queue(self, counts: QueueCounts, ready_age_s: float, flight_age_s: float) -> None:
        """How the queue stands.

        Args:
            counts: Its items by state.
            ready_age_s: Since when the oldest ready item could have been leased.
            flight_age_s: Since when the oldest item in flight here is.
        """
        for state in _OPEN:
            self._sink.gauge("medpipe_items_open", getattr(counts, state), {"state": state})
        for state, age_s in (("ready", ready_age_s), ("in_flight", flight_age_s)):
            self._sink.gauge("medpipe_items_oldest_age_seconds", age_s, {"state": state})

    def levels(self, in_flight: int, cost_usd: float) -> None:
        """How the run stands."""
        self._sink.gauge("medpipe_items_in_flight", in_flight, {})
        self._sink.gauge("medpipe_cost_usd", cost_usd, {})


def pool_of(worker: str) -> str:
    """The pool of a worker: `extract-0` belongs to `extract`."""
    return worker.rpartition("-")[0]
