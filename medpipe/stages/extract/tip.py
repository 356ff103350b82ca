"""Read from a pointer's outline what it is and where its hotspot lies."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind

_FINER = 4
_ALIKE_TURNED = 0.72
_SLACK = 6
_LOPSIDED = 1.6
_ARROW_LEAN = 0.25
_BAR_LENGTH = 0.6
_BAR_WIDTH = 0.14
_BAR_SHARE = 0.8
_CROSS_FILL = 0.55
_BAR_TALL = 1.8
_BAR_THIN = 0.45
_BAR_SWAY = 0.5
_LEAST_OPENING = 0.35
_MOST_BEND = 0.6
_MOST_ABOVE = 0.15
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
        Hotspot where the bars of a cross meet, at the centre of other outlines that look alike
        turned by half a turn and mirrored (text cursor, dot, halo), where the flanks of an arrow
        meet, and at the topmost point of anything else (hand).
    """
    fine = _fine(weight)
    rows, columns = np.nonzero(fine.any(1))[0], np.nonzero(fine.any(0))[0]
    if not len(rows):
        return Shape(PointerKind.UNKNOWN, (weight.shape[1] / 2, weight.shape[0] / 2))
    box = fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    kind, (x, y) = _read_box(box)
    return Shape(kind, ((float(columns[0]) + x) / _FINER - 0.5, (rows[0] + y) / _FINER - 0.5))


def read_crossing(weight: Floats) -> tuple[float, float] | None:
    """Where two thin bars cross that an outline consists of: (x, y) as in `Shape`, or None.

    Args:
        weight: (h, w) float32 in [0, 1], how much of each pixel is covered.
    """
    fine = _fine(weight)
    rows, columns = np.nonzero(fine.any(1))[0], np.nonzero(fine.any(0))[0]
    if not len(rows):
        return None
    here = _crossing(fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    if here is None:
        return None
    return (float(columns[0]) + here[0]) / _FINER - 0.5, (rows[0] + here[1]) / _FINER - 0.5


def _fine(weight: Floats) -> Mask:
    size = (weight.shape[1] * _FINER, weight.shape[0] * _FINER)
    fine = cv2.resize(weight, size, interpolation=cv2.INTER_CUBIC) > 0.5
    return np.asarray(cv2.morphologyEx(fine.astype(np.uint8), cv2.MORPH_CLOSE, _CLOSE) > 0)


def read_turned(look: Floats, weight: Floats, turns: int) -> Shape:
    """As `read_shape`, for a look out of frames that are shown turned.

    Args:
        look: (h, w) float32, grey levels.
        weight: (h, w) float32 in [0, 1].
        turns: By 90 degrees, counter-clockwise, that show the look upright.
    """
    upright = np.ascontiguousarray(np.rot90(weight, turns))
    shape = read_shape(np.ascontiguousarray(np.rot90(look, turns)), upright)
    x, y = shape.tip
    width = upright.shape[1]
    height = upright.shape[0]
    for _ in range(turns % 4):
        x, y = height - 1 - y, x
        width, height = height, width
    return Shape(shape.kind, (x, y))


def _read_box(box: Mask) -> tuple[PointerKind, tuple[float, float]]:
    height, width = box.shape
    crossing = _crossing(box)
    if crossing is not None:
        return PointerKind.CROSS, crossing
    bar = _bar(box)
    if bar is not None:
        return PointerKind.TEXT_CURSOR, bar
    if _symmetric(box):
        return _round_kind(box), (width / 2, height / 2)
    top = box[: max(1, _FINER // 2)].any(0)
    tip = (float(np.nonzero(top)[0].mean()) + 0.5, 0.5)
    if tip[0] / width >= _ARROW_LEAN:
        return PointerKind.HAND, tip
    return PointerKind.ARROW, _apex(box) or tip


def _crossing(box: Mask) -> tuple[float, float] | None:
    """Where two thin bars that fill a box cross, if it holds little else."""
    height, width = box.shape
    rows, columns = box.mean(1), box.mean(0)
    if min(rows.max(), columns.max()) < _BAR_LENGTH or box.mean() > _CROSS_FILL:
        return None
    y = float(np.nonzero(rows > 0.7 * rows.max())[0].mean()) + 0.5
    x = float(np.nonzero(columns > 0.7 * columns.max())[0].mean()) + 0.5
    if not (0.3 < x / width < 0.7 and 0.3 < y / height < 0.7 and 0.6 < width / height < 1.6):
        return None
    bars = np.zeros_like(box)
    bars[np.abs(np.arange(height) + 0.5 - y) < _BAR_WIDTH * height] = True
    bars[:, np.abs(np.arange(width) + 0.5 - x) < _BAR_WIDTH * width] = True
    return (x, y) if (box & bars).sum() > _BAR_SHARE * box.sum() else None


def _bar(box: Mask) -> tuple[float, float] | None:
    """Middle of a thin upright bar, with feet or without; arrows and hands grow wider downwards."""
    height, width = box.shape
    middle = box[height // 4 : height - height // 4]
    middle = middle[middle.any(1)]
    if height < _BAR_TALL * width or not len(middle):
        return None
    if middle.sum(1).mean() > _BAR_THIN * width + _FINER:
        return None
    along = np.arange(width) + 0.5
    at = (middle * along).sum(1) / middle.sum(1)
    return (float(at.mean()), height / 2) if at.std() < _BAR_SWAY * _FINER else None


def _apex(box: Mask) -> tuple[float, float] | None:
    """Half way from the top of what is covered to where the straight flanks of an arrow meet.

    A thin tip is not surely covered, so the top lies too low; a drawn tip is blunt, so the flanks
    meet too high.
    """
    height, width = box.shape
    wide = int(box.sum(1)[: int(0.8 * height)].argmax())
    rows = np.arange(int(0.1 * wide), int(0.9 * wide))
    rows = rows[box[rows].any(1)]
    if len(rows) < 3 * _FINER:
        return None
    left = box[rows].argmax(1)
    right = width - box[rows, ::-1].argmax(1)
    (slope_l, at_l), (slope_r, at_r) = np.polyfit(rows, left, 1), np.polyfit(rows, right, 1)
    bend = float(np.abs(slope_r * rows + at_r - right).mean())
    opening = slope_r - slope_l
    if opening < _LEAST_OPENING or bend > _MOST_BEND * _FINER:
        return None
    y = float(np.clip((at_l - at_r) / opening, -_MOST_ABOVE * height, 0.5)) / 2
    return float(slope_l * y + at_l), y


def _symmetric(box: Mask) -> bool:
    quarter = max(box.shape[0] // 4, 1)
    top, bottom = float(box[:quarter].sum()), float(box[-quarter:].sum())
    if not 1 / _LOPSIDED < top / max(bottom, 1.0) < _LOPSIDED:
        return False
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
