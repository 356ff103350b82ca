"""Tell where a pointer came from or went to by the other half of its move."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from medpipe.stages.extract.blobs import rim_edge
from medpipe.stages.extract.grid import Chunk, Gray, Mask, Replay
from medpipe.stages.extract.hold import states_of
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.track import Place

_APART_SAMPLES = 4
_UNSEEN_SAMPLES = 8
_MOST_MOVES = 8
_SIZES = (0.7, 1.3)
_MOST_CHANGED = 0.02
_EDGE_RATIO = 1.5
_LEAST_PX = 20
_SHORTEST_REST_SAMPLES = 3
_RIM_PX = 3
_MOST_PATCHES = 8
_SAME_RMS = 10.0
_FIT = 0.9
_MOST_FIT = 0.9
_JOIN = np.ones((7, 7), np.uint8)


def moves(chunk: Chunk, runs: Sequence[Run], places: Sequence[Place | None]) -> list[Place | None]:
    """Fill in a pointer at rest that is only recognised while it moves.

    Over a move two patches of the pointer's size change in a picture at rest: where it was and
    where it is. One of them is known; if there is just one other, it rested there.

    Args:
        chunk: The samples.
        runs: Of the samples.
        places: One entry a sample: the pointer's place, or None.

    Returns:
        The places, with more of them.
    """
    filled = list(places)
    done = 0
    for run in runs:
        if not run.still:
            continue
        for index in range(run.start, run.end):
            if done >= _MOST_MOVES:
                return filled
            for step in (-1, 1):
                if _ends(filled, index, step):
                    done += 1
                    _follow_up(chunk, filled, index, step)
    return filled


def _ends(places: Sequence[Place | None], index: int, step: int) -> bool:
    """Whether a pointer is seen at a sample and not for a while before (-1) or after (1)."""
    place = places[index]
    other = index + _APART_SAMPLES * step
    if place is None or place.fit > _MOST_FIT or not 0 <= other < len(places):
        return False
    far = index + _UNSEEN_SAMPLES * step
    beyond = places[max(far, 0) : index] if step < 0 else places[index + 1 : far + 1]
    return all(each is None for each in beyond)


def _follow_up(chunk: Chunk, filled: list[Place | None], index: int, step: int) -> None:
    place = filled[index]
    other = index + _APART_SAMPLES * step
    replay = Replay(chunk)
    first = replay.at(min(index, other)).copy()
    last = replay.at(max(index, other))
    here = None if place is None else _other_half(first, last, chunk.level(0, len(chunk)), place)
    if place is None or here is None:
        return
    x, y, mask = here
    height, width = mask.shape
    shown, gone = (first, last) if step < 0 else (last, first)
    if not _is_thing(shown, gone, x, y, mask):
        return
    start, end = other, other + 1
    while start > 0 and filled[start - 1] is None:
        start -= 1
    while end < len(filled) and filled[end] is None:
        end += 1
    states = list(states_of(chunk, np.s_[y : y + height, x : x + width], start, end))
    now = max(k for k, (at, _) in enumerate(states) if at <= other)
    pixels = [look[mask].astype(np.float32) for _, look in states]
    same = [float(((each - pixels[now]) ** 2).mean()) <= _SAME_RMS**2 for each in pixels]
    first_same, last_same = now, now
    while first_same > 0 and same[first_same - 1]:
        first_same -= 1
    while last_same + 1 < len(states) and same[last_same + 1]:
        last_same += 1
    stop = states[last_same + 1][0] if last_same + 1 < len(states) else end
    begin = states[first_same][0]
    if stop - begin < _SHORTEST_REST_SAMPLES and begin > start and stop < end:
        return
    tip = place.x - place.box[0], place.y - place.box[1]
    for sample in range(begin, stop):
        if filled[sample] is None:
            box = (x, y, width, height)
            filled[sample] = replace(
                place, start=sample, end=sample + 1, x=x + tip[0], y=y + tip[1], box=box, fit=_FIT
            )


def _other_half(
    first: Gray, last: Gray, level: float, place: Place
) -> tuple[int, int, Mask] | None:
    """The only other patch of a pointer's size that differs: left, top and mask."""
    gap = (cv2.absdiff(first, last) > level).astype(np.uint8)
    if gap.mean() > _MOST_CHANGED:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(gap, _JOIN))
    x, y, width, height = place.box
    found = []
    for label in range(1, count):
        left, top, wide, high, _ = (int(v) for v in stats[label])
        near_x = left < x + width + _RIM_PX and left + wide > x - _RIM_PX
        if near_x and top < y + height + _RIM_PX and top + high > y - _RIM_PX:
            continue
        part = np.s_[top : top + high, left : left + wide]
        mask = (labels[part] == label) & (gap[part] > 0)
        if int(mask.sum()) >= _LEAST_PX:
            rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
            mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            found.append((left + int(columns[0]), top + int(rows[0]), mask))
    alike = [each for each in found if _is_like(each[2], width, height)]
    return alike[0] if len(alike) == 1 and len(found) <= _MOST_PATCHES else None


def _is_thing(shown: Gray, gone: Gray, x: int, y: int, mask: Mask) -> bool:
    """Whether a patch has its edge where a pointer should be shown, not where it should not."""
    whole = np.pad(mask, _RIM_PX)
    top, left = y - _RIM_PX, x - _RIM_PX
    part = np.s_[top : top + whole.shape[0], left : left + whole.shape[1]]
    if min(top, left) < 0 or shown[part].shape != whole.shape:
        return False
    return rim_edge(shown[part], whole) > _EDGE_RATIO * rim_edge(gone[part], whole)


def _is_like(mask: Mask, width: int, height: int) -> bool:
    sizes = zip(mask.shape, (height, width), strict=True)
    return all(_SIZES[0] * whole < side < _SIZES[1] * whole for side, whole in sizes)
