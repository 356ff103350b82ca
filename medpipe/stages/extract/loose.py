"""Follow a pointer that has no fixed look, such as a translucent dot, by being the only mover."""

from collections.abc import Sequence

import cv2
import numpy as np

from medpipe.records import PointerKind
from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.grid import Mask
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.tip import read_crossing
from medpipe.stages.extract.track import Place

_FEWEST_PLACES = 5
_SMALLEST_AREA_PX = 24
_ALONE_SHARE = 0.6
_SIZE_SHARE = 0.5
_AREA_SPAN = (0.3, 2.5)
_SIDE_SPAN = 1.6
_OUTLINE_SHARE = 0.6
_SIDE_SLACK = 0.25
_SIDE_SLACK_PX = 2.0
_FIT = 0.85
_LONGEST_REST_SHARE = 0.6
_ROUND_SHARE = 0.6
_MOVER_SAMPLES = 2
_REST_ENERGY = 0.6
_CROSS_SHARE = 0.4
_ROUND_SIDES = (0.66, 1.5)
_ROUND_HULL = 0.68
_PAD_PX = 2


def loose_places(unknown: Sequence[Blob], known: Sequence[Place], run: Run) -> list[Place]:
    """Take unknown blobs for a pointer where they behave like one.

    Args:
        unknown: Blobs of a still run that no look explains.
        known: Places that a look explains.
        run: The stretch.

    Returns:
        Their places, if there are enough of them, most are alone at their time, they are of one
        size and no single one stays for most of the time; else none.
    """
    worth = [b for b in unknown if b.area >= _SMALLEST_AREA_PX]
    taken = np.zeros(run.end - run.start, np.int32)
    for place in known:
        taken[place.start - run.start : place.end - run.start] += 1
    worth = [b for b in worth if not taken[b.start - run.start : b.end - run.start].any()]
    if len(worth) < _FEWEST_PLACES:
        return []
    area = float(np.median([b.area for b in worth]))
    side = float(np.median([b.side for b in worth]))
    alike = [
        b
        for b in worth
        if _AREA_SPAN[0] < b.area / area < _AREA_SPAN[1] and b.side < _SIDE_SPAN * side
    ]
    if not _behave(alike, worth, run):
        return []
    alike = _without_traces(alike)
    central = float(np.mean([_is_round(b.mask) for b in alike])) > _ROUND_SHARE
    crossed = np.mean([_crossing(b) is not None for b in alike]) > _CROSS_SHARE
    return [_place(blob, central, bool(crossed)) for blob in alike]


def _crossing(blob: Blob) -> tuple[float, float] | None:
    """Where the bars of a cross meet in a blob, picture pixels."""
    here = read_crossing(np.pad(blob.mask, _PAD_PX).astype(np.float32))
    return None if here is None else (blob.x0 + here[0] - _PAD_PX, blob.y0 + here[1] - _PAD_PX)


def _behave(alike: list[Blob], worth: list[Blob], run: Run) -> bool:
    if (
        len(alike) < max(_FEWEST_PLACES, _SIZE_SHARE * len(worth))
        or _distinct(alike) < _FEWEST_PLACES
    ):
        return False
    count = np.zeros(run.end - run.start, np.int32)
    for blob in alike:
        count[blob.start - run.start : blob.end - run.start] += 1
    seen = int((count > 0).sum())
    alone = int((count == 1).sum())
    longest = max(b.end - b.start for b in alike)
    movers = sum(b.end - b.start <= _MOVER_SAMPLES for b in alike)
    return (
        alone >= _ALONE_SHARE * seen
        and longest <= max(_LONGEST_REST_SHARE * seen, 15)
        and movers >= _FEWEST_PLACES
        and _same_outline(alike) >= _OUTLINE_SHARE
    )


def _same_outline(alike: list[Blob]) -> float:
    """Share of blobs as wide and as high as most: a pointer keeps its size, flecks do not."""
    sides = np.array([b.mask.shape for b in alike], np.float64)
    usual = np.median(sides, axis=0)
    near = np.abs(sides - usual) <= np.maximum(_SIDE_SLACK * usual, _SIDE_SLACK_PX)
    return float(near.all(axis=1).mean())


def _without_traces(alike: list[Blob]) -> list[Blob]:
    """Leave out what rests and is faint: the remains of a pointer that a codec has left behind."""
    moving = [b.energy for b in alike if b.end - b.start <= _MOVER_SAMPLES]
    least = _REST_ENERGY * float(np.median(moving))
    return [b for b in alike if b.end - b.start <= _MOVER_SAMPLES or b.energy >= least]


def _distinct(blobs: list[Blob]) -> int:
    centres: list[tuple[float, float]] = []
    for blob in blobs:
        x, y = blob.centre
        if all(np.hypot(x - cx, y - cy) > blob.side for cx, cy in centres):
            centres.append((x, y))
        if len(centres) >= _FEWEST_PLACES:
            break
    return len(centres)


def _is_round(mask: Mask) -> bool:
    height, width = mask.shape
    if not _ROUND_SIDES[0] < height / width < _ROUND_SIDES[1]:
        return False
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = cv2.contourArea(cv2.convexHull(points)) / max(1, (height - 1) * (width - 1))
    return bool(hull > _ROUND_HULL)


def _place(blob: Blob, central: bool, crossed: bool) -> Place:
    height, width = blob.mask.shape
    x, y, kind = blob.x0 + (width - 1) / 2, blob.y0 + (height - 1) / 2, PointerKind.LASER
    if crossed:
        kind = PointerKind.CROSS
        x, y = _crossing(blob) or (x, y)
    elif not central:
        top = np.nonzero(blob.mask[:2].any(0))[0]
        x, y, kind = blob.x0 + float(top.mean()), float(blob.y0), PointerKind.UNKNOWN
    box = (blob.x0, blob.y0, width, height)
    return Place(blob.start, blob.end, x, y, _FIT, kind, box)
