"""Budgets of tries: who pays for a failure, and how long an item waits."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medpipe.scheduling import Failure, FailureKind, RetryPolicy, SchedulingConfig
from medpipe.scheduling.events import ItemTries
from medpipe.scheduling.policy import charge, delay_s, verdict

NOW_S = 5000.0
KINDS = list(FailureKind)


def failed_twice_since(ago_s: float) -> ItemTries:
    return ItemTries(transients=2, first_transient_at_s=NOW_S - ago_s)


def failure(kind: FailureKind) -> Failure:
    return Failure(kind, "some_code", "why")


@pytest.mark.parametrize(
    ("kind", "paid"),
    [
        (FailureKind.REJECTED, {}),
        (FailureKind.LOST, {}),
        (FailureKind.BUG, {"bugs": 1}),
        (FailureKind.DEATH, {"deaths": 1}),
        (FailureKind.TRANSIENT, {"transients": 1, "first_transient_at_s": NOW_S}),
    ],
)
def test_each_kind_is_charged_to_its_own_account(kind: FailureKind, paid: dict[str, float]) -> None:
    assert charge(ItemTries(), failure(kind), NOW_S) == ItemTries(**paid)  # type: ignore[arg-type]


def test_the_first_transient_failure_stays_the_first() -> None:
    tries = charge(ItemTries(), failure(FailureKind.TRANSIENT), NOW_S)

    again = charge(tries, failure(FailureKind.TRANSIENT), NOW_S + 60)

    assert again == ItemTries(transients=2, first_transient_at_s=NOW_S)


@pytest.mark.parametrize(
    ("tries", "kind", "end"),
    [
        (ItemTries(), FailureKind.REJECTED, "rejected"),
        (ItemTries(bugs=9, deaths=9), FailureKind.LOST, "retry"),
        (ItemTries(bugs=1), FailureKind.BUG, "retry"),
        (ItemTries(bugs=2), FailureKind.BUG, "dead"),
        (ItemTries(bugs=2, deaths=1), FailureKind.DEATH, "retry"),
        (ItemTries(deaths=2), FailureKind.DEATH, "dead"),
        (failed_twice_since(9), FailureKind.TRANSIENT, "retry"),
        (replace(failed_twice_since(9), transients=3), FailureKind.TRANSIENT, "rejected"),
        (failed_twice_since(100), FailureKind.TRANSIENT, "rejected"),
    ],
)
def test_a_budget_that_is_spent_ends_the_item(
    tries: ItemTries, kind: FailureKind, end: str
) -> None:
    policy = RetryPolicy(
        bug_tries=2, death_tries=2, transient_tries=3, transient_budget_s=100, backoff_s=1
    )

    assert verdict(tries, failure(kind), NOW_S, policy) == end


@given(kind=st.sampled_from(KINDS), bugs=st.integers(0, 9), deaths=st.integers(0, 9))
def test_nobody_is_ever_paid_back(kind: FailureKind, bugs: int, deaths: int) -> None:
    before = ItemTries(bugs, deaths, 0, 1, NOW_S)

    after = asdict(charge(before, failure(kind), NOW_S + 1))

    assert all(after[name] >= value for name, value in asdict(before).items())
    assert sum(after.values()) - sum(asdict(before).values()) in (0, 1)


@given(
    item=st.text(max_size=20),
    transients=st.integers(1, 5000),
    backoff_s=st.floats(0.01, 1000),
    factor=st.floats(1, 1000),
)
def test_a_wait_is_between_half_the_backoff_and_its_maximum(
    item: str, transients: int, backoff_s: float, factor: float
) -> None:
    policy = RetryPolicy(backoff_s=backoff_s, backoff_max_s=backoff_s * factor)
    tries = ItemTries(transients=transients, first_transient_at_s=NOW_S)

    wait_s = delay_s(item, tries, failure(FailureKind.TRANSIENT), policy)

    assert 0.5 * backoff_s <= wait_s <= policy.backoff_max_s
    assert wait_s == delay_s(item, tries, failure(FailureKind.TRANSIENT), policy)


def test_items_that_fail_together_do_not_come_back_together() -> None:
    tries = ItemTries(transients=1, first_transient_at_s=NOW_S)

    waits = {
        delay_s(f"file:{n}", tries, failure(FailureKind.TRANSIENT), RetryPolicy())
        for n in range(50)
    }

    assert len(waits) > 25


@pytest.mark.parametrize("kind", [FailureKind.BUG, FailureKind.DEATH, FailureKind.LOST])
def test_only_the_worlds_failures_wait(kind: FailureKind) -> None:
    assert delay_s("file:a", ItemTries(bugs=1), failure(kind), RetryPolicy()) == 0


def test_a_longest_wait_below_the_first_is_refused() -> None:
    with pytest.raises(ValidationError, match="backoff_max_s"):
        RetryPolicy(backoff_s=60, backoff_max_s=30)
    with pytest.raises(ValidationError, match="items_in_flight"):
        SchedulingConfig(items_in_flight=0)
