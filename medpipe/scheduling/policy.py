"""How often what is tried again, how long anything may take, and how much runs at once."""

import hashlib
from dataclasses import replace

from pydantic import Field, model_validator

from medpipe.records import Record
from medpipe.scheduling.breaker import BreakerConfig
from medpipe.scheduling.events import Failure, FailureKind, ItemTries


class RetryPolicy(Record):
    """Budgets of tries by whose fault it was; each item has its own."""

    transient_tries: int = Field(5, ge=1, description="Tries that the world may fail.")
    transient_budget_s: float = Field(86_400, gt=0, description="And for how long, in all.")
    backoff_s: float = Field(30, gt=0, description="Wait after the first; doubles each time.")
    backoff_max_s: float = Field(3_600, gt=0, description="Longest wait.")
    bug_tries: int = Field(2, ge=1, description="Attempts that may end in a bug of ours.")
    death_tries: int = Field(2, ge=1, description="Workers an item may kill before quarantine.")
    bystander_tries: int = Field(
        2, ge=1, description="Deaths beside which an item may be before it is tried alone."
    )
    worker_bugs: int = Field(
        4, ge=2, description="Bugs of ours in a row after which a worker is replaced."
    )
    worker_start_failures: int = Field(
        4, ge=1, description="Workers of a pool that may die in a row while they start."
    )

    @model_validator(mode="after")
    def _related(self) -> "RetryPolicy":
        if self.backoff_max_s < self.backoff_s:
            raise ValueError("backoff_max_s must be at least backoff_s")
        if self.worker_bugs <= self.bug_tries:
            # Else one bad item alone could wear out the workers that others need.
            raise ValueError("worker_bugs must be more than bug_tries")
        return self


class SchedulingConfig(Record):
    """Bounds of the whole job."""

    retry: RetryPolicy = RetryPolicy()
    breaker: BreakerConfig = BreakerConfig()
    items_in_flight: int = Field(8, ge=1, description="Items leased and not yet acked.")
    media_in_flight_s: float = Field(
        36_000, gt=0, description="Seconds of media fetched and not yet written."
    )
    bytes_in_flight: int = Field(
        50 << 30, gt=0, description="Bytes of media fetched and not yet written."
    )
    prefetch_items: int = Field(
        1, ge=0, description="Items a worker may fetch while it works on another."
    )
    worker_max_steps: int = Field(
        1_000, ge=1, description="A worker is replaced after so many steps, against leaks."
    )
    stall_s: float = Field(
        900, gt=0, description="Nothing happened for this long: say what is waited for."
    )
    idle_worker_s: float = Field(60, ge=0, description="An idle worker is let go after this.")
    deadline_base_s: float = Field(600, gt=0, description="Shortest deadline of a step.")
    deadline_per_media_s: float = Field(
        20, gt=0, description="Deadline of a step: base plus this times the media's duration."
    )
    fetch_deadline_s: float | None = Field(
        None, gt=0, description="Deadline of fetching; None: deadline_base_s over the fetch's own."
    )
    worker_start_s: float = Field(600, gt=0, description="A worker must be up within this.")


def charge(tries: ItemTries, failure: Failure, now_s: float) -> ItemTries:
    """Book a failed attempt on the item's account."""
    match failure.kind:
        case FailureKind.TRANSIENT:
            first = tries.first_transient_at_s
            return replace(
                tries,
                transients=tries.transients + 1,
                first_transient_at_s=now_s if first is None else first,
            )
        case FailureKind.BUG:
            return replace(tries, bugs=tries.bugs + 1)
        case FailureKind.DEATH:
            return replace(tries, deaths=tries.deaths + 1)
        case FailureKind.BYSTANDER:
            return replace(tries, bystanders=tries.bystanders + 1)
        case FailureKind.LOST | FailureKind.REJECTED:
            return tries


def verdict(tries: ItemTries, failure: Failure, now_s: float, policy: RetryPolicy) -> str:
    """What becomes of an item after a failure that was charged: `retry`, `rejected` or `dead`."""
    match failure.kind:
        case FailureKind.REJECTED:
            return "rejected"
        case FailureKind.TRANSIENT:
            since_s = now_s - (tries.first_transient_at_s or now_s)
            spent = (
                tries.transients >= policy.transient_tries or since_s >= policy.transient_budget_s
            )
            return "rejected" if spent else "retry"
        case FailureKind.BUG:
            return "dead" if tries.bugs >= policy.bug_tries else "retry"
        case FailureKind.DEATH:
            return "dead" if tries.deaths >= policy.death_tries else "retry"
        case FailureKind.LOST | FailureKind.BYSTANDER:
            return "retry"


def is_suspect(tries: ItemTries, policy: RetryPolicy) -> bool:
    """Whether an item is tried alone from now on, on workers that have done nothing yet."""
    return tries.deaths > 0 or tries.bystanders >= policy.bystander_tries


def delay_s(item_id: str, tries: ItemTries, failure: Failure, policy: RetryPolicy) -> float:
    """Seconds until the next try: exponential for the world's faults, with a jitter by item.

    The jitter (0.5 to 1 of the wait) is a function of the item and the try, so that a replay of
    the same events gives the same instructions.
    """
    if failure.kind is not FailureKind.TRANSIENT:
        return 0.0
    wait = min(policy.backoff_max_s, policy.backoff_s * 2.0 ** min(tries.transients - 1, 60))
    digest = hashlib.sha256(f"{item_id}/{tries.transients}".encode()).digest()
    return wait * (0.5 + digest[0] / 510)


def in_place_s(failures: int, policy: RetryPolicy) -> float:
    """Seconds until a step whose results are kept is tried again where it stands."""
    return min(policy.backoff_max_s, policy.backoff_s * 2.0 ** min(failures - 1, 60))


def step_limit_s(lane: str, media_s: float, config: SchedulingConfig) -> float:
    """Seconds that a step may take; fetching has no media yet to be measured by."""
    if lane == "fetch" and config.fetch_deadline_s is not None:
        return config.fetch_deadline_s
    return config.deadline_base_s + config.deadline_per_media_s * media_s
