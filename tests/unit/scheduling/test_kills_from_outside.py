"""Whole jobs in a small world whose workers and drivers are killed from outside."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.kills import Storm
from medpipe.scheduling import RetryPolicy

POLICY = RetryPolicy()
ITEMS, WORKERS = 120, 8


def storm(seed: int, kills_per_try: float, poison: int, driver_s: float | None = None) -> Storm:
    world = Storm(
        ITEMS,
        WORKERS,
        seed,
        POLICY,
        kills_per_try=kills_per_try,
        poison=poison,
        driver_s=driver_s,
    )
    world.run()
    return world


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    kills_per_try=st.one_of(st.just(0.0), st.floats(0.001, 1)),
    poison=st.integers(0, 6),
    driver_s=st.sampled_from([None, 900.0, 3600.0]),
)
def test_every_item_ends_and_none_with_more_deaths_than_the_cap(
    seed: int, kills_per_try: float, poison: int, driver_s: float | None
) -> None:
    world = storm(seed, kills_per_try, poison, driver_s)

    assert len(world.ends) == ITEMS
    assert max(tries.deaths for tries in world.spent.values()) <= POLICY.death_tries_max
    assert {world.ends[item] for item in world.poison} <= {"dead"}


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_where_all_others_were_watched_to_be_calm_a_poison_costs_two_workers(seed: int) -> None:
    world = Storm(ITEMS, WORKERS, seed, POLICY, kills_per_try=0)
    poison = f"{ITEMS - 1}"
    world.poison = {poison}

    world.run()

    assert {item: end for item, end in world.ends.items() if end != "done"} == {poison: "dead"}
    tries = world.spent[poison]
    ran_for_long = tries.exposed_s > 1000  # a good part of what could be watched beside it
    assert tries.deaths == 2 or (tries.deaths == 3 and ran_for_long)


# The seeds are given: among very many jobs there is one whose innocent is as unlucky as that.
@pytest.mark.parametrize("driver_s", [None, 900.0], ids=["one driver", "killed drivers"])
@pytest.mark.parametrize("kills_per_try", [0.03, 0.1, 0.3])
def test_kills_from_outside_quarantine_no_innocent(
    kills_per_try: float, driver_s: float | None
) -> None:
    hit_twice = 0
    for seed in range(8):
        world = storm(seed, kills_per_try, poison=1, driver_s=driver_s)
        innocents = set(world.ends) - world.poison
        hit_twice += sum(world.spent[item].deaths >= POLICY.death_tries for item in innocents)
        assert {world.ends[item] for item in innocents} == {"done"}
        assert {world.ends[item] for item in world.poison} == {"dead"}

    assert hit_twice or kills_per_try < 0.1


def test_the_rule_of_two_deaths_alone_would_quarantine_innocents() -> None:
    naive = RetryPolicy(death_tries_max=2, worker_start_failures_max=1000)
    world = Storm(ITEMS, WORKERS, 0, naive, kills_per_try=0.3, poison=0)

    world.run()

    assert "dead" in world.ends.values()


def test_several_poisons_among_calm_innocents_are_all_found() -> None:
    world = storm(seed=3, kills_per_try=0, poison=6)

    ends = {item for item, end in world.ends.items() if end == "dead"}
    assert ends == world.poison
    assert max(world.spent[item].deaths for item in world.poison) <= POLICY.death_tries_max
