"""Items of one step through the real driver, its queue and Ray's actors; for other benchmarks."""

import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.util import ActorPool

from medpipe import Item, MedpipeConfig, load_config
from medpipe.dataset import Committer, Dataset, Manifest, write_item
from medpipe.dataset.rows import item_row
from medpipe.pipeline import Ticket, provenance
from medpipe.queues import SqliteQueue
from medpipe.records import Trace
from medpipe.runtime.driver import Driver
from medpipe.runtime.flights import Flight, Flights, Tally
from medpipe.runtime.pools import Kind, Pools, Ref
from medpipe.runtime.watchdog import anonymous_bytes
from medpipe.runtime.work import ActorOf
from medpipe.runtime.workers import node_id
from medpipe.scheduling import RunStep, Scheduler, Step
from medpipe.storage import open_store

ENV = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_agent_register_timeout_ms": "240000",
}
WORKERS = 2
CPUS = 0.5
IN_FLIGHT = ("scheduling.items_in_flight=100",)  # so that commits are in batches of 50


class OneStep:
    """A walk of one step, `work`, on workers of one pool; see `medpipe.runtime.work.Work`.

    Attributes:
        ends: When (monotonic seconds) and on which worker each step ended.
    """

    walk = (Step("work", pool="work"),)
    record = Step("record", pool="work")

    def __init__(self) -> None:
        self.ends: list[tuple[float, str]] = []

    def begin(self, run: RunStep, flight: Flight, actor: Any, actor_of: ActorOf) -> Ref:
        """Call `work` or `record` with the item's ticket."""
        method = getattr(actor, run.step)
        return method.options(name=f"{run.step}[{run.item_id}]").remote(flight.ticket)

    def keep(self, flight: Flight, step: str, worker: str, value: Any) -> tuple[float | None, int]:
        """Keep the manifest, if there is one."""
        flight.manifest = value
        self.ends.append((time.monotonic(), worker))
        return None, 0


class Worker:
    """Does nothing; other workers of one step differ in `work` alone."""

    def __init__(self, name: str, config: MedpipeConfig, out: str) -> None:
        self._name = name
        self._config = config
        self._out = out

    def __repr__(self) -> str:
        return self._name

    def open(self) -> str:
        """Ready at once."""
        return node_id()

    def close(self) -> None:
        """Nothing to free."""

    def ping(self) -> None:
        """It lives."""

    @ray.method(concurrency_group="life")
    def life(self) -> None:
        """Last as long as the process."""
        while True:
            time.sleep(3600)

    @ray.method(concurrency_group="life")
    def leave(self) -> None:
        """End the process."""
        os._exit(0)

    def work(self, ticket: Ticket) -> Manifest | None:
        """Do nothing."""

    def record(self, ticket: Ticket) -> Manifest | None:
        """Record nothing."""


class Writer(Worker):
    """Writes a row for each item, as the last step of the video walk does."""

    def __init__(self, name: str, config: MedpipeConfig, out: str) -> None:
        super().__init__(name, config, out)
        self._store = open_store(out, config.storage)

    def work(self, ticket: Ticket) -> Manifest:
        """Write the item's files and put its manifest."""
        origin = provenance(ticket, self._config, None)
        row = item_row(
            origin,
            video=None,
            language=None,
            rejection=None,
            counts={},
            trace=Trace.empty(),
            cpu_s={},
            wall_s={},
        )
        return write_item(
            self._store,
            {"items": [row]},
            item_id=ticket.item.id,
            generation=ticket.generation,
            config_hash=origin.config_hash,
            verdict="done",
        )


class NullCommitter:
    """A sink that takes everything and keeps nothing."""

    def commit(self, manifests: list[Manifest]) -> None:
        """Nothing to commit."""

    def compact(self) -> int:
        """Nothing to merge."""
        return 0

    def vacuum_if_due(self) -> list[str]:
        """Nothing to delete."""
        return []


@dataclass
class Run:
    """What came of a run, and the driver's memory on the way: (items done, anonymous bytes)."""

    tally: Tally
    wall_s: float
    memory: list[tuple[int, int]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    ends: list[tuple[float, str]] = field(default_factory=list)

    @property
    def slope_bytes(self) -> float:
        """Bytes by which the driver grows with an item, in the second half of the run."""
        after = self.memory[len(self.memory) // 2 :]
        if len(after) < 2:
            return 0.0
        mean_n = sum(n for n, _ in after) / len(after)
        mean_b = sum(b for _, b in after) / len(after)
        spread = sum((n - mean_n) ** 2 for n, _ in after)
        return sum((n - mean_n) * (b - mean_b) for n, b in after) / max(1.0, spread)


@contextmanager
def cluster() -> Iterator[None]:
    """A local Ray for this process alone."""
    os.environ.update(ENV)
    ray.init(
        address="local",
        num_cpus=3,
        include_dashboard=False,
        object_store_memory=128 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
        namespace="medpipe",
    )
    try:
        yield
    finally:
        ray.shutdown()


def drive(
    n: int,
    worker: type,
    *,
    commits: bool = False,
    workers: int = WORKERS,
    cpus: float = CPUS,
    overrides: tuple[str, ...] = (),
    item_id: Callable[[int], str] = "file:{:07d}".format,
) -> Run:
    """Send n items of one step through the real driver to their ends."""
    config = load_config(None, overrides)
    with tempfile.TemporaryDirectory() as folder:
        queue = SqliteQueue(Path(folder) / "queue.sqlite")
        queue.enqueue(Item(id=item_id(k), uri=f"file:///{k}") for k in range(n))
        store = open_store(f"{folder}/out", config.storage)
        scheduler = Scheduler(config.scheduling, OneStep.walk, OneStep.record, {"work": workers})
        flights = Flights(config, queue, Dataset(store).known())
        pools = Pools(config, store.uri, uuid.uuid4().hex, {"work": Kind(worker, cpus)})
        memory: list[tuple[int, int]] = []

        def look(driver: Driver) -> None:
            memory.append((driver.flights.tally.done, anonymous_bytes()))

        committer: Any = Committer(store) if commits else NullCommitter()
        work = OneStep()
        driver = Driver(config.runtime, flights, committer, scheduler, pools, look, work=work)
        began_s = time.perf_counter()
        driver.run()
        wall_s = time.perf_counter() - began_s
        if driver.failure is not None:
            raise RuntimeError(f"the job could not go on: {driver.failure}")
        if commits and len(Dataset(store).known()) != flights.tally.done:
            raise RuntimeError("the dataset holds other items than those that are done")
        run = Run(flights.tally, wall_s, memory, queue.reasons(), work.ends)
        queue.close()
    return run


def measure(n: int) -> dict[str, float]:
    """Bare Ray, the driver with a null sink, and with commits to a dataset, in one run."""
    with cluster():
        bare_s = _bare_s(n)
        drive(200, Worker)  # so that what loads once is not counted as growth
        null = drive(n, Worker, overrides=IN_FLIGHT)
        full = drive(n, Writer, commits=True, overrides=IN_FLIGHT)
    for run in (null, full):
        if run.tally.done != n:
            raise RuntimeError(f"{run.tally} of {n} items")
    return {
        "items": n,
        "workers": WORKERS,
        "bare ActorPool ms an item": bare_s * 1e3 / n,
        "driver, null sink ms an item": null.wall_s * 1e3 / n,
        "driver, dataset ms an item": full.wall_s * 1e3 / n,
        "null sink, driver memory B an item": null.slope_bytes,
        "dataset, driver memory B an item": full.slope_bytes,
        "dataset, memory at end MiB": full.memory[-1][1] / 2**20,
    }


def show(figures: dict[str, float]) -> None:
    """Print the figures as a table."""
    print(
        f"{figures['items']:.0f} items that do nothing, {figures['workers']:.0f} workers, real Ray"
    )
    for name, value in figures.items():
        print(f"  {name:36s} {value:12,.3f}")


def _bare_s(n: int) -> float:
    """Seconds of what a user would write with Ray alone: no queue, no leases, no retries."""
    actor = ray.remote(_Bare)
    pool = ActorPool([actor.options(num_cpus=CPUS).remote() for _ in range(WORKERS)])
    list(pool.map_unordered(lambda a, k: a.work.remote(k), range(WORKERS)))  # both are up
    began_s = time.perf_counter()
    done = sum(1 for _ in pool.map_unordered(lambda a, k: a.work.remote(k), range(n)))
    if done != n:
        raise RuntimeError(f"{done} of {n} items")
    return time.perf_counter() - began_s


class _Bare:
    def work(self, k: int) -> None:
        """Do nothing."""
