"""A scheduler on the real walk, fed by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK
from medpipe.scheduling import (
    Event,
    Failure,
    FailureKind,
    Instruction,
    Leased,
    RunStep,
    Scheduler,
    SchedulingConfig,
    StartWorker,
    Step,
    StepDone,
    StepFailed,
    Tick,
    WorkerDied,
    WorkerUp,
)
from medpipe.scheduling.events import ItemTries

A, B, C = "file:a", "file:b", "file:c"
DIED = Failure(FailureKind.DEATH, "worker_died", "connection error code 2", unexplained=True)
NODE_LOST = Failure(FailureKind.LOST, "node_lost", "its node has died")
ONE_EACH = {"extract": 1, "transcribe": 1, "write": 1}

T = TypeVar("T")


class Job:
    """A scheduler whose workers come up as soon as they are ordered, unless `slow`."""

    def __init__(
        self,
        *leased: str,
        pools: dict[str, int] | None = None,
        slow: bool = False,
        tries: ItemTries | None = None,
        walk: Sequence[Step] = VIDEO_WALK,
        **config: object,
    ) -> None:
        self.now_s = 1000.0
        self.slow = slow
        self.runs: dict[tuple[str, str], RunStep] = {}
        self.scheduler = Scheduler(
            SchedulingConfig.model_validate(config), walk, RECORD_REJECTION, pools or ONE_EACH
        )
        self.out: list[Instruction] = self.tell(Tick())
        for item in leased:
            self.out += self.tell(Leased(item, tries or ItemTries()))

    def tell(self, event: Event, *, after_s: float = 0) -> list[Instruction]:
        self.now_s += after_s
        out = self.scheduler.handle(event, self.now_s)
        for order in list(out):
            if isinstance(order, RunStep):
                self.runs[order.item_id, order.step] = order
            if isinstance(order, StartWorker) and not self.slow:
                out += self.tell(WorkerUp(order.worker))
        return out

    def done(self, item: str, *steps: str, media_s: float | None = None) -> list[Instruction]:
        out: list[Instruction] = []
        for step in steps:
            out += self.tell(StepDone(item, self.runs[item, step].attempt, step, media_s))
        return out

    def fails(self, item: str, step: str, kind: FailureKind, code: str) -> list[Instruction]:
        failure = Failure(kind, code, "why")
        return self.tell(StepFailed(item, self.runs[item, step].attempt, step, failure))

    def dies(self, item: str, step: str, failure: Failure = DIED) -> list[Instruction]:
        return self.tell(WorkerDied(self.runs[item, step].worker, failure))


def steps(out: list[Instruction]) -> list[tuple[str, str]]:
    return [(order.item_id, order.step) for order in out if isinstance(order, RunStep)]


def of(out: list[Instruction], kind: type[T]) -> list[T]:
    return [order for order in out if isinstance(order, kind)]


def counts(tries: ItemTries) -> ItemTries:
    """The counts alone, without times and evidence."""
    return replace(tries, transient_s=0.0, exposed_s=0.0, expected_deaths=0.0, notes=())
