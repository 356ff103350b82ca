from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.stages.transcribe.heard import Span
from medpipe.stages.transcribe.windows import halves, missed, snapped, windows_of


def windows(*speech: tuple[float, float], pad_s: float = 0.0) -> list[tuple[float, float]]:
    found = windows_of(
        [Span(a, b) for a, b in speech], window_s=20, join_gap_s=2, pad_s=pad_s, sound_s=120
    )
    return [(round(w.start_s, 6), round(w.end_s, 6)) for w in found]


def test_stretches_close_to_each_other_share_a_window() -> None:
    assert windows((1, 3), (4, 6)) == [(1, 6)]


def test_a_long_silence_ends_a_window() -> None:
    assert windows((1, 3), (8, 9)) == [(1, 3), (8, 9)]


def test_a_long_run_is_cut_at_its_longest_silence() -> None:
    assert windows((0, 8), (8.1, 14), (15, 24), (24.1, 30)) == [(0, 14), (15, 30)]


def test_padding_stops_half_way_to_the_neighbour_and_at_the_ends() -> None:
    assert windows((0.5, 3), (8, 119.5), pad_s=4) == [(0, 5.5), (5.5, 120)]


@given(
    st.lists(st.tuples(st.floats(0.05, 20), st.floats(0.05, 5)), min_size=1, max_size=30),
    st.floats(0, 1),
)
def test_windows_cover_all_speech_in_order_without_overlap(
    steps: list[tuple[float, float]], pad_s: float
) -> None:
    speech: list[Span] = []
    at = 0.0
    for length, gap in steps:
        speech.append(Span(at + gap, at + gap + length))
        at += gap + length

    found = windows_of(speech, window_s=20, join_gap_s=2, pad_s=pad_s, sound_s=at + 1)

    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(found))
    assert all(w.length_s <= 20 + 2 * pad_s + 0.02 for w in found)
    for stretch in speech:
        assert any(
            w.start_s - 1e-6 <= stretch.start_s and stretch.end_s <= w.end_s + 0.011 for w in found
        )


def test_a_window_is_halved_at_the_silence_near_its_middle() -> None:
    first, second = halves(Span(0, 10), [Span(0, 4), Span(4.5, 6), Span(6.1, 10)])

    assert first.end_s == second.start_s == pytest.approx(4.25)


def test_a_short_window_is_not_halved() -> None:
    assert halves(Span(0, 1.5), []) == [Span(0, 1.5)]


def test_holes_in_speech_are_found() -> None:
    assert missed([Span(0, 10)], [Span(0, 2), Span(6, 7)], 2.5) == [Span(2, 6), Span(7, 10)]


@pytest.mark.parametrize(
    ("word", "want"),
    [
        ((0.2, 1.4), (0.95, 1.4)),
        ((1.5, 2.9), (1.5, 2.05)),
        ((1.8, 3.2), (1.8, 3.2)),
        ((2.3, 2.6), (2.3, 2.6)),
    ],
    ids=["starts in silence", "ends in silence", "over two stretches", "in no speech"],
)
def test_words_are_pulled_out_of_silence(
    word: tuple[float, float], want: tuple[float, float]
) -> None:
    found = snapped(Span(*word), [Span(1, 2), Span(3, 4)], 0.05)

    assert (found.start_s, found.end_s) == pytest.approx(want)
