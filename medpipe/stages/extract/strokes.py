"""Follow the head of a line that is being drawn: the tip of a pen."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.grid import Chunk, Delta, Gray, Mask, Replay
from medpipe.stages.extract.track import Place

_STAYS_SAMPLES = 3
_STAYS_SHARE = 0.6
_FEWEST_SAMPLES = 6
_DENSE_SHARE = 0.7
_MOST_GAP_SAMPLES = 2
_TOUCH_PX = 4
_LEAST_PX = 6
_MOST_BLOCKS = 80
_LEAST_STEP_PX = 2.0
_FIT = 0.7
_BOX_PX = 16
_JOIN = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """What a sample changed, as one piece.

    Attributes:
        sample: The sample.
        points: (n, 2) int, x and y of its pixels.
        shown: (n,) uint8, what they show then.
    """

    sample: int
    points: NDArray[np.intp]
    shown: Gray


def follow_strokes(chunk: Chunk, places: Sequence[Place | None]) -> list[Place | None]:
    """Fill in a pen's tip while it draws.

    Each sample adds a piece to the line that touches the one before and stays. The tip is the end
    of the newest piece, away from the one before.

    Args:
        chunk: The samples.
        places: One entry a sample: the pointer's place, or None.

    Returns:
        The places, with more of them.
    """
    filled = list(places)
    for line in _lines(_staying(chunk, places)):
        tips = [_head(after, before) for before, after in pairwise(line)]
        if len(tips) < _FEWEST_SAMPLES or _usual_step(tips) < _LEAST_STEP_PX:
            continue
        ends = [*(patch.sample for patch in line[2:]), line[-1].sample + 1]
        for (x, y), patch, end in zip(tips, line[1:], ends, strict=True):
            box = (round(x) - _BOX_PX // 2, round(y) - _BOX_PX // 2, _BOX_PX, _BOX_PX)
            for sample in range(patch.sample, end):
                if filled[sample] is None:
                    filled[sample] = Place(sample, sample + 1, x, y, _FIT, PointerKind.PEN, box)
    return filled


def _staying(chunk: Chunk, places: Sequence[Place | None]) -> list[_Patch]:
    """Single pieces that samples without a known pointer changed and that then stay."""
    waiting: list[_Patch] = []
    found: list[_Patch] = []
    replay = Replay(chunk)
    for sample in range(1, len(chunk)):
        delta = chunk.deltas[sample]
        before = None
        if delta is not None and places[sample] is None and _is_small(delta):
            part = _part_of(delta, chunk.layout.block)
            before = replay.at(sample - 1)[part].copy()
        picture = replay.at(sample)
        while waiting and sample - waiting[0].sample >= _STAYS_SAMPLES:
            patch = waiting.pop(0)
            x, y = patch.points.T
            same = np.abs(picture[y, x].astype(int) - patch.shown) <= chunk.levels[sample]
            if same.mean() >= _STAYS_SHARE:
                found.append(patch)
        if before is not None:
            patch_now = _patch(picture[part], before, part, sample, chunk.levels[sample])
            waiting += [] if patch_now is None else [patch_now]
    return found


def _is_small(delta: Delta) -> bool:
    """Whether a sample changed one small place and no other."""
    if delta.whole is not None or not 0 < int(delta.changed.sum()) <= _MOST_BLOCKS:
        return False
    near = cv2.dilate(delta.changed.astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.connectedComponents(near)[0] == 2


def _part_of(delta: Delta, side: int) -> tuple[slice, slice]:
    rows, columns = np.nonzero(delta.changed.any(1))[0], np.nonzero(delta.changed.any(0))[0]
    return (
        slice(int(rows[0]) * side, (int(rows[-1]) + 1) * side),
        slice(int(columns[0]) * side, (int(columns[-1]) + 1) * side),
    )


def _patch(
    now: Gray, before: Gray, part: tuple[slice, slice], sample: int, level: float
) -> _Patch | None:
    gap: Mask = cv2.absdiff(now, before) > level
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(gap.astype(np.uint8), _JOIN)
    )
    if count < 2:
        return None
    label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    own = (labels == label) & gap
    if own.sum() < _LEAST_PX:
        return None
    y, x = np.nonzero(own)
    points = np.stack([x + part[1].start, y + part[0].start], axis=1)
    return _Patch(sample, points, now[own])


def _lines(patches: Sequence[_Patch]) -> list[list[_Patch]]:
    """Pieces that touch one after the other, dense enough in time."""
    lines: list[list[_Patch]] = []
    for patch in patches:
        last = lines[-1][-1] if lines else None
        soon = last is not None and patch.sample - last.sample <= _MOST_GAP_SAMPLES + 1
        if last is not None and soon and _distance(patch, last) <= _TOUCH_PX:
            lines[-1].append(patch)
        else:
            lines.append([patch])
    return [
        line for line in lines if len(line) > _DENSE_SHARE * (line[-1].sample - line[0].sample + 1)
    ]


def _distance(a: _Patch, b: _Patch) -> float:
    apart = a.points[:, None, :] - b.points[None, :: max(len(b.points) // 200, 1), :]
    return float(np.abs(apart).max(axis=2).min())


def _usual_step(tips: Sequence[tuple[float, float]]) -> float:
    return float(np.median([np.hypot(x - u, y - v) for (u, v), (x, y) in pairwise(tips)]))


def _head(patch: _Patch, before: _Patch) -> tuple[float, float]:
    """The end of a piece that is farthest from the piece before, a little inside of it."""
    away = patch.points - before.points.mean(axis=0)
    far = np.hypot(*away.T)
    end = patch.points[far >= np.quantile(far, 0.9)]
    x, y = end.mean(axis=0)
    return float(x), float(y)
