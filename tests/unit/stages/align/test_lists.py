"""Quick lists: each finding has its own place, though the hand falls behind the words."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medpipe.records import ScoredBox, Trace
from medpipe.stages.align import AlignConfig
from medpipe.stages.align.boxes import boxes_of_phrase
from medpipe.stages.align.lists import boxes_in_order, in_order, led_by

CONFIG = AlignConfig()
PLACES = [(0.2, 0.2), (0.8, 0.3), (0.3, 0.8)]


def late_list() -> tuple[Trace, list[tuple[float, float]]]:
    """Three words of 0.5 s, and a hand that is 0.1, 0.35 and 0.55 s late."""
    spans = [(2.0, 2.5), (2.6, 3.1), (3.2, 3.7)]
    arrive = [2.1, 2.95, 3.75]
    t = np.arange(0, 6, 1 / 15)
    places = np.array([(0.5, 0.5), *PLACES])
    at = places[np.searchsorted(arrive, t, side="right")]
    on_the_way = np.zeros(len(t), bool)
    for begin in arrive:
        on_the_way |= (t > begin - 0.15) & (t <= begin)
    keep = ~on_the_way
    n = int(keep.sum())
    return Trace.of(t[keep], at[keep, 0], at[keep, 1], np.full(n, 0.9), np.ones(n)), spans


def at(box: ScoredBox | None) -> tuple[float, float]:
    assert box is not None
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def test_each_finding_of_a_late_list_gets_its_own_place() -> None:
    trace, spans = late_list()

    found = boxes_in_order(trace, spans, 1.0, CONFIG)

    assert np.allclose([at(box) for box in found], PLACES, atol=0.02)


def test_alone_a_late_finding_would_get_the_place_of_the_one_before() -> None:
    trace, spans = late_list()

    alone = boxes_of_phrase(trace, *spans[2], 1.0, CONFIG)

    assert np.allclose(at(alone[0]), PLACES[1], atol=0.02)


def test_findings_of_one_place_share_it() -> None:
    t = np.arange(0, 5, 1 / 15)
    n = len(t)
    trace = Trace.of(t, np.full(n, 0.3), np.full(n, 0.7), np.ones(n), np.ones(n))

    found = boxes_in_order(trace, [(1, 1.5), (2, 2.5)], 1.0, CONFIG)

    assert np.allclose([at(box) for box in found], [(0.3, 0.7)] * 2, atol=0.02)


def test_without_a_pointer_no_finding_has_a_place() -> None:
    assert boxes_in_order(Trace.empty(), [(1, 2), (2, 3)], 1.0, CONFIG) == [None, None]


@given(arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(0, 1)))
def test_the_order_chosen_is_the_best_of_all_orders(held: np.ndarray) -> None:
    def worth(order: tuple[int, ...]) -> float:
        same = sum(a == b for a, b in pairwise(order))
        return float(sum(held[i, k] for i, k in enumerate(order))) - 0.6 * same

    def orders(rows: int, least: int) -> list[tuple[int, ...]]:
        if rows == 0:
            return [()]
        return [(k, *rest) for k in range(least, held.shape[1]) for rest in orders(rows - 1, k)]

    chosen = tuple(in_order(held, 0.6))

    assert list(chosen) == sorted(chosen)
    assert worth(chosen) >= max(map(worth, orders(len(held), 0))) - 1e-9


def box(x: float, score: float) -> ScoredBox:
    return ScoredBox(x0=x, y0=0, x1=x + 0.1, y1=0.1, score=score, n_points=3, method="dwell")


def test_a_new_first_box_leads_and_is_no_less_sure_than_the_others() -> None:
    led = led_by(box(0.5, 0.2), (box(0.0, 0.6), box(0.3, 0.3)), 2)

    assert [(b.x0, b.score) for b in led] == [(0.5, 0.6), (0.0, 0.6)]


def test_a_box_that_leads_already_stays_as_it_is() -> None:
    boxes = (box(0.0, 0.6), box(0.3, 0.3))

    assert led_by(box(0.01, 0.2), boxes, 3) == boxes
    assert led_by(None, boxes, 3) == boxes
    assert led_by(box(0.31, 0.2), boxes, 3)[0].x0 == 0.31
    assert len(led_by(box(0.31, 0.2), boxes, 3)) == 2


def test_a_rest_at_the_end_of_a_circle_is_no_new_place() -> None:
    t = np.arange(0, 5, 1 / 15)
    turn = np.minimum(t, 3.0) * 5
    xy = np.stack([0.4 + 0.1 * np.cos(turn), 0.5 + 0.1 * np.sin(turn)], axis=1)
    trace = Trace.of(t, xy[:, 0], xy[:, 1], np.ones(len(t)), np.ones(len(t)))

    found = boxes_in_order(trace, [(1.0, 1.3), (1.6, 2.2)], 1.0, CONFIG)

    assert np.allclose([at(box) for box in found], [(0.4, 0.5)] * 2, atol=0.03)
    assert all(box is not None and box.method == "loop" for box in found)
