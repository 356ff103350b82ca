"""Carries narrations of a whole image over to a picture cut out of it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medpipe.records import Box, Narration, ScoredBox, Trace

_MOST_OUTSIDE = 0.5


def within(narrations: Sequence[Narration], part: Box, *, alone: bool) -> list[Narration]:
    """What of an image's narrations is about one part of it.

    Args:
        narrations: Of the whole image.
        part: Shares of the whole image.
        alone: It is the image's only picture, so that what is said without pointing is about it.

    Returns:
        Narrations with traces and boxes as shares of the part. Points outside are left out, boxes
        that lie mostly outside too, others are cut at its edge. A narration that points is kept
        where at least half of its points or one of its boxes is inside; one that does not point,
        and a sentence said while the pointer rests beside the picture, only where it is alone.
    """
    kept = []
    for narration in narrations:
        inside = _inside(narration.trace, part)
        boxes = [cut for box in narration.boxes if (cut := _cut(box, part)) is not None]
        points = len(narration.trace)
        pointed = bool(boxes) or (points > 0 and inside.sum() >= _MOST_OUTSIDE * points)
        silent = narration.kind != "roi" or not (points or narration.boxes)
        if pointed or (alone and silent):
            kept.append(
                replace(
                    narration,
                    trace=_moved(narration.trace, inside, part),
                    boxes=tuple(boxes),
                    word_points=_renumbered(narration.word_points, inside),
                )
            )
    return kept


def _inside(trace: Trace, part: Box) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    across = (trace.x >= part.x0) & (trace.x <= part.x1)
    return np.asarray(across & (trace.y >= part.y0) & (trace.y <= part.y1), np.bool_)


def _moved(trace: Trace, inside: np.ndarray[tuple[int], np.dtype[np.bool_]], part: Box) -> Trace:
    x = (trace.x[inside] - part.x0) / (part.x1 - part.x0)
    y = (trace.y[inside] - part.y0) / (part.y1 - part.y0)
    return Trace.of(
        trace.t_s[inside],
        np.clip(x, 0, 1),
        np.clip(y, 0, 1),
        trace.confidence[inside],
        trace.kind[inside],
    )


def _cut(box: ScoredBox, part: Box) -> ScoredBox | None:
    wide = min(box.x1, part.x1) - max(box.x0, part.x0)
    tall = min(box.y1, part.y1) - max(box.y0, part.y0)
    if wide <= 0 or tall <= 0 or wide * tall < _MOST_OUTSIDE * box.area:
        return None
    across, down = part.x1 - part.x0, part.y1 - part.y0
    return box.model_copy(
        update={
            "x0": max((box.x0 - part.x0) / across, 0.0),
            "y0": max((box.y0 - part.y0) / down, 0.0),
            "x1": min((box.x1 - part.x0) / across, 1.0),
            "y1": min((box.y1 - part.y0) / down, 1.0),
        }
    )


def _renumbered(
    spans: Sequence[tuple[int, int]], inside: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[tuple[int, int], ...]:
    """Spans of points after those outside were left out."""
    before = np.concatenate([[0], np.cumsum(inside)])
    return tuple((int(before[first]), int(before[end])) for first, end in spans)
