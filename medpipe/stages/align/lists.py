"""Phrases that follow one another quickly: each gets its own place, in order of time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medpipe.records import Box, ScoredBox, Trace
from medpipe.stages.align.boxes import box_of, worth_of
from medpipe.stages.align.config import AlignConfig
from medpipe.stages.align.gesture import Path, Stay, path_of, stays_of

Floats = NDArray[np.float64]

_SAME_IOU = 0.5


def boxes_in_order(
    trace: Trace,
    spans_s: Sequence[tuple[float, float]],
    height_per_width: float,
    config: AlignConfig,
) -> list[ScoredBox | None]:
    """Give the phrases of a sentence places that the pointer went to in the same order.

    Args:
        trace: Of the scene.
        spans_s: (start, end) of each phrase in order, on the trace's clock, at least one.
        height_per_width: The image's height over its width.
        config: Windows, stays and boxes.

    Returns:
        A box for each phrase, None where its place draws none or the pointer was not seen.

    Source:
        Ours. A hand falls behind a quick list, so that the word is over when its place is reached:
        alone, each phrase would get the place of the one before.
    """
    reach = config.gesture.reach_s
    low, high = min(s for s, _ in spans_s), max(e for _, e in spans_s)
    path = path_of(trace.between(low - reach, high + reach), height_per_width)
    stays = stays_of(path, config.gesture) if len(path) else []
    if not stays:
        return [None] * len(spans_s)
    places = _places(path, stays, config.gesture.blur)
    windows = [(s - config.lead_s, e + config.list_lag_s) for s, e in spans_s]
    held = np.zeros((len(spans_s), len(places)))
    best: list[list[Stay]] = []
    for row, span_s, window in zip(held, spans_s, windows, strict=True):
        worth = worth_of(path, *span_s, *window)
        of = {stay: float(worth[stay.points()].sum()) for stay in stays}
        total = max(float(worth.sum()), 1e-6)
        row[:] = [sum(of[stay] for stay in place) / total for place in places]
        best.append([max(place, key=of.__getitem__) for place in places])
    return [
        box_of(path, chosen[k], float(row[k]), window, height_per_width, config.box)
        if row[k] > 0
        else None
        for k, row, chosen, window in zip(
            in_order(held, config.list_step), held, best, windows, strict=True
        )
    ]


def _places(path: Path, stays: Sequence[Stay], blur: float) -> list[list[Stay]]:
    """Stays, each with those after it that rest inside it: a gesture ends where it was made."""
    places: list[list[Stay]] = []
    for stay in stays:
        if places and _rests_inside(path, stay, places[-1][0], blur):
            places[-1].append(stay)
        else:
            places.append([stay])
    return places


def _rests_inside(path: Path, stay: Stay, gesture: Stay, blur: float) -> bool:
    mine, other = stay.points(), gesture.points()
    return all(
        values[mine].max() - values[mine].min() <= blur
        and values[other].min() - blur / 2 <= np.median(values[mine])
        and np.median(values[mine]) <= values[other].max() + blur / 2
        for values in (path.u, path.v)
    )


def in_order(held: Floats, step: float) -> list[int]:
    """Choose a column for each row so that columns never fall and the sum is the largest.

    Args:
        held: (rows, columns), at least one of each.
        step: What staying at the same column costs.
    """
    best = held[0].copy()
    came = np.zeros(held.shape, np.int64)
    for i in range(1, len(held)):
        before = np.append(-np.inf, np.maximum.accumulate(best)[:-1])
        where = [int(np.argmax(best[: max(k, 1)])) for k in range(len(best))]
        stays = best - step
        came[i] = np.where(stays >= before, np.arange(len(best)), where)
        best = np.maximum(stays, before) + held[i]
    chosen = [int(np.argmax(best))]
    for i in range(len(held) - 1, 0, -1):
        chosen.append(int(came[i, chosen[-1]]))
    return chosen[::-1]


def led_by(
    first: ScoredBox | None, boxes: tuple[ScoredBox, ...], most: int
) -> tuple[ScoredBox, ...]:
    """Put a box before others, unless it is one of them that is first already."""
    if first is None or (boxes and _alike(first, boxes[0])):
        return boxes
    score = max([first.score, *(box.score for box in boxes)])
    others = [box for box in boxes if not _alike(first, box)]
    return (first.model_copy(update={"score": score}), *others)[:most]


def _alike(a: Box, b: Box) -> bool:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    common = max(width, 0.0) * max(height, 0.0)
    return common >= _SAME_IOU * (a.area + b.area - common)
