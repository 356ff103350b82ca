from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medpipe.records import Box, Trace
from medpipe.stages.align import AlignConfig, BoxConfig
from medpipe.stages.align.boxes import boxes_of_phrase, turns_round, weighted_quantiles

CONFIG = AlignConfig()
RATE_HZ = 15.0
Way = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def circle(x: float, y: float, rx: float, ry: float, period_s: float = 1.2) -> Way:
    def way(t: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = 2 * np.pi * t / period_s
        return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)

    return way


def park(x: float, y: float) -> Way:
    return lambda t: np.tile((x, y), (len(t), 1))


def stroke(x0: float, y0: float, x1: float, y1: float, length_s: float) -> Way:
    def way(t: NDArray[np.float64]) -> NDArray[np.float64]:
        s = (t / length_s)[:, None]
        return np.array([x0, y0]) + (10 * s**3 - 15 * s**4 + 6 * s**5) * np.array(
            [x1 - x0, y1 - y0]
        )

    return way


def trace(*moves: tuple[float, float, Way], noise: float = 0.0015) -> Trace:
    """A trace from (start, end, way) with hand tremor; nothing is seen between the moves."""
    rng = np.random.default_rng(0)
    times, places = [], []
    for start, end, way in moves:
        t = np.arange(start, end, 1 / RATE_HZ)
        times.append(t)
        places.append(way(t - start) + rng.normal(0, noise, (len(t), 2)))
    t, xy = np.concatenate(times), np.clip(np.concatenate(places), 0, 1)
    return Trace.of(t, xy[:, 0], xy[:, 1], np.full(len(t), 0.9), np.ones(len(t)))


def iou(a: Box, b: tuple[float, float, float, float]) -> float:
    width = min(a.x1, b[2]) - max(a.x0, b[0])
    height = min(a.y1, b[3]) - max(a.y0, b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a.area + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_a_circle_gives_its_own_extent() -> None:
    seen = trace((0, 3, circle(0.4, 0.5, 0.1, 0.12)))

    (box,) = boxes_of_phrase(seen, 0.8, 1.8, 1.0, CONFIG)

    assert box.method == "loop"
    assert iou(box, (0.3, 0.38, 0.5, 0.62)) > 0.85


def test_the_whole_circle_counts_though_the_phrase_is_shorter() -> None:
    seen = trace((0, 3, circle(0.4, 0.5, 0.1, 0.12, period_s=2.5)))

    (box,) = boxes_of_phrase(seen, 1.2, 1.5, 1.0, CONFIG)

    assert iou(box, (0.3, 0.38, 0.5, 0.62)) > 0.8


def test_a_parked_pointer_gives_a_small_fixed_box() -> None:
    seen = trace((0, 4, park(0.25, 0.75)))

    (box,) = boxes_of_phrase(seen, 1, 2, 0.5, CONFIG)

    assert box.method == "point"
    assert box.x1 - box.x0 == pytest.approx(0.05)
    assert box.y1 - box.y0 == pytest.approx(0.1)
    assert ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) == pytest.approx((0.25, 0.75), abs=0.003)


def test_a_box_at_the_edge_stays_inside_the_image() -> None:
    (box,) = boxes_of_phrase(trace((0, 4, park(0.0, 1.0))), 1, 2, 1.0, CONFIG)

    assert (box.x0, box.y1) == (0, 1)
    assert box.area > 0


def test_strokes_before_and_after_do_not_stretch_the_box() -> None:
    seen = trace(
        (0.0, 1.0, park(0.9, 0.9)),
        (1.0, 1.5, stroke(0.9, 0.9, 0.4, 0.3, 0.5)),
        (1.5, 3.5, circle(0.3, 0.3, 0.1, 0.1)),
        (3.5, 4.0, stroke(0.4, 0.3, 0.8, 0.1, 0.5)),
        (4.0, 5.0, park(0.8, 0.1)),
    )

    (box,) = boxes_of_phrase(seen, 1.7, 3.4, 1.0, CONFIG)

    assert iou(box, (0.2, 0.2, 0.4, 0.4)) > 0.8


def test_two_places_in_one_phrase_give_two_boxes_the_longer_one_first() -> None:
    seen = trace(
        (0.0, 1.6, park(0.2, 0.2)),
        (1.6, 2.0, stroke(0.2, 0.2, 0.8, 0.8, 0.4)),
        (2.0, 3.2, park(0.8, 0.8)),
    )

    first, second = boxes_of_phrase(seen, 0.2, 3.0, 1.0, CONFIG)

    assert first.x0 < 0.2 < first.x1
    assert second.x0 < 0.8 < second.x1
    assert first.score > second.score


def test_sweeping_along_a_line_gives_one_flat_box() -> None:
    def sweep(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([0.5 - 0.15 * np.cos(2 * np.pi * t / 1.2), np.full(len(t), 0.4)], axis=1)

    (box,) = boxes_of_phrase(trace((0, 3, sweep)), 0.5, 2.5, 1.0, CONFIG)

    assert iou(box, (0.35, 0.375, 0.65, 0.425)) > 0.7


def test_a_few_stray_detections_do_not_stretch_the_box() -> None:
    seen = trace((0, 3, circle(0.4, 0.5, 0.1, 0.1)))
    x, y = seen.x.copy(), seen.y.copy()
    x[[10, 20, 21, 22]], y[[10, 20, 21, 22]] = 0.95, 0.05
    strays = Trace(seen.t_s, x, y, seen.confidence, seen.kind)

    (box,) = boxes_of_phrase(strays, 0.5, 2.5, 1.0, CONFIG)

    assert iou(box, (0.3, 0.4, 0.5, 0.6)) > 0.8


def test_no_box_when_the_pointer_was_not_seen_near_the_phrase() -> None:
    seen = trace((0, 2, park(0.5, 0.5)))

    assert boxes_of_phrase(seen, 5, 6, 1.0, CONFIG) == ()
    assert boxes_of_phrase(Trace.empty(), 5, 6, 1.0, CONFIG) == ()


def test_a_gesture_just_before_the_words_still_belongs_to_them() -> None:
    seen = trace((0, 2, park(0.5, 0.5)))

    (box,) = boxes_of_phrase(seen, 2.2, 3, 1.0, CONFIG)

    assert box.x0 < 0.5 < box.x1


def test_a_lone_detection_draws_no_box() -> None:
    one = Trace.of([1.0], [0.5], [0.5], [0.9], [1])

    assert boxes_of_phrase(one, 0.8, 1.2, 1.0, CONFIG) == ()


def test_a_short_glimpse_is_trusted_less_than_a_long_look() -> None:
    (short,) = boxes_of_phrase(trace((1.0, 1.4, park(0.5, 0.5))), 0.8, 1.6, 1.0, CONFIG)
    (long,) = boxes_of_phrase(trace((0.0, 3.0, park(0.5, 0.5))), 0.8, 1.6, 1.0, CONFIG)

    assert short.n_points < long.n_points
    assert short.score < long.score


def test_a_circle_round_all_of_the_image_says_nothing() -> None:
    seen = trace((0, 3, circle(0.5, 0.5, 0.49, 0.49)))

    assert boxes_of_phrase(seen, 0.5, 2.5, 1.0, CONFIG) == ()


def test_a_box_larger_than_allowed_is_left_out() -> None:
    seen = trace((0, 3, circle(0.5, 0.5, 0.35, 0.35)))

    (box,) = boxes_of_phrase(seen, 0.5, 2.5, 1.0, CONFIG)
    assert iou(box, (0.15, 0.15, 0.85, 0.85)) > 0.9
    strict = AlignConfig(box=BoxConfig(max_area=0.4))
    assert boxes_of_phrase(seen, 0.5, 2.5, 1.0, strict) == ()


def test_a_phrase_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        boxes_of_phrase(Trace.empty(), 2, 1, 1.0, CONFIG)


@pytest.mark.parametrize("turns", [1.5, -2.0])
def test_turns_are_counted_with_their_sense(turns: float) -> None:
    angle = np.linspace(0, 2 * np.pi * turns, 60)

    assert turns_round(np.cos(angle), np.sin(angle)) == pytest.approx(turns, abs=0.05)


POINT = st.tuples(st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))


@given(st.lists(POINT, min_size=1, max_size=60), st.floats(0.2, 5))
def test_any_boxes_lie_inside_the_image_and_are_finite(
    steps: list[tuple[float, float, float, float]], height_per_width: float
) -> None:
    t = np.cumsum([s[0] for s in steps])
    seen = Trace.of(
        t, [s[1] for s in steps], [s[2] for s in steps], [s[3] for s in steps], np.ones(len(t))
    )

    boxes = boxes_of_phrase(seen, float(t[0]), float(t[-1]), height_per_width, CONFIG)

    for box in boxes:
        assert 0 <= box.x0 <= box.x1 <= 1
        assert 0 <= box.y0 <= box.y1 <= 1
        assert 0 <= box.score <= 1
        assert 1 <= box.n_points <= len(t)


@given(
    st.floats(0, 1), st.floats(0, 1), st.lists(st.floats(-0.2, 0.2), min_size=8, max_size=60),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_the_box_of_one_stay_holds_its_middle_point(
    x: float, y: float, off: list[float], seed: int
) -> None:
    xs = np.clip(x + np.array(off), 0, 1)
    ys = np.clip(y + np.random.default_rng(seed).permutation(off), 0, 1)
    t = np.arange(len(off)) / RATE_HZ
    seen = Trace.of(t, xs, ys, np.ones(len(t)), np.ones(len(t)))
    still = CONFIG.gesture.model_copy(update={"stay_cost": 1000.0, "stroke_area": 4.0})

    boxes = boxes_of_phrase(
        seen, 0, float(t[-1]), 1.0, CONFIG.model_copy(update={"gesture": still})
    )

    for box in boxes:
        assert box.x0 - 0.11 <= np.median(xs) <= box.x1 + 0.11
        assert box.y0 - 0.11 <= np.median(ys) <= box.y1 + 0.11


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_weighted_quantiles_stay_within_the_values(
    pairs: list[tuple[float, float]], share: float
) -> None:
    values, weights = np.array(pairs).T

    (found,) = weighted_quantiles(values, weights, (share,))

    assert values.min() <= found <= values.max()
