"""Narrations of a whole image become narrations of a picture in it."""

import pytest

from medpipe.records import Box, Narration, ScoredBox, Trace, Word
from medpipe.stages.align import within

LEFT = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
WORDS = tuple(Word(text=t, start_s=k, end_s=k + 1, probability=1.0) for k, t in enumerate("ab"))


def said(
    points: list[tuple[float, float]],
    boxes: tuple[ScoredBox, ...] = (),
    kind: str = "roi",
    word_points: tuple[tuple[int, int], ...] = (),
) -> Narration:
    n = len(points)
    x, y = [p[0] for p in points], [p[1] for p in points]
    trace = Trace.of([0.1 * k for k in range(n)], x, y, [0.9] * n, [1] * n)
    return Narration(
        0, kind, "a b", "a b", 0.0, 2.0, WORDS, False, False, trace, boxes, word_points
    )


def box(x0: float, y0: float, x1: float, y1: float) -> ScoredBox:
    return ScoredBox(x0=x0, y0=y0, x1=x1, y1=y1, score=0.8, n_points=5, method="dwell")


def test_points_and_boxes_become_shares_of_the_part() -> None:
    (kept,) = within([said([(0.25, 0.5)], (box(0.1, 0.2, 0.3, 0.4),))], LEFT, alone=False)

    assert kept.trace.x.tolist() == [0.5]
    assert kept.trace.y.tolist() == [0.5]
    assert (kept.boxes[0].x0, kept.boxes[0].x1) == pytest.approx((0.2, 0.6))
    assert (kept.boxes[0].y0, kept.boxes[0].y1) == pytest.approx((0.2, 0.4))


def test_points_outside_are_left_out_and_words_keep_their_own() -> None:
    narration = said([(0.1, 0.5), (0.9, 0.5), (0.2, 0.5), (0.3, 0.5)], word_points=((0, 2), (2, 4)))
    (kept,) = within([narration], LEFT, alone=False)

    assert kept.trace.x.tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert kept.word_points == ((0, 1), (1, 3))


def test_a_box_across_the_edge_is_cut_and_one_mostly_outside_is_dropped() -> None:
    (kept,) = within(
        [said([(0.4, 0.5)], (box(0.3, 0.2, 0.6, 0.4), box(0.4, 0.2, 0.9, 0.4)))], LEFT, alone=False
    )

    assert len(kept.boxes) == 1
    assert (kept.boxes[0].x0, kept.boxes[0].x1) == pytest.approx((0.6, 1.0))


def test_what_points_elsewhere_is_not_about_the_part() -> None:
    elsewhere = said([(0.9, 0.5), (0.8, 0.5)], (box(0.7, 0.2, 0.9, 0.4),))
    assert within([elsewhere], LEFT, alone=False) == []
    assert within([elsewhere], LEFT, alone=True) == []


@pytest.mark.parametrize("kind", ["roi", "medical"])
def test_what_does_not_point_is_about_a_picture_that_is_alone(kind: str) -> None:
    assert within([said([], kind=kind)], LEFT, alone=False) == []
    assert len(within([said([], kind=kind)], LEFT, alone=True)) == 1


def test_a_sentence_is_about_the_only_picture_even_if_the_pointer_rests_beside_it() -> None:
    resting = said([(0.9, 0.9)] * 4, kind="medical")
    (kept,) = within([resting], LEFT, alone=True)

    assert len(kept.trace) == 0
    assert within([resting], LEFT, alone=False) == []
