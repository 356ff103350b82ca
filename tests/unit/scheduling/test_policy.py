"""Budgets of tries: who pays for a failure, and how long an item waits."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medpipe.scheduling import DeathNote, Failure, FailureKind, RetryPolicy, SchedulingConfig
from medpipe.scheduling.events import ItemTries
from medpipe.scheduling.policy import Attempt, charge, delay_s, to_be_expected, verdict
from tests.support.scheduling import counts

NOW_S = 5000.0
KINDS = list(FailureKind)


CALM = Attempt(took_s=10, exposed_s=20)


def failed_twice_for(spent_s: float) -> ItemTries:
    return ItemTries(transients=2, transient_s=spent_s)


def failure(kind: FailureKind) -> Failure:
    return Failure(kind, "some_code", "why")


@pytest.mark.parametrize(
    ("kind", "paid"),
    [
        (FailureKind.REJECTED, {}),
        (FailureKind.LOST, {"losses": 1}),
        (FailureKind.BUG, {"bugs": 1}),
        (FailureKind.DEATH, {"deaths": 1}),
        (FailureKind.BYSTANDER, {"bystanders": 1}),
        (FailureKind.TRANSIENT, {"transients": 1}),
    ],
)
def test_each_kind_is_charged_to_its_own_account(kind: FailureKind, paid: dict[str, int]) -> None:
    tries = charge(ItemTries(), failure(kind), NOW_S, CALM)

    assert counts(tries) == ItemTries(**paid)
    assert tries.exposed_s == 20


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.LOST])
def test_losses_count_in_a_row(kind: FailureKind) -> None:
    tries = charge(ItemTries(losses=7), failure(kind), NOW_S, CALM)

    assert tries.losses == 0


def test_a_first_loss_is_free_and_further_ones_wait_longer_and_longer() -> None:
    waits = [
        delay_s("file:a", ItemTries(losses=n), failure(FailureKind.LOST), RetryPolicy(backoff_s=30))
        for n in range(1, 20)
    ]

    assert waits[0] == 0
    assert 15 <= waits[1] <= 30 <= waits[2] * 2 <= 120
    assert max(waits) <= 3_600
    assert sum(waits) > 6 * 3_600  # a cluster with a bad morning makes no dead letters


def test_tries_that_the_world_failed_add_up_what_they_took() -> None:
    tries = charge(ItemTries(), failure(FailureKind.TRANSIENT), NOW_S, CALM)

    again = charge(tries, failure(FailureKind.TRANSIENT), NOW_S + 9_999, CALM)

    assert (again.transients, again.transient_s) == (2, 20)


def test_a_death_leaves_its_evidence() -> None:
    failed = Failure(FailureKind.DEATH, "worker_died", "end of file", "extract", unexplained=True)

    tries = charge(ItemTries(), failed, NOW_S, Attempt(10, 20, rate_per_s=0.01, sure_per_s=0.005))

    assert tries.notes == (
        DeathNote(NOW_S, "extract", "worker_died", "end of file", True, pytest.approx(36)),
    )
    assert tries.expected_deaths == pytest.approx(0.1)


def test_what_was_to_be_expected_is_what_was_sure_then_or_looks_so_now() -> None:
    died = Failure(FailureKind.DEATH, "worker_died", "", unexplained=True)
    calm = Attempt(10, 20, watched_s=1e9)
    storm = Attempt(10, 20, rate_per_s=0.01, sure_per_s=0.01, watched_s=1e9)
    doubtful = Attempt(10, 20, rate_per_s=0.01, watched_s=1e9)

    def expected(first: Attempt, second: Attempt) -> float:
        tries = charge(charge(ItemTries(), died, NOW_S, first), died, NOW_S, second)
        return to_be_expected(tries, second)

    assert expected(calm, calm) == pytest.approx(0, abs=1e-6)
    assert expected(calm, storm) == pytest.approx(0.4)
    assert expected(storm, calm) == pytest.approx(0.2)
    assert expected(doubtful, calm) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("tries", "kind", "end"),
    [
        (ItemTries(), FailureKind.REJECTED, "rejected"),
        (ItemTries(bugs=9, deaths=9, losses=19), FailureKind.LOST, "retry"),
        (ItemTries(losses=20), FailureKind.LOST, "dead"),
        (ItemTries(bugs=1), FailureKind.BUG, "retry"),
        (ItemTries(bugs=2), FailureKind.BUG, "dead"),
        (ItemTries(bugs=2, deaths=1), FailureKind.DEATH, "retry"),
        (ItemTries(deaths=2), FailureKind.DEATH, "dead"),
        (failed_twice_for(9), FailureKind.TRANSIENT, "retry"),
        (replace(failed_twice_for(9), transients=3), FailureKind.TRANSIENT, "rejected"),
        (failed_twice_for(100), FailureKind.TRANSIENT, "rejected"),
    ],
)
def test_a_budget_that_is_spent_ends_the_item(
    tries: ItemTries, kind: FailureKind, end: str
) -> None:
    policy = RetryPolicy(
        bug_tries=2, death_tries=2, transient_tries=3, transient_budget_s=100, backoff_s=1
    )

    assert verdict(tries, failure(kind), policy, CALM) == end


def note(*, unexplained: bool) -> DeathNote:
    return DeathNote(NOW_S, "extract", "some_code", "", unexplained, 0.0)


@pytest.mark.parametrize(
    ("known", "unknown", "expected", "end"),
    [
        (0, 2, 0.0, "dead"),
        (0, 2, 0.001, "dead"),
        (0, 2, 0.1, "retry"),
        (0, 5, 0.1, "dead"),
        (0, 3, 1.0, "retry"),
        (0, 7, 5.0, "retry"),
        (0, 8, 5.0, "dead"),
        (2, 0, 5.0, "dead"),
        (1, 1, 5.0, "retry"),
        (1, 1, 0.0, "dead"),
        (1, 0, 0.0, "retry"),
    ],
)
def test_deaths_of_unknown_cause_count_if_they_are_improbable_for_an_innocent(
    known: int, unknown: int, expected: float, end: str
) -> None:
    notes = (note(unexplained=False),) * known + (note(unexplained=True),) * unknown
    tries = ItemTries(deaths=known + unknown, expected_deaths=expected, notes=notes)

    assert verdict(tries, failure(FailureKind.DEATH), RetryPolicy(), CALM) == end


@given(
    expected=st.floats(0, 1e6), policy=st.builds(RetryPolicy, death_tries_max=st.integers(2, 20))
)
def test_deaths_end_an_item_whatever_happens_around_it(
    expected: float, policy: RetryPolicy
) -> None:
    tries = ItemTries(deaths=policy.death_tries_max, expected_deaths=expected)

    assert verdict(tries, failure(FailureKind.DEATH), policy, CALM) == "dead"


@given(kind=st.sampled_from(KINDS), bugs=st.integers(0, 9), deaths=st.integers(0, 9))
def test_nobody_is_ever_paid_back(kind: FailureKind, bugs: int, deaths: int) -> None:
    before = ItemTries(bugs, deaths, bystanders=0, transients=1)

    after = charge(before, failure(kind), NOW_S + 1, CALM)

    was, became = astuple(counts(before))[:4], astuple(counts(after))[:4]
    assert all(b >= a for a, b in zip(was, became, strict=True))
    assert sum(became) - sum(was) in (0, 1)
    assert len(after.notes) == (kind is FailureKind.DEATH)


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
    tries = ItemTries(transients=transients)

    wait_s = delay_s(item, tries, failure(FailureKind.TRANSIENT), policy)

    assert 0.5 * backoff_s <= wait_s <= policy.backoff_max_s
    assert wait_s == delay_s(item, tries, failure(FailureKind.TRANSIENT), policy)


def test_items_that_fail_together_do_not_come_back_together() -> None:
    tries = ItemTries(transients=1)

    waits = {
        delay_s(f"file:{n}", tries, failure(FailureKind.TRANSIENT), RetryPolicy())
        for n in range(50)
    }

    assert len(waits) > 25


@pytest.mark.parametrize("kind", [FailureKind.BUG, FailureKind.DEATH, FailureKind.LOST])
def test_what_is_known_to_be_no_fault_of_the_world_does_not_wait(kind: FailureKind) -> None:
    assert delay_s("file:a", ItemTries(bugs=1), failure(kind), RetryPolicy()) == 0


@given(exposed_s=st.floats(0, 1e6), deaths=st.integers(1, 8))
def test_after_an_unexplained_death_an_item_waits_as_long_as_it_had_run(
    exposed_s: float, deaths: int
) -> None:
    policy = RetryPolicy(death_backoff_s=10, backoff_max_s=3_600)
    died = Failure(FailureKind.DEATH, "worker_died", "", unexplained=True)

    wait_s = delay_s("file:a", ItemTries(deaths=deaths), died, policy, exposed_s=exposed_s)

    longest_s = min(3_600, max(exposed_s, 10 * 2 ** (deaths - 1)))
    assert longest_s / 2 <= wait_s <= longest_s


def test_caps_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="death_tries_max"):
        RetryPolicy(death_tries=3, death_tries_max=2)
    with pytest.raises(ValidationError, match="worker_start_failures_max"):
        RetryPolicy(worker_start_failures=30)


def test_a_longest_wait_below_the_first_is_refused() -> None:
    with pytest.raises(ValidationError, match="backoff_max_s"):
        RetryPolicy(backoff_s=60, backoff_max_s=30)
    with pytest.raises(ValidationError, match="items_in_flight"):
        SchedulingConfig(items_in_flight=0)
