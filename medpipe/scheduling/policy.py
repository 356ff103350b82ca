"""How often what is tried again, how long anything may take, and how much runs at once."""

import hashlib
from dataclasses import dataclass, replace

from pydantic import Field, model_validator

from medpipe.records import Record
from medpipe.scheduling.background import chance_of
from medpipe.scheduling.breaker import BreakerConfig
from medpipe.scheduling.events import DeathNote, Failure, FailureKind, ItemTries

_NOTE_CHARACTERS = 500
_DOUBT = 0.05  # deaths; two condemn an item that ran for a tenth of all worker-time, or for less


class RetryPolicy(Record):
    """Budgets of tries by whose fault it was; each item has its own."""

    transient_tries: int = Field(5, ge=1, description="Tries that the world may fail.")
    transient_budget_s: float = Field(
        86_400, gt=0, description="And for how long: those tries and the waits after them."
    )
    backoff_s: float = Field(30, gt=0, description="Wait after the first; doubles each time.")
    backoff_max_s: float = Field(3_600, gt=0, description="Longest wait.")
    bug_tries: int = Field(2, ge=1, description="Attempts that may end in a bug of ours.")
    death_tries: int = Field(
        2, ge=1, description="Worker deaths under an item before quarantine, among calm ones."
    )
    death_tries_max: int = Field(
        8, ge=1, description="The same where workers die all around, whoever kills them."
    )
    death_chance: float = Field(
        1e-5,
        gt=0,
        lt=1,
        description="Quarantine when an innocent item would see so many deaths less often than so.",
    )
    death_backoff_s: float = Field(
        30, gt=0, description="Wait after a death of unknown cause; doubles each time."
    )
    bystander_tries: int = Field(
        2, ge=1, description="Deaths beside which an item may be before it is tried alone."
    )
    loss_tries: int = Field(
        20,
        ge=2,
        description="Attempts in a row that may be lost with a node, or by Ray itself; from the "
        "second on they wait like those that the world failed.",
    )
    worker_bugs: int = Field(
        4, ge=2, description="Bugs of ours in a row after which a worker is replaced."
    )
    worker_start_failures: int = Field(
        4, ge=1, description="Workers of a pool that may die in a row while they start."
    )
    worker_start_failures_max: int = Field(
        20, ge=1, description="The same where workers die all around."
    )

    @model_validator(mode="after")
    def _related(self) -> "RetryPolicy":
        if self.backoff_max_s < self.backoff_s:
            raise ValueError("backoff_max_s must be at least backoff_s")
        if self.death_tries_max < self.death_tries:
            raise ValueError("death_tries_max must be at least death_tries")
        if self.worker_start_failures_max < self.worker_start_failures:
            raise ValueError("worker_start_failures_max must be at least worker_start_failures")
        if self.worker_bugs <= self.bug_tries:
            # Else one bad item alone could wear out the workers that others need.
            raise ValueError("worker_bugs must be more than bug_tries")
        return self


class SchedulingConfig(Record):
    """Bounds of the whole job."""

    retry: RetryPolicy = RetryPolicy()
    breaker: BreakerConfig = BreakerConfig()
    items_in_flight: int = Field(
        8, ge=1, description="Items at work; those written that wait for a commit come on top."
    )
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt has been until it failed.

    Attributes:
        took_s: Seconds since its first step began.
        exposed_s: Worker-seconds for which a death would have been laid to it.
        rate_per_s: Deaths a worker-second, seen by now, that the item cannot explain.
        sure_per_s: Those of them that no item in flight can explain.
        watched_s: Worker-seconds over which that was seen.
    """

    took_s: float = 0.0
    exposed_s: float = 0.0
    rate_per_s: float = 0.0
    sure_per_s: float = 0.0
    watched_s: float = 0.0


def charge(tries: ItemTries, failure: Failure, now_s: float, attempt: Attempt) -> ItemTries:
    """Book a failed attempt on the item's account."""
    tries = replace(
        tries,
        losses=tries.losses + 1 if failure.kind is FailureKind.LOST else 0,
        exposed_s=tries.exposed_s + attempt.exposed_s,
        expected_deaths=tries.expected_deaths + attempt.sure_per_s * attempt.exposed_s,
    )
    match failure.kind:
        case FailureKind.TRANSIENT:
            spent_s = tries.transient_s + attempt.took_s
            return replace(tries, transients=tries.transients + 1, transient_s=spent_s)
        case FailureKind.BUG:
            return replace(tries, bugs=tries.bugs + 1)
        case FailureKind.DEATH:
            note = DeathNote(
                now_s,
                failure.step,
                failure.code,
                failure.detail[-_NOTE_CHARACTERS:],
                failure.unexplained,
                attempt.rate_per_s * 3600,
            )
            return replace(tries, deaths=tries.deaths + 1, notes=(*tries.notes, note))
        case FailureKind.BYSTANDER:
            return replace(tries, bystanders=tries.bystanders + 1)
        case FailureKind.LOST | FailureKind.REJECTED:
            return tries


def verdict(tries: ItemTries, failure: Failure, policy: RetryPolicy, attempt: Attempt) -> str:
    """What becomes of an item after a failure that was charged: `retry`, `rejected` or `dead`."""
    match failure.kind:
        case FailureKind.REJECTED:
            return "rejected"
        case FailureKind.TRANSIENT:
            spent = (
                tries.transients >= policy.transient_tries
                or tries.transient_s >= policy.transient_budget_s
            )
            return "rejected" if spent else "retry"
        case FailureKind.BUG:
            return "dead" if tries.bugs >= policy.bug_tries else "retry"
        case FailureKind.DEATH:
            return "dead" if _is_killer(tries, policy, attempt) else "retry"
        case FailureKind.LOST:
            return "dead" if tries.losses >= policy.loss_tries else "retry"
        case FailureKind.BYSTANDER:
            return "retry"


def _is_killer(tries: ItemTries, policy: RetryPolicy, attempt: Attempt) -> bool:
    """Whether an item's deaths are its own doing, or too many whoever did it.

    Those with a known cause count as they are. The others count if so many would be improbable
    for an innocent item that ran as long as this one while workers died at the rate seen.
    """
    if tries.deaths < policy.death_tries:
        return False
    if tries.deaths >= policy.death_tries_max:
        return True
    own = sum(not note.unexplained for note in tries.notes)
    if own >= policy.death_tries:
        return True
    return chance_of(tries.deaths - own, to_be_expected(tries, attempt)) < policy.death_chance


def to_be_expected(tries: ItemTries, attempt: Attempt) -> float:
    """Deaths from outside that an item was to meet, after its last attempt was charged.

    As was sure at the time or as it looks now, whichever says more of the world's part in it; and
    a part of a death for what was not seen: watched for a short while, workers may just seem calm.
    """
    seen = max(tries.expected_deaths, attempt.rate_per_s * tries.exposed_s)
    watched_s = attempt.watched_s + tries.exposed_s - attempt.exposed_s
    return seen + _DOUBT * tries.exposed_s / max(1.0, watched_s)


def is_suspect(tries: ItemTries, policy: RetryPolicy) -> bool:
    """Whether an item is tried alone from now on, on workers that have done nothing yet."""
    return tries.deaths > 0 or tries.bystanders >= policy.bystander_tries


def delay_s(
    item_id: str, tries: ItemTries, failure: Failure, policy: RetryPolicy, *, exposed_s: float = 0.0
) -> float:
    """Seconds until the next try: exponential, with a jitter by item.

    After the world's faults, and from the second loss in a row on, so that it can recover. After a
    death without a known cause, at least as long as the item had run, so that it shows whether
    others die, too.

    The jitter (0.5 to 1 of the wait) is a function of the item and the try, so that a replay of
    the same events gives the same instructions.
    """
    if failure.kind is FailureKind.TRANSIENT:
        tried, wait_s = tries.transients, _doubled(policy.backoff_s, tries.transients)
    elif failure.kind is FailureKind.LOST and tries.losses > 1:
        tried, wait_s = tries.losses, _doubled(policy.backoff_s, tries.losses - 1)
    elif failure.kind is FailureKind.DEATH and failure.unexplained:
        wait_s = _doubled(policy.death_backoff_s, tries.deaths)
        tried, wait_s = tries.deaths, max(wait_s, exposed_s)
    else:
        return 0.0
    return min(policy.backoff_max_s, wait_s) * (0.5 + 0.5 * jitter(f"{item_id}/{tried}"))


def jitter(of: str) -> float:
    """A number from 0 to 1 that is the same for the same text."""
    return hashlib.sha256(of.encode()).digest()[0] / 255


def _doubled(first_s: float, times: int) -> float:
    return first_s * 2.0 ** min(times - 1, 60)


def in_place_s(failures: int, policy: RetryPolicy) -> float:
    """Seconds until a step whose results are kept is tried again where it stands."""
    return min(policy.backoff_max_s, _doubled(policy.backoff_s, failures))


def step_limit_s(lane: str, media_s: float, config: SchedulingConfig) -> float:
    """Seconds that a step may take; fetching has no media yet to be measured by."""
    if lane == "fetch" and config.fetch_deadline_s is not None:
        return config.fetch_deadline_s
    return config.deadline_base_s + config.deadline_per_media_s * media_s
