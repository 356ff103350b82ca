"""Times of frames whose stamps cannot all be believed."""

from itertools import pairwise

import pytest

from medpipe.media.clock import Clock


def told(stamps_s: list[float | None], step_s: float = 0.1) -> list[float]:
    clock = Clock(step_s)
    return [clock.tell(a, b) for a, b in pairwise([*stamps_s, None])]


def test_stamps_that_rise_are_believed_whatever_their_steps() -> None:
    assert told([0.0, 0.1, 0.15, 4.0, 4.1]) == [0.0, 0.1, 0.15, 4.0, 4.1]


def test_one_stamp_far_ahead_is_bridged() -> None:
    assert told([0.0, 0.1, 50.0, 0.3, 0.4]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_a_first_stamp_far_ahead_is_bridged() -> None:
    assert told([50.0, 0.1, 0.2]) == pytest.approx([0.0, 0.1, 0.2])


def test_one_stamp_that_falls_back_is_bridged() -> None:
    assert told([0.0, 0.1, 0.05, 0.3, 0.4]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_stamps_that_begin_anew_go_on() -> None:
    assert told([5.0, 5.1, 0.0, 0.1, 0.2]) == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4])


def test_missing_stamps_are_filled_in() -> None:
    assert told([None, None, 0.2, None]) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_frames_of_one_stamp_are_kept_apart() -> None:
    times_s = told([0.0, 0.1, 0.1, 0.2, 0.2])

    assert all(b > a for a, b in pairwise(times_s))
    assert times_s[3] == pytest.approx(0.2)
