"""How often what is tried again, how long anything may take, and how much runs at once."""

import hashlib
from dataclasses import replace

from pydantic import Field, model_validator

from medpipe.records import Record
from medpipe.scheduling.events import Failure, FailureKind, ItemTries


class RetryPolicy(Record):
    """Budgets of tries by whose fault it was; each item has its own."""

    transient_tries: int = Field(5, ge=1, description="Tries that the world may fail.")
    transient_budget_s: float = Field(86_400, gt=0, description="And for how long, in all.")
    backoff_s: float = Field(30, gt=0, description="Wait after the first; doubles each time.")
    backoff_max_s: float = Field(3_600, gt=0, description="Longest wait.")
    bug_tries: int = Field(2, ge=1, description="Attempts that may end in a bug of ours.")
    death_tries: int = Field(2, ge=1, description="Workers an item may kill before quarantine.")
    worker_start_failures: int = Field(
        4, ge=1, description="Workers of a pool that may die in a row while they start."
    )

    @model_validator(mode="after")
    def _related(self) -> "RetryPolicy":
        if self.backoff_max_s < self.backoff_s:
            raise ValueError("backoff_max_s must be at least backoff_s")
        return self


class SchedulingConfig(Record):
    """Bounds of the whole job."""

    retry: RetryPolicy = RetryPolicy()
    items_in_flight: int = Field(8, ge=1, description="Items leased and not yet acked.")
    media_in_flight_s: float = Field(
        36_000, gt=0, description="Seconds of media fetched and not yet written."
    )
    idle_worker_s: float = Field(60, ge=0, description="An idle worker is let go after this.")
    deadline_base_s: float = Field(600, gt=0, description="Shortest deadline of a step.")
    deadline_per_media_s: float = Field(
        20, gt=0, description="Deadline of a step: base plus this times the media's duration."
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
        case FailureKind.LOST:
            return "retry"


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
