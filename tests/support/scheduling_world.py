"""A small world around a scheduler, in which anything goes wrong; checks every order."""

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK
from medpipe.scheduling import (
    BreakerConfig,
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
    LetGo,
    QueueSeen,
    Release,
    Resize,
    RetryPolicy,
    RunStep,
    Scheduler,
    SchedulingConfig,
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
from medpipe.scheduling.policy import is_suspect

LAST = ("write", "record")
STEPS = {step.name: step for step in (*VIDEO_WALK, RECORD_REJECTION)}
POOLS = {"extract": 3, "transcribe": 2, "write": 1}
CONFIG = SchedulingConfig(
    retry=RetryPolicy(
        transient_tries=3,
        backoff_s=2,
        backoff_max_s=20,
        worker_bugs=3,
        worker_start_failures=10_000,
        worker_start_failures_max=10_000,
        death_backoff_s=2,
    ),
    breaker=BreakerConfig(failures=3, cool_down_s=15, cool_down_max_s=60),
    items_in_flight=4,
    worker_max_steps=10,
    media_in_flight_s=200,
    idle_worker_s=15,
    deadline_base_s=30,
    deadline_per_media_s=0.5,
    worker_start_s=30,
)
OUTCOMES = {
    "done": 30, "rejected": 2, "transient": 3, "bug": 1, "death": 2, "lost": 1, "hang": 1,
}  # fmt: skip
LONGEST_S = 100_000
NODES = ("node-0", "node-1", "node-2")


@dataclass
class Worker:
    """A worker: what it runs by lane, and the attempts whose file it holds."""

    pool: str
    node: str
    used: int = 0
    suspect: str = ""
    up: bool = False
    runs: dict[str, RunStep] = field(default_factory=dict)
    files: set[tuple[str, int]] = field(default_factory=set)

    @property
    def items(self) -> set[str]:
        return {item for item, _ in self.files} | {run.item_id for run in self.runs.values()}

    @property
    def idle(self) -> bool:
        return self.up and not self.items


def in_place(step: str) -> bool:
    """Whether what the store fails in a step is tried again with all results kept."""
    return step not in STEPS or STEPS[step].stores


class World:
    """A queue, workers and a clock; carries out orders and checks each of them."""

    def __init__(self, seed: int, items: int, troubles: int) -> None:
        self.random = Random(seed)
        self.now_s = 1000.0
        self.scheduler = Scheduler(CONFIG, VIDEO_WALK, RECORD_REJECTION, POOLS)
        self.ready = {f"file:{n}": (0.0, ItemTries()) for n in range(items)}
        self.mine: dict[str, int] = {}
        self.tries: dict[str, ItemTries] = {}
        self.elsewhere: set[str] = set()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.done: dict[tuple[str, int], dict[str, str]] = {}
        self.over: set[tuple[str, int]] = set()
        self.again: set[str] = set()
        self.workers: dict[str, Worker] = {}
        self.limits = dict(POOLS)
        self.later: list[tuple[float, int, Event]] = []
        self.order = count()
        self.history: list[tuple[Event, float, list[Instruction]]] = []
        self.troubles = troubles
        self.stopped = False

    def run(self) -> None:
        self.at(0, Tick())
        while not self.stopped:
            self.now_s, _, event = heapq.heappop(self.later)
            assert self.now_s < LONGEST_S, self.scheduler.waiting_for
            events = deque([event])
            while events and not self.stopped:
                self.handle(events.popleft(), events)

    def handle(self, event: Event, events: deque[Event]) -> None:
        if not self.happens(event):
            return
        out = self.scheduler.handle(event, self.now_s)
        self.history.append((event, self.now_s, out))
        for order in out:
            assert not self.stopped
            self.obey(order, events, out)
        for pool, limit in self.limits.items():
            ups = [worker.up for worker in self.workers.values() if worker.pool == pool]
            assert len(ups) <= limit or all(ups)
        assert self.scheduler.items_in_flight <= len(self.mine)
        written = sum(any(s in self.done.get(key, {}) for s in LAST) for key in self.mine.items())
        again = len(self.again & set(self.mine))  # they may have been written before
        assert len(self.mine) - written - again <= CONFIG.items_in_flight

    def happens(self, event: Event) -> bool:  # noqa: C901 - one case an event
        """Let an event change the world; False where its worker or item is no longer ours."""
        match event:
            case Tick():
                self.at(1, Tick())
                self.move_leases()
                self.lose_node()
                self.resize()
            case Resize():
                self.limits |= event.pools
            case LeaseLostEvent():
                self.mine.pop(event.item_id, None)
            case WorkerUp():
                if event.worker not in self.workers:
                    return False
                self.workers[event.worker].up = True
            case WorkerDied():
                worker = self.workers.pop(event.worker, None)
                if worker is not None:
                    self.over |= {(run.item_id, run.attempt) for run in worker.runs.values()}
                return worker is not None
            case StepDone():
                return self.leaves_worker(event)
            case StepFailed():
                if not (event.failure.kind is FailureKind.TRANSIENT and in_place(event.step)):
                    self.over.add((event.item_id, event.attempt))
                return event.step == "commit" or self.leaves_worker(event)
            case Committed():
                return event.item_id in self.mine
        return True

    def leaves_worker(self, event: StepDone | StepFailed) -> bool:
        this = RunStep("", event.item_id, event.attempt, event.step)
        for name, worker in self.workers.items():
            lanes = {replace(r, worker="", rejection=None): n for n, r in worker.runs.items()}
            if this not in lanes:
                continue
            del worker.runs[lanes[this]]
            key = event.item_id, event.attempt
            done = self.done.setdefault(key, {})
            if isinstance(event, StepDone):
                done[event.step] = name
                worker.files |= {key} if event.step == "acquire" else set()
            holder = self.workers.get(done.get("acquire", ""))
            if self.mine.get(event.item_id) == event.attempt and key not in self.over:
                assert holder is None or event.step in LAST or key in holder.files
            return True
        return False

    def move_leases(self) -> None:
        """Somebody else takes an item of ours now and then, and ends it or gives it back."""
        for item in sorted(self.elsewhere):
            if self.random.random() < 0.1:
                self.elsewhere.discard(item)
                if self.random.random() < 0.5:
                    self.ready[item] = (0.0, ItemTries())
                else:
                    self.ends[item, "done"] += 1
        if self.mine and self.trouble(0.02):
            item = self.random.choice(sorted(self.mine))
            if item not in self.elsewhere:
                self.elsewhere.add(item)
                self.at(0, LeaseLostEvent(item))

    def lose_node(self) -> None:
        """A node goes now and then, and with it all its workers; they are seen to go one by one."""
        if self.trouble(0.03):
            lost, node = Failure(FailureKind.LOST, "node_lost", ""), self.random.choice(NODES)
            for name in [name for name, w in self.workers.items() if w.node == node]:
                self.at(self.random.uniform(0, 3), WorkerDied(name, lost))

    def resize(self) -> None:
        """The cluster grows or shrinks now and then."""
        if self.random.random() < 0.05:
            pools = {pool: self.random.randint(1, most) for pool, most in POOLS.items()}
            one_first = self.random.random() < 0.5
            self.at(self.random.uniform(0, 1), Resize(pools, one_first))

    def obey(  # noqa: C901 - one case an order
        self, order: Instruction, events: deque[Event], out: list[Instruction]
    ) -> None:
        match order:
            case LeaseItems():
                self.lease(order.n, events)
            case StartWorker():
                assert order.worker not in self.workers
                node = self.random.choice(NODES)
                self.workers[order.worker] = Worker(order.pool, node)
                running = sum(w.pool == order.pool for w in self.workers.values())
                assert running <= self.limits[order.pool]
                self.start(order.worker)
            case StopWorker():
                worker = self.workers.pop(order.worker)
                assert (worker.up and not worker.runs) or isinstance(out[-1], Stop)
            case KillWorker():
                runs = self.workers.pop(order.worker).runs.values()
                self.over |= {(run.item_id, run.attempt) for run in runs}
            case LetGo():
                worker = self.workers[order.worker]
                worker.files = {key for key in worker.files if key[0] != order.item_id}
            case RunStep():
                self.run_step(order)
            case Commit():
                item, attempt = order.item_id, self.mine[order.item_id]
                why = Failure(FailureKind.TRANSIENT, "store_unavailable", "")
                failed = StepFailed(item, attempt, "commit", why)
                self.at(2, failed if self.trouble(0.1) else Committed(item))
            case Finish():
                if self.leaves_us(order.item_id):
                    self.ends[order.item_id, order.state] += 1
            case Release():
                assert order.delay_s >= 0
                if self.leaves_us(order.item_id):
                    self.ready[order.item_id] = (self.now_s + order.delay_s, order.tries)
            case Stop():
                assert order.failure is None
                self.stopped = True

    def leaves_us(self, item: str) -> bool:
        """End a lease; False where the queue refuses because it was lost a moment ago."""
        del self.mine[item]
        return item not in self.elsewhere

    def lease(self, n: int, events: deque[Event]) -> None:
        assert n > 0
        able = [i for i, (at_s, _) in self.ready.items() if at_s <= self.now_s][:n]
        for item in able:
            _, tries = self.ready.pop(item)
            self.mine[item], self.tries[item] = 0, tries
            events.append(Leased(item, tries, place=f"host-{int(item[5:]) % 2}"))
        if self.mine and self.trouble(0.1):  # our own lease ran out and comes back to us
            item = self.random.choice(sorted(self.mine))
            if item not in {*able, *self.elsewhere}:
                self.mine[item], self.tries[item] = 0, ItemTries()
                self.again.add(item)
                events.append(Leased(item, ItemTries()))
        if not events:
            events.append(QueueSeen(0, len(self.ready) + len(self.elsewhere)))

    def start(self, name: str) -> None:
        kind = self.random.choice([FailureKind.DEATH, FailureKind.LOST])
        why = Failure(kind, "start", "", unexplained=self.unexplained(kind))
        if not self.trouble(0.2):
            self.at(self.random.uniform(0, 5), WorkerUp(name, self.workers[name].node))
        elif self.random.random() < 0.8:  # else it hangs
            self.at(self.random.uniform(0, 5), WorkerDied(name, why))

    def run_step(self, run: RunStep) -> None:
        worker, step, key = self.workers[run.worker], STEPS[run.step], (run.item_id, run.attempt)
        before = self.done.get(key, {})
        assert worker.up
        assert step.lane not in worker.runs
        assert len(worker.items | {run.item_id}) <= 1 + CONFIG.prefetch_items
        assert worker.pool == step.pool
        assert key not in self.over
        assert run.attempt >= self.mine[run.item_id]
        assert set(step.needs) <= set(before)
        assert run.step not in before
        assert step.on is None or (before[step.on] == run.worker and key in worker.files)
        assert (run.step == "record") == (run.rejection is not None)
        if step.on is None:
            self.check_choice(worker, run.item_id)
        self.mine[run.item_id] = run.attempt
        worker.runs[step.lane] = run
        worker.used += 1
        self.end_step(run)

    def check_choice(self, worker: Worker, item: str) -> None:
        """Suspects unused workers and alone; worn ones nobody; fetch ahead only if none idles."""
        assert worker.used < CONFIG.worker_max_steps
        if is_suspect(self.tries[item], CONFIG.retry):
            assert worker.used == 0
            worker.suspect = item
        elif worker.idle:
            worker.suspect = ""
        if worker.items:
            assert worker.suspect not in worker.items
            pool = [other for other in self.workers.values() if other.pool == worker.pool]
            assert not any(other.idle for other in pool)

    def end_step(self, run: RunStep) -> None:
        (kind,) = self.random.choices(list(OUTCOMES), list(OUTCOMES.values()))
        if kind != "done" and not self.trouble(1):
            kind = "done"
        after_s = self.random.uniform(0, 20)
        match kind:
            case "done":
                media_s = self.random.uniform(1, 100) if run.step == "acquire" else None
                self.at(after_s, StepDone(run.item_id, run.attempt, run.step, media_s))
            case "death" | "lost":
                unexplained = self.unexplained(FailureKind(kind))
                why = Failure(FailureKind(kind), kind, "", unexplained=unexplained)
                self.at(after_s, WorkerDied(run.worker, why))
            case "rejected" | "transient" | "bug":
                why = Failure(FailureKind(kind), kind, "")
                self.at(after_s, StepFailed(run.item_id, run.attempt, run.step, why))

    def unexplained(self, kind: FailureKind) -> bool:
        """Whether nobody knows why a worker died."""
        return kind is FailureKind.DEATH and self.random.random() < 0.7

    def trouble(self, share: float) -> bool:
        """Whether something goes wrong now; in all only so often, as a job cannot outlive more."""
        if self.troubles and self.random.random() < share:
            self.troubles -= 1
            return True
        return False

    def at(self, after_s: float, event: Event) -> None:
        heapq.heappush(self.later, (self.now_s + after_s, next(self.order), event))
