"""Read from a pointer's outline what it is and where its hotspot lies."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind

_FINER = 4
_ALIKE_TURNED = 0.72
_SLACK = 6
_DISC_FILL = 0.35
_DISC_HULL = (0.7, 0.9)
_CLOSE = np.ones((7, 7), np.uint8)

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What an outline says.

    Attributes:
        kind: What it seems to be.
        tip: (x, y) of the hotspot from the top left of the outline's array, pixels.
    """

    kind: PointerKind
    tip: tuple[float, float]


def read_shape(look: Floats, weight: Floats) -> Shape:
    """Read kind and hotspot from a pointer's look.

    Args:
        look: (h, w) float32, grey levels.
        weight: (h, w) float32 in [0, 1], how much of each pixel it covers.

    Returns:
        Hotspot at the centre for outlines that look alike turned by half a turn and mirrored
        (cross, text cursor, dot, halo); at the topmost point otherwise (arrow, hand).
    """
    size = (weight.shape[1] * _FINER, weight.shape[0] * _FINER)
    fine = cv2.resize(weight, size, interpolation=cv2.INTER_CUBIC) > 0.5
    fine = cv2.morphologyEx(fine.astype(np.uint8), cv2.MORPH_CLOSE, _CLOSE) > 0
    rows, columns = np.nonzero(fine.any(1))[0], np.nonzero(fine.any(0))[0]
    if not len(rows):
        return Shape(PointerKind.UNKNOWN, (weight.shape[1] / 2, weight.shape[0] / 2))
    box = fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    x0, y0 = float(columns[0]), float(rows[0])
    if _symmetric(box):
        tip = (x0 + box.shape[1] / 2, y0 + box.shape[0] / 2)
        kind = _round_kind(box)
    else:
        top = box[: max(1, _FINER // 2)].any(0)
        tip = (x0 + float(np.nonzero(top)[0].mean()) + 0.5, y0 + 0.5)
        lean = (tip[0] - x0) / box.shape[1]
        kind = PointerKind.ARROW if lean < 0.25 else PointerKind.HAND
    return Shape(kind, (tip[0] / _FINER - 0.5, tip[1] / _FINER - 0.5))


def _symmetric(box: Mask) -> bool:
    turned = min(_overlap(box, box[::-1, ::-1]), _overlap(box, box[:, ::-1]))
    return turned > _ALIKE_TURNED or _is_disc(box)


def _is_disc(box: Mask) -> bool:
    """Whether the hull is a disc, whatever holes text has torn into the mask."""
    height, width = box.shape
    if not 0.9 < height / width < 1.1 or box.mean() < _DISC_FILL:
        return False
    points = np.argwhere(box)[:, ::-1].astype(np.int32)
    hull = cv2.contourArea(cv2.convexHull(points)) / (height * width)
    return bool(_DISC_HULL[0] < hull < _DISC_HULL[1])


def _overlap(a: Mask, b: Mask) -> float:
    """Common share of two masks, at the best of a few small shifts."""
    best = 0.0
    wide = np.pad(a, _SLACK)
    for dy in range(0, 2 * _SLACK + 1, 2):
        for dx in range(0, 2 * _SLACK + 1, 2):
            there = np.zeros_like(wide)
            there[dy : dy + b.shape[0], dx : dx + b.shape[1]] = b
            best = max(best, float((wide & there).sum() / max(1, (wide | there).sum())))
    return best


def _round_kind(box: Mask) -> PointerKind:
    height, width = box.shape
    fill = float(box.mean())
    if height > 1.6 * width:
        return PointerKind.TEXT_CURSOR
    if fill < 0.6:
        return PointerKind.CROSS
    return PointerKind.LASER if max(height, width) < 18 * _FINER else PointerKind.HALO
