"""The rate at which workers die whom an item did not kill."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.scheduling.background import Background, chance_of

A, B = "file:a", "file:b"


def hour_of(workers: int) -> Background:
    """A background after an hour of so many workers, without a death."""
    background = Background()
    for minute in range(61):
        background.passes(60.0 * minute, workers)
    return background


def test_no_death_is_no_rate() -> None:
    assert hour_of(10).rate_per_s(3600.0) == 0.0
    assert Background().rate_per_s(0.0) == 0.0


def test_deaths_of_idle_workers_count_for_everybody() -> None:
    background = hour_of(10)
    for _ in range(3):
        background.died(3600.0, set())

    assert background.rate_per_s(3600.0, besides=A) == pytest.approx(3 / 600, rel=0.01)


def test_an_item_is_not_its_own_background() -> None:
    background = hour_of(10)
    background.died(3600.0, {A})

    assert background.rate_per_s(3600.0, besides=A) == 0.0
    assert background.rate_per_s(3600.0, besides=B) > 0.0
    assert background.rate_per_s(3600.0, sure=True) == 0.0


def test_deaths_under_an_item_that_had_several_count_only_once_it_is_cleared() -> None:
    background = hour_of(10)
    for _ in range(2):
        background.died(3600.0, {A})

    assert background.rate_per_s(3600.0, besides=B) == 0.0
    background.cleared(A)
    assert background.rate_per_s(3600.0, besides=B) == pytest.approx(2 / 600, rel=0.01)


def test_deaths_of_a_condemned_item_are_explained() -> None:
    background = hour_of(10)
    background.died(3600.0, {A})
    background.condemned(A)

    assert background.rate_per_s(3600.0, besides=B) == 0.0
    assert not background.knows(A)


def test_a_storm_after_a_calm_hour_is_seen_and_later_forgotten() -> None:
    background = hour_of(10)
    for second in range(0, 60, 10):
        background.died(3600.0 + second, set())
    background.passes(3660.0, 10)

    assert background.rate_per_s(3660.0) == pytest.approx(0.01, rel=0.5)
    background.passes(3660.0 + 2 * 3600, 10)
    assert background.rate_per_s(3660.0 + 2 * 3600) < 1e-4
    assert background.watched_s < 10 * (3660 + 2 * 3600)


def test_one_death_makes_no_storm() -> None:
    background = hour_of(10)
    background.died(3600.0, set())

    assert background.rate_per_s(3600.0) == pytest.approx(
        1 / (10 * 6000 * (1 - math.exp(-0.6))), rel=0.01
    )


def test_a_clock_that_is_set_back_gives_no_negative_time() -> None:
    background = hour_of(10)
    background.died(3600.0, set())
    background.passes(100.0, 10)

    assert background.rate_per_s(100.0) > 0.0


@pytest.mark.parametrize(
    ("deaths", "expected", "chance"),
    [(0, 3.0, 1.0), (1, 0.0, 0.0), (1, 0.1, 0.09516), (2, 0.1, 0.00468), (2, 1e6, 1.0)],
)
def test_the_chance_of_so_many_deaths_is_poissons(
    deaths: int, expected: float, chance: float
) -> None:
    assert chance_of(deaths, expected) == pytest.approx(chance, abs=1e-5)


@given(deaths=st.integers(0, 30), expected=st.floats(0, 100), more=st.floats(0, 100))
def test_more_deaths_are_less_probable_and_more_so_where_fewer_die(
    deaths: int, expected: float, more: float
) -> None:
    chance = chance_of(deaths, expected)

    assert 0.0 <= chance_of(deaths + 1, expected) <= chance <= 1.0
    assert chance_of(deaths, expected + more) >= chance - 1e-9
