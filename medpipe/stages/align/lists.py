"""Phrases that follow one another quickly: each gets its own place, in order of time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medpipe.records import Box, ScoredBox, Trace
from medpipe.stages.align.boxes import box_of, worth_of
from medpipe.stages.align.config import AlignConfig
from medpipe.stages.align.gesture import path_of, stays_of

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
    windows = [(s - config.lead_s, e + config.list_lag_s) for s, e in spans_s]
    held = np.zeros((len(spans_s), len(stays)))
    for row, span_s, window in zip(held, spans_s, windows, strict=True):
        worth = worth_of(path, *span_s, *window)
        total = max(float(worth.sum()), 1e-6)
        row[:] = [worth[stay.points()].sum() / total for stay in stays]
    return [
        box_of(path, stays[k], float(row[k]), window, height_per_width, config.box)
        if row[k] > 0
        else None
        for k, row, window in zip(in_order(held, config.list_step), held, windows, strict=True)
    ]


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
