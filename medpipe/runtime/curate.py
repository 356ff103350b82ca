"""Curates what a queue holds into a dataset: the main job, on whatever Ray there is."""

import logging
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType

from medpipe.config import MedpipeConfig
from medpipe.dataset import Committer, Dataset
from medpipe.errors import ConfigError, Transient
from medpipe.pipeline import RECORD_REJECTION, video_walk
from medpipe.queues import WorkQueue
from medpipe.runtime.cluster import connected
from medpipe.runtime.driver import Driver
from medpipe.runtime.exits import EXIT_DEAD_LETTERS, EXIT_DONE, EXIT_INTERRUPTED
from medpipe.runtime.flights import Flights, Tally
from medpipe.runtime.head import HeadLost
from medpipe.runtime.meter import Meter
from medpipe.runtime.metrics import RaySink
from medpipe.runtime.pools import Pools
from medpipe.runtime.sizing import Sizing
from medpipe.runtime.summary import ClusterSeen, Ending, put_summary, summarise
from medpipe.runtime.summary_page import as_markdown
from medpipe.runtime.tracing import open_spans
from medpipe.scheduling import Scheduler
from medpipe.storage import ObjectStore, open_store
from medpipe.telemetry import Sink

logger = logging.getLogger(__name__)

_JOB = "medpipe curate"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run stops before its queue is empty; what is in flight then is finished.

    Attributes:
        items: Bring about so many items to an end; those in flight at that moment come on top.
        until_s: Unix time after which no new items are taken.
        cost_usd: Stop when the items of this run have cost so much; needs prices.
    """

    items: int | None = None
    until_s: float | None = None
    cost_usd: float | None = None

    def reached(self, tally: Tally, written: int, now_s: float) -> str | None:
        """Which limit is reached, in words, or None.

        Args:
            tally: What came to an end.
            written: Items that wait for nothing but their commit.
            now_s: Unix time.
        """
        if self.items is not None and tally.ended + written >= self.items:
            return f"--limit {self.items}"
        if self.until_s is not None and now_s >= self.until_s:
            return "--until"
        if self.cost_usd is not None and tally.cost_usd >= self.cost_usd:
            return f"--max-cost {self.cost_usd:g}"
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        tally: What this run did.
        recovered: Items of earlier, killed runs that this one only had to commit.
        interrupted: It was told to stop, or Ray's head was lost, before the queue was empty.
        limit: The limit that stopped it before the queue was empty, or None.
        left: Items that are still open in the queue.
        wall_s: Seconds from the call to the end.
        work_s: Seconds of it with Ray up.
        summary: Key of the run's summary in the dataset's store, or None if nothing was open.
    """

    tally: Tally = field(default_factory=Tally)
    recovered: int = 0
    interrupted: bool = False
    limit: str | None = None
    left: int = 0
    wall_s: float = 0.0
    work_s: float = 0.0
    summary: str | None = None

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, 3 (dead letters) or 130 (interrupted, resumable)."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_DEAD_LETTERS if self.tally.dead else EXIT_DONE

    @property
    def nothing_new(self) -> bool:
        """Whether this run wrote nothing."""
        return not (self.tally.done or self.tally.rejected or self.tally.dead or self.recovered)


def curate(
    queue: WorkQueue,
    out: str,
    config: MedpipeConfig,
    *,
    limits: Limits | None = None,
    on_tick: Callable[[Driver], None] | None = None,
    sink: Sink | None = None,
) -> Outcome:
    """Work on a queue until nothing in it is open, and return what came of it.

    Args:
        queue: Holds the items; other drivers may work on it too.
        out: URI of the dataset.
        config: All settings.
        limits: When to stop before the queue is empty.
        on_tick: Called about twice a second while Ray is up, for progress.
        sink: Where figures go; None: Ray's metrics.

    Raises:
        ConfigError: Workers cannot start with this config, or Ray cannot be reached.
        RuntimeError: The job cannot go on through a bug of ours.
        Transient: The store or the queue cannot be reached.
    """
    began_s = time.time()
    store = open_store(out, config.storage)
    committer = Committer(store)
    recovered = committer.recover()
    if not queue.counts().open:
        return Outcome(recovered=recovered, wall_s=time.time() - began_s)
    run_id, spans = uuid.uuid4().hex, open_spans(config.tracing)
    with closing(spans), connected(config.runtime, EXIT_INTERRUPTED, _JOB) as check_head:
        up_s = time.time()
        sizing = Sizing(config)
        scheduler = _scheduler(config, sizing)
        meter = Meter(sink or RaySink(), {"transcribe": config.runtime.transcribe_gpus})
        flights = Flights(config, queue, Dataset(store).known(), meter, spans, run_id)
        pools = Pools(config, store.uri, run_id)
        limiter = _Limiter(limits or Limits(), on_tick, check_head, sizing)
        driver = Driver(config.runtime, flights, committer, scheduler, pools, limiter, spans)
        driver.tell(sizing.order)
        with _draining(scheduler) as drained:
            _run(driver, drained)
        ended_s = time.time()
    left = queue.counts().open
    outcome = Outcome(
        tally=flights.tally,
        recovered=recovered,
        interrupted=drained.is_set() and left > 0,
        limit=limiter.reached if left else None,
        left=left,
        wall_s=ended_s - began_s,
        work_s=ended_s - up_s,
    )
    summary = _summed_up(run_id, outcome, driver, limiter.cluster, store, config)
    if driver.failure is not None:
        if driver.failure.code == "config_error":
            raise ConfigError(driver.failure.detail)
        raise RuntimeError(f"the job cannot go on: {driver.failure}")
    return replace(outcome, summary=summary)


def _scheduler(config: MedpipeConfig, sizing: Sizing) -> Scheduler:
    scheduling = config.scheduling
    if scheduling.fetch_deadline_s is None:  # the fetch ends itself first, with a better reason
        patience_s = config.fetch.download_timeout_s + scheduling.deadline_base_s
        scheduling = scheduling.model_copy(update={"fetch_deadline_s": patience_s})
    return Scheduler(scheduling, video_walk(config), RECORD_REJECTION, sizing.order.pools)


def _summed_up(
    run_id: str,
    outcome: Outcome,
    driver: Driver,
    cluster: ClusterSeen,
    store: ObjectStore,
    config: MedpipeConfig,
) -> str | None:
    """Put the run's summary beside the dataset; returns its key, None if the store is away."""
    how, cause = "complete", None
    if driver.failure is not None:
        how, cause = "failed", driver.failure.code
    elif outcome.interrupted:
        how = "interrupted"
    elif outcome.limit:
        how, cause = "limit", outcome.limit
    ending = Ending(
        run_id, time.time(), how, cause,
        outcome.left, outcome.recovered, outcome.wall_s, outcome.work_s,
    )  # fmt: skip
    totals = driver.flights.meter.totals
    try:
        funnel = Dataset(store).funnel()
        summary = summarise(ending, outcome.tally, totals, cluster, config, funnel)
        return put_summary(store, summary, as_markdown(summary))
    except Transient as error:
        logger.warning("the run's summary was not written: %s", error)
        return None


def _run(driver: Driver, drained: threading.Event) -> None:
    """Run the job to its end, or until the cluster has gone, which is an interruption."""
    try:
        driver.run()
    except HeadLost as error:
        logger.error("%s; what was in flight is done by the next run", error)
        drained.set()


class _Limiter:
    """Drains the job when a limit is reached; tells sizes and levels; passes every tick on.

    Ends it by `HeadLost` when the cluster has gone.
    """

    def __init__(
        self,
        limits: Limits,
        on_tick: Callable[[Driver], None] | None,
        check_head: Callable[[], None],
        sizing: Sizing,
    ) -> None:
        self._limits = limits
        self._on_tick = on_tick
        self._check_head = check_head
        self._sizing = sizing
        self.cluster = ClusterSeen()
        self.reached: str | None = None

    def __call__(self, driver: Driver) -> None:
        self._check_head()
        if (order := self._sizing.changed()) is not None:
            driver.tell(order)
        if self.reached is None:
            self.reached = self._limits.reached(driver.flights.tally, driver.written, time.time())
            if self.reached is not None:
                driver.scheduler.drain()
        self.cluster.look(self._sizing.nodes)
        in_flight, cost_usd = driver.scheduler.items_in_flight, driver.flights.tally.cost_usd
        driver.flights.meter.levels(in_flight, cost_usd)
        if self._on_tick is not None:
            self._on_tick(driver)


@contextmanager
def _draining(scheduler: Scheduler) -> Iterator[threading.Event]:
    """On SIGTERM or SIGINT take no new items; a second signal ends the process at once."""
    drained = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if drained.is_set():
            raise KeyboardInterrupt
        drained.set()
        scheduler.drain()

    if threading.current_thread() is not threading.main_thread():
        yield drained
        return
    before = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield drained
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
