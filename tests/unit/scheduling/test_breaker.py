"""Breakers: who is left alone, for how long, and who finds out that it answers again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medpipe.scheduling import BreakerConfig
from medpipe.scheduling.breaker import Breakers

HOST, OTHER = "videos.example.org", "media.example.com"
CONFIG = BreakerConfig(failures=3, cool_down_s=60, cool_down_max_s=200)


def opened(at_s: float = 0.0) -> Breakers:
    breakers = Breakers(CONFIG)
    for _ in range(3):
        breakers.failed(HOST, at_s)
    return breakers


def test_a_place_is_left_alone_once_it_has_failed_often_enough_in_a_row() -> None:
    breakers = Breakers(CONFIG)

    rests = []
    for _ in range(3):
        breakers.failed(HOST, 10)
        rests.append(breakers.blocked_s(HOST, 10))

    assert rests == [0, 0, 60]
    assert breakers.blocked_s(HOST, 30) == 40
    assert breakers.blocked_s(HOST, 70) == 0


def test_a_success_in_between_starts_the_count_anew() -> None:
    breakers = Breakers(CONFIG)
    breakers.failed(HOST, 0)
    breakers.failed(HOST, 0)
    breakers.succeeded(HOST)

    breakers.failed(HOST, 0)

    assert breakers.blocked_s(HOST, 0) == 0


def test_other_places_go_on() -> None:
    breakers = opened()

    assert breakers.blocked_s(OTHER, 0) == 0
    assert breakers.open_places(0) == [HOST]


def test_after_the_rest_one_step_probes_and_the_others_wait_for_it() -> None:
    breakers = opened()

    breakers.started(HOST)

    assert breakers.blocked_s(HOST, 61) == 60
    assert breakers.blocked_s(HOST, 1000) == 60


def test_a_probe_that_fails_doubles_the_rest_up_to_its_limit() -> None:
    breakers, now_s, rests = opened(), 0.0, []

    for _ in range(4):
        now_s += breakers.blocked_s(HOST, now_s)
        breakers.started(HOST)
        breakers.failed(HOST, now_s)
        rests.append(breakers.blocked_s(HOST, now_s))

    assert rests == [120, 200, 200, 200]


def test_a_probe_that_goes_well_closes_the_breaker() -> None:
    breakers = opened()
    breakers.started(HOST)

    breakers.succeeded(HOST)
    breakers.failed(HOST, 61)

    assert breakers.blocked_s(HOST, 61) == 0
    assert breakers.open_places(61) == []


def test_a_probe_that_says_nothing_lets_another_one_try() -> None:
    breakers = opened()
    breakers.started(HOST)

    breakers.gave_up(HOST)

    assert breakers.blocked_s(HOST, 61) == 0


def test_steps_that_began_before_it_opened_prolong_no_rest() -> None:
    breakers = opened()

    breakers.failed(HOST, 50)

    assert breakers.blocked_s(HOST, 50) == 10


def test_what_has_no_place_never_rests() -> None:
    breakers = Breakers(CONFIG)

    for _ in range(10):
        breakers.started("")
        breakers.failed("", 0)

    assert breakers.blocked_s("", 0) == 0
    assert breakers.open_places(0) == []


@given(acts=st.lists(st.sampled_from(["failed", "succeeded", "started", "gave_up", "wait"])))
def test_no_place_is_left_alone_for_good(acts: list[str]) -> None:
    breakers, now_s = Breakers(CONFIG), 0.0
    for act in acts:
        match act:
            case "failed":
                breakers.failed(HOST, now_s)
            case "succeeded":
                breakers.succeeded(HOST)
            case "started":
                breakers.started(HOST)
            case "gave_up":
                breakers.gave_up(HOST)
            case _:
                now_s += 30
        assert 0 <= breakers.blocked_s(HOST, now_s) <= CONFIG.cool_down_max_s

    breakers.gave_up(HOST)

    assert breakers.blocked_s(HOST, now_s + CONFIG.cool_down_max_s) == 0


def test_a_longest_rest_below_the_first_is_refused() -> None:
    with pytest.raises(ValidationError, match="cool_down_max_s"):
        BreakerConfig(cool_down_s=60, cool_down_max_s=30)
