"""What the scheduler is told and what it orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """Whose fault a failed step was; decides who pays."""

    REJECTED = "rejected"  # the item's: recorded, never retried
    TRANSIENT = "transient"  # the world's: back-off, a budget of its own
    BUG = "bug"  # ours: bounded retries, then a dead letter
    DEATH = "death"  # the worker's process died or hung under the item: suspect
    BYSTANDER = "bystander"  # shared a worker with one that died: free, but remembered
    LOST = "lost"  # node lost or preempted: free


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed; `step` is filled in by the scheduler.

    Attributes:
        unexplained: A death that may as well have come from outside (SIGKILL, the machine's
            memory); one with a known cause (the worker's own memory limit, a deadline) is not.
    """

    kind: FailureKind
    code: str
    detail: str
    step: str = ""
    unexplained: bool = False


@dataclass(frozen=True, slots=True)
class DeathNote:
    """Evidence of one death under an item.

    Attributes:
        at_s: Unix time.
        step: What it was at.
        code: Reason code.
        detail: What is known of the process's end.
        unexplained: It may have come from outside.
        rate_per_h: Other unexplained deaths an hour of a worker, at that time.
    """

    at_s: float
    step: str
    code: str
    detail: str
    unexplained: bool
    rate_per_h: float


@dataclass(frozen=True, slots=True)
class ItemTries:
    """What an item has cost so far; mirrors what the queue keeps between leases.

    Attributes:
        exposed_s: Worker-seconds for which a death would have been laid to it.
        expected_deaths: How many deaths surely from outside were to be expected in them.
        transient_s: Seconds that its tries which the world failed took, with the waits ordered
            after them; not those in which it stood in line.
        losses: Attempts in a row that Ray lost: its node went, or a fault of Ray's own.
        notes: Evidence of its deaths.
    """

    bugs: int = 0
    deaths: int = 0
    bystanders: int = 0
    transients: int = 0
    transient_s: float = 0.0
    losses: int = 0
    exposed_s: float = 0.0
    expected_deaths: float = 0.0
    notes: tuple[DeathNote, ...] = ()


# Events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leased:
    """An item was leased for us; `place` is the host it is fetched from, if any."""

    item_id: str
    tries: ItemTries
    place: str = ""


@dataclass(frozen=True, slots=True)
class LeaseLostEvent:
    """An item went to somebody else; forget it."""

    item_id: str


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """How the queue looked when last asked: nothing ready; `open_elsewhere` may come back."""

    ready: int
    open_elsewhere: int


@dataclass(frozen=True, slots=True)
class WorkerUp:
    """A worker has loaded its models and waits for work."""

    worker: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker is gone, whether it was starting, idle or at work."""

    worker: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step of an attempt ended well; the first one tells how much media it is."""

    item_id: str
    attempt: int
    step: str
    media_s: float | None = None
    media_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step of an attempt failed; its worker lives."""

    item_id: str
    attempt: int
    step: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Committed:
    """An item's rows (or its reject) are in the dataset."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Resize:
    """The cluster has changed.

    Attributes:
        pools: The most workers of each pool from now on, 1 or more.
        one_first: Room has to be launched and may not come: a pool gets a second worker only when
            each one that items need has its first, so that none keeps the room of all; and who
            starts and is no longer needed is not waited for.
    """

    pools: Mapping[str, int]
    one_first: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


Event = (
    Leased
    | LeaseLostEvent
    | QueueSeen
    | WorkerUp
    | WorkerDied
    | StepDone
    | StepFailed
    | Committed
    | Resize
    | Tick
)

# Instructions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeaseItems:
    """Take up to n items from the queue; tell with `Leased` in one go, or `QueueSeen` if none."""

    n: int


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start a worker of a pool."""

    pool: str
    worker: str


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Let an idle worker go."""

    worker: str


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End a worker that hangs or is no longer to start; no `WorkerDied` will follow."""

    worker: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """Tell a worker to drop the file of an item."""

    worker: str
    item_id: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell people something that they may want to act upon."""

    text: str


@dataclass(frozen=True, slots=True)
class RunStep:
    """Run a step of an attempt on a worker.

    Attributes:
        rejection: Set for the recording step: why the item is rejected.
    """

    worker: str
    item_id: str
    attempt: int
    step: str
    rejection: Failure | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Bring what the last step wrote into the tables, in a batch, and tell with `Committed`."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Finish:
    """End an item in the queue: `done`, `rejected` or `dead`."""

    item_id: str
    state: str
    tries: ItemTries
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Give an item back to the queue, to be tried again after a delay."""

    item_id: str
    delay_s: float
    tries: ItemTries
    failure: Failure


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing is left to do; `failure` is set when the job itself cannot go on."""

    failure: Failure | None = None


Instruction = (
    LeaseItems
    | StartWorker
    | StopWorker
    | KillWorker
    | LetGo
    | RunStep
    | Commit
    | Finish
    | Release
    | Warn
    | Stop
)
