"""The steps of the walk, and what the scheduler knows of an item on its way through them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from medpipe.scheduling.events import Failure, ItemTries


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk.

    Attributes:
        name: Unique in the walk.
        pool: Whose workers run it.
        needs: Steps that must be done before.
        on: Step whose worker must run this one too, or None for any worker of the pool.
        holds_until: Steps for which the worker stays with the item after this step.
        lane: A worker runs one step a lane; `fetch` goes on beside `compute`.
        stores: It writes to the store: what the store fails is tried again in place.
    """

    name: str
    pool: str
    needs: tuple[str, ...] = ()
    on: str | None = None
    holds_until: tuple[str, ...] = ()
    lane: str = "compute"
    stores: bool = False


@dataclass(slots=True)
class Job:
    """An item in flight.

    Attributes:
        attempt: Unique in the job; results of another attempt are stale.
        place: Host that it is fetched from, if any.
        held: Worker by the step that keeps it.
        rejection: Set once the item is to be recorded as rejected.
        written: Its last step is done; a commit follows.
        not_before_s: Unix time before which nothing of it is started.
    """

    item_id: str
    attempt: int
    tries: ItemTries
    place: str = ""
    done: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    media_s: float = 0.0
    media_bytes: int = 0
    rejection: Failure | None = None
    written: bool = False
    committing: bool = False
    store_failures: int = 0
    store_failed_at_s: float = 0.0
    not_before_s: float = 0.0

    def runnable(self, walk: Sequence[Step]) -> list[Step]:
        """Steps of its walk that could begin now."""
        if self.written:
            return []
        return [
            step
            for step in walk
            if step.name not in self.done
            and step.name not in self.running
            and self.done.issuperset(step.needs)
        ]

    def needs_pool(self, pool: str, walk: Sequence[Step]) -> bool:
        """Whether a step of its walk will still run on this pool."""
        return not self.written and any(
            step.pool == pool and step.name not in self.done for step in walk
        )
