"""What the scheduler costs: a million items on a thousand workers, and no-ops on a real Ray.

The first part is a simulation in virtual time: one pool of workers that fetch one item ahead, on
spot nodes of eight. It reports how busy the workers were, that no item was lost, and the CPU time
the scheduler took for an event. The second part sends items that do nothing through the real
driver, its SQLite queue and Ray's actors, beside a bare `ray.util.ActorPool` in the same run.
Prints tables and writes `benchmarks/results/scheduler.json` with the machine and the commit.

    python -m benchmarks.scheduler [--simulated N] [--workers N] [--real N]
"""

import argparse
import heapq
import json
import time
from collections import Counter, deque
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import psutil

from benchmarks.machine import about
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
    LetGo,
    QueueSeen,
    Release,
    RetryPolicy,
    RunStep,
    Scheduler,
    SchedulingConfig,
    StartWorker,
    Step,
    StepDone,
    StepFailed,
    Stop,
    StopWorker,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries

RESULTS = Path(__file__).parent / "results"

WALK = (
    Step("fetch", pool="work", holds_until=("work",), lane="fetch"),
    Step("work", pool="work", needs=("fetch",), on="fetch"),
)
RECORD = Step("record", pool="work")

TICK_S = 5.0
COMMIT_S = 20.0  # as runtime.commit_s
START_S = 60.0
WORKERS_A_NODE = 8
PREEMPTED_AN_HOUR = 0.05
WORK_S = (200.0, 0.8)  # median and sigma of a lognormal
FETCH_S = (20.0, 1.0)
THROTTLED = 0.005
POISON = 1e-4
SAMPLED = 16  # the clock is read at every 16th event


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulated", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--real", type=int, default=5_000)
    args = parser.parse_args()
    figures: dict[str, Any] = about()
    if args.simulated:
        figures["simulated"] = simulated = simulate(args.simulated, args.workers)
        print(f"{args.simulated} items on {args.workers} workers, virtual time")
        for name, value in simulated.items():
            print(f"  {name:34s} {value:14,.4f}")
    if args.real:
        from benchmarks.driving import measure, show

        figures["real"] = measure(args.real)
        show(figures["real"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scheduler.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def simulate(items: int, workers: int, seed: int = 7) -> dict[str, float]:
    """Run a job to its end in virtual time and say how it went."""
    world = Simulation(items, workers, seed)
    began_s = time.process_time()
    world.run()
    cpu_s = time.process_time() - began_s
    ends = Counter(world.ends.values())
    available_s = workers * (world.last_end_s - world.first_up_s)
    return {
        "items": items,
        "workers": workers,
        "items done": ends["done"],
        "items dead (poison)": ends["dead"],
        "items poison": len(world.poison),
        "items rejected (throttled again)": ends["rejected"],
        "items lost": items - len(world.ends),
        "ended wrongly": sum(
            (end == "dead") != (item in world.poison) for item, end in world.ends.items()
        ),
        "workers preempted": world.preempted,
        "virtual hours": world.last_end_s / 3600,
        "utilisation": world.busy_s / available_s,
        "utilisation until none was left": world.busy_then_s / (workers * world.none_left_s),
        "utilisation by work that counted": world.useful_s / available_s,
        "events": world.events,
        "scheduler CPU us per event": world.sampled_s * 1e6 / max(1, world.sampled),
        "simulation CPU s": cpu_s,
        "memory MiB": psutil.Process().memory_info().rss / 2**20,
    }


class Simulation:
    """A queue, workers on spot nodes and a clock; carries out the scheduler's orders."""

    poison_share = POISON
    throttled = THROTTLED
    preempted_an_hour = PREEMPTED_AN_HOUR

    def __init__(
        self, items: int, workers: int, seed: int, retry: RetryPolicy | None = None
    ) -> None:
        self.random = Random(seed)
        self.now_s = 0.0
        self.workers = workers
        self.config = SchedulingConfig(
            retry=retry or RetryPolicy(),
            items_in_flight=2 * workers + 200,
            media_in_flight_s=1e12,
            worker_max_steps=1_000_000,
        )
        self.scheduler = self.new_scheduler()
        self.ready = deque(range(items))
        self.delayed: list[tuple[float, int]] = []
        self.tries: dict[int, ItemTries] = {}
        self.poison = {f"{n}" for n in range(items) if self.random.random() < self.poison_share}
        self.ends: dict[str, str] = {}
        self.work_s: dict[str, float] = {}
        self.node_of: dict[str, int] = {}
        self.on_node: dict[int, set[str]] = {n: set() for n in range(workers // WORKERS_A_NODE)}
        self.at_work: dict[tuple[str, int], tuple[float, str]] = {}
        self.written: list[str] = []
        self.later: list[tuple[float, int, Event | int | str | None]] = []
        self.order = count()
        self.leased = 0
        self.stopped = False
        self.first_up_s = 0.0
        self.last_end_s = self.busy_s = self.useful_s = self.sampled_s = 0.0
        self.events = self.sampled = self.preempted = 0
        self.none_left_s = self.busy_then_s = 0.0

    def new_scheduler(self) -> Scheduler:
        """A scheduler that knows nothing yet."""
        return Scheduler(self.config, WALK, RECORD, {"work": self.workers})

    def run(self) -> None:
        """Let everything happen until the scheduler stops."""
        self.at(0, Tick())
        self.at(COMMIT_S, None)
        for node in self.on_node:
            self.at(self.next_loss_s(), node)
        while not self.stopped:
            self.now_s, _, what = heapq.heappop(self.later)
            match what:
                case None:
                    self.commit()
                case int():
                    self.lose(what)
                case str():
                    self.strike(what)
                case _:
                    self.tell(what)

    def tell(self, first: Event) -> None:
        """Tell the scheduler of an event and do what it says, until it has nothing more to say."""
        events = deque([first])
        while events and not self.stopped:
            event = events.popleft()
            if not self.happens(event):
                continue
            self.events += 1
            if self.events % SAMPLED:
                out = self.scheduler.handle(event, self.now_s)
            else:
                began_s = time.process_time()
                out = self.scheduler.handle(event, self.now_s)
                self.sampled_s += time.process_time() - began_s
                self.sampled += 1
            for order in out:
                self.obey(order, events)

    def happens(self, event: Event) -> bool:
        """Let an event change the world; False where its worker is gone."""
        match event:
            case Tick():
                self.at(TICK_S, Tick())
            case WorkerUp():
                self.first_up_s = self.first_up_s or self.now_s
                return event.worker in self.node_of
            case WorkerDied():
                return self.gone(event.worker)
            case StepDone(step="work"):
                began_s, _ = self.at_work.pop((event.item_id, event.attempt), (0.0, ""))
                if not began_s:
                    return False  # its worker was taken away under it
                self.busy_s += self.now_s - began_s
                self.work_s[event.item_id] = self.now_s - began_s
        return True

    def obey(self, order: Instruction, events: deque[Event]) -> None:  # noqa: C901
        """Carry out an instruction."""
        match order:
            case RunStep():
                self.begin(order)
            case LetGo():
                pass
            case Commit():
                self.written.append(order.item_id)
            case LeaseItems():
                self.lease(order.n, events)
            case StartWorker():
                node = min(self.on_node, key=lambda n: len(self.on_node[n]))
                self.node_of[order.worker] = node
                self.on_node[node].add(order.worker)
                self.at(START_S, WorkerUp(order.worker, f"node-{node}"))
            case StopWorker() | KillWorker():
                self.gone(order.worker)
            case Finish():
                if order.item_id in self.ends:
                    raise RuntimeError(f"{order.item_id} ended twice")
                self.ends[order.item_id] = order.state
                self.useful_s += self.work_s.pop(order.item_id, 0.0)
                self.last_end_s = self.now_s
                self.leased -= 1
            case Release():
                self.leased -= 1
                self.tries[int(order.item_id)] = order.tries
                heapq.heappush(self.delayed, (self.now_s + order.delay_s, int(order.item_id)))
            case Stop():
                self.stopped = True

    def begin(self, run: RunStep) -> None:
        """Decide how long a step takes and how it ends."""
        if run.step == "fetch":
            if self.random.random() < self.throttled:
                slow = Failure(FailureKind.TRANSIENT, "throttled", "")
                self.at(5, StepFailed(run.item_id, run.attempt, "fetch", slow))
                return
            after_s = self.random.lognormvariate(0, FETCH_S[1]) * FETCH_S[0]
            self.at(after_s, StepDone(run.item_id, run.attempt, "fetch", 3600.0))
            return
        self.at_work[run.item_id, run.attempt] = self.now_s, run.worker
        after_s = self.random.lognormvariate(0, WORK_S[1]) * WORK_S[0]
        if run.item_id in self.poison:
            died = Failure(FailureKind.DEATH, "worker_died", "", unexplained=True)
            self.at(after_s / 2, WorkerDied(run.worker, died))
        else:
            self.at(after_s, StepDone(run.item_id, run.attempt, "work"))

    def lease(self, n: int, events: deque[Event]) -> None:
        """Give up to n items that are ready."""
        while self.delayed and self.delayed[0][0] <= self.now_s:
            self.ready.append(heapq.heappop(self.delayed)[1])
        for _ in range(min(n, len(self.ready))):
            item = self.ready.popleft()
            self.leased += 1
            events.append(Leased(f"{item}", self.tries.get(item, ItemTries())))
        if not self.ready and not self.none_left_s:
            self.none_left_s = self.now_s - self.first_up_s
            at_work_s = sum(self.now_s - began_s for began_s, _ in self.at_work.values())
            self.busy_then_s = self.busy_s + at_work_s
        if not events:
            events.append(QueueSeen(0, len(self.delayed)))

    def commit(self) -> None:
        """Commit what was written, as the driver does every so often."""
        written, self.written = self.written, []
        for item_id in written:
            self.tell(Committed(item_id))
        self.at(COMMIT_S, None)

    def lose(self, node: int) -> None:
        """A node is taken away with all its workers; an empty one stands in its place."""
        lost = Failure(FailureKind.LOST, "node_lost", "")
        for worker in sorted(self.on_node[node]):
            self.preempted += 1
            self.tell(WorkerDied(worker, lost))
        self.at(self.next_loss_s(), node)

    def strike(self, what: str) -> None:
        """Something else happens from outside."""
        raise NotImplementedError(what)

    def gone(self, worker: str) -> bool:
        """A worker is gone; what it did until now was work all the same."""
        node = self.node_of.pop(worker, None)
        if node is None:
            return False
        self.on_node[node].discard(worker)
        for run in [run for run, (_, name) in self.at_work.items() if name == worker]:
            began_s, _ = self.at_work.pop(run)
            self.busy_s += self.now_s - began_s
        return True

    def next_loss_s(self) -> float:
        """Seconds until a node is lost."""
        return self.random.expovariate(self.preempted_an_hour / 3600)

    def at(self, after_s: float, what: Event | int | str | None) -> None:
        """Let something happen later."""
        heapq.heappush(self.later, (self.now_s + after_s, next(self.order), what))


if __name__ == "__main__":
    main()
