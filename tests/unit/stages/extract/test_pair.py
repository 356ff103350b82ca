"""Two pointers at the same time: which is which, and when there is only one."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind, Trace
from medpipe.stages.extract import extract
from medpipe.stages.extract.grid import Chunk, Layout
from medpipe.stages.extract.pair import beside, pair_up
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.track import Place
from tests.unit.stages.extract.test_extract import (
    CONFIG,
    HEIGHT,
    WIDTH,
    slide,
    steady,
    wander,
    write_clip,
)

SAMPLES = 40
RUN = Run(0, SAMPLES, still=True)


def place(sample: int, x: float, y: float = 50, side: int = 10, until: int | None = None) -> Place:
    box = (round(x), round(y), side, side)
    return Place(sample, until or sample + 1, x, y, 0.3, PointerKind.ARROW, box)


def chunk() -> Chunk:
    empty = Chunk(Layout.of(640, 360, 640), np.zeros((360, 640), np.uint8))
    for k in range(SAMPLES):
        empty.add(k / 12.5, None, 16)
    return empty


def quick(k: int) -> Place:
    return place(k, 20 + 14 * k)


def slow(k: int) -> Place:
    return place(k, 300 - 5 * k, 200, side=14)


def test_paths_that_went_over_to_the_other_pointer_are_set_right() -> None:
    mixed: list[Place | None] = [quick(k) if k < 20 else slow(k) for k in range(SAMPLES)]
    rest: list[Place | None] = [slow(k) if k < 20 else quick(k) for k in range(SAMPLES)]

    pair = pair_up(chunk(), [mixed, rest], [])

    assert pair.first == [quick(k) for k in range(SAMPLES)]
    assert pair.second == [slow(k) for k in range(SAMPLES)]


def test_the_pointer_just_seen_goes_on_past_where_the_other_was_lost() -> None:
    lost = 30
    main: list[Place | None] = [place(k, 20 + 9 * k) for k in range(SAMPLES)]
    rest: list[Place | None] = [
        place(k, 310, 50 + 12 * (lost - k)) if k < lost - 2 else None for k in range(SAMPLES)
    ]

    pair = pair_up(chunk(), [main, rest], [])

    assert all(p is not None and p.y == 50 for p in pair.first + pair.second[lost:] if p)
    assert sum(p is not None for p in pair.second) == lost - 2


def test_one_pointer_seen_in_two_ways_is_one() -> None:
    found: list[Place | None] = [quick(k) if k % 3 else None for k in range(SAMPLES)]
    coloured: list[Place | None] = [place(k, 23 + 14 * k) for k in range(SAMPLES)]

    pair = pair_up(chunk(), [found, coloured], [])

    assert not any(pair.second)
    assert pair.first[1] == quick(1)
    assert pair.first[3] == coloured[3]


def test_what_rests_beside_a_moving_pointer_is_none() -> None:
    main: list[Place | None] = [quick(k) for k in range(SAMPLES)]
    feature = [place(0, 400, 300, until=SAMPLES)]
    other = [slow(k) for k in range(SAMPLES)]

    assert beside([*main, *feature], feature, main, RUN, surely=False) == []
    assert beside([*main, *other], feature, main, RUN, surely=False) == [*other, *feature]


def second(time_s: float) -> tuple[float, float]:
    return 160 + 110 * np.sin(0.7 * time_s), 205 + 15 * np.sin(1.3 * time_s)


def test_a_dot_and_an_arrow_give_two_traces(tmp_path: Path) -> None:
    image = slide(41)

    def with_dot(time_s: float) -> NDArray[np.uint8]:
        shown = image.copy()
        x, y = second(time_s)
        cv2.circle(shown, (round(x * 16), round(y * 16)), 7 * 16, (10, 10, 10), -1, cv2.LINE_AA, 4)
        return shown

    path = write_clip(tmp_path / "a.mp4", with_dot, wander, steady(8))

    found = extract(path, tmp_path, CONFIG)

    (other,) = found.others
    arrow, dot = sorted((found.points, other), key=lambda trace: off_px(trace, wander))
    assert off_px(arrow, wander) < 6
    assert off_px(dot, second) < 6
    assert min(len(arrow), len(dot)) > 60


def off_px(trace: Trace, truth: Callable[[float], tuple[float, float]]) -> float:
    """Nine in ten points are nearer than this."""
    off = [
        np.hypot(x * WIDTH - truth(t)[0], y * HEIGHT - truth(t)[1])
        for t, x, y in zip(trace.t_s, trace.x, trace.y, strict=True)
    ]
    return float(np.quantile(off, 0.9))
