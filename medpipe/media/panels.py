"""Finds the pictures that a frame or a figure is made of by margins, gutters and seams."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.uint8]
Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

_LONGEST_PX = 1000
_LEAST_PX = 8
_EDGE = 14
_FLAT_SPREAD = 12.0
_FLAT_CORE = 4.0
_FLAT_RISE = 56.0
_ODD_SHARE = 0.05
_MOST_PROBES = 256
_STRAY_SHARE = 0.004
_THINNEST_GUTTER_PX = 3
_SEAM_SHARE = 0.45
_SEAM_STEP = 6
_SEAM_OVER_USUAL = 2.0
_SEAM_WIDE_PX = 2
_SEAM_OVER_BESIDE = 1.5
_SEAM_OVER_NEAR = 0.3
_SEAM_NEAR_PX = 6
_SMALLEST_SIDE = 0.08
_SMALLEST_AREA = 0.015
_DARK = 40
_DARKEST = 8
_WHITEST = 240
_RIM_SHARE = 0.06
_RIM_PARTS = 24
_SAME_LEVEL = 10
_GRAIN_PX = (5, 5)
_SMOOTH = 1.2
_SHARP = 16.0
_MOSTLY_FLAT = 0.42
_GRAIN_SHARE = 0.28
_FEWEST_BITS = 2.2
_DEEPEST = 8
_UNLIKE_SIDES = 2.5


@dataclass(frozen=True, slots=True)
class _Planes:
    """A picture and what is asked of it again and again.

    Attributes:
        luma: (h, w) uint8.
        across: (h, w + 1) int32, running count of edge pixels along each row.
        down: (h + 1, w) int32, running count of edge pixels along each column.
        step_x: (h + 1, w) int32, running count along each column of steps to the right.
        step_y: (h, w + 1) int32, running count along each row of steps downwards.
        ground: (256,) bool, levels that lie between pictures: black, white, and those of the rim.
    """

    luma: Gray
    across: NDArray[np.int32]
    down: NDArray[np.int32]
    step_x: NDArray[np.int32]
    step_y: NDArray[np.int32]
    ground: Mask


def find_pictures(image: Colour) -> list[Box]:
    """Say where the pictures of a page, a slide, a viewer's window or a compound figure are.

    Text, flat areas and tool bars are left out; nothing is guessed: a page whose ground is not flat
    is one picture.

    Args:
        image: (h, w, 3) uint8, blue first.

    Returns:
        Boxes (x0, y0, x1, y1) in pixels, not overlapping, in reading order; empty where the page
        holds no picture.
    """
    tall, wide = image.shape[:2]
    if min(tall, wide) < _LEAST_PX:
        return []
    zoom = min(1.0, _LONGEST_PX / max(tall, wide))
    size = (max(round(wide * zoom), _LEAST_PX), max(round(tall * zoom), _LEAST_PX))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if zoom < 1 else image
    planes = _planes(np.asarray(small, np.uint8))
    found = _cut(planes, (0, 0, size[0], size[1]), 0)
    return _in_reading_order([_scaled(box, zoom, (wide, tall)) for box in found])


def _planes(image: Colour) -> _Planes:
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    right, below = np.zeros_like(luma), np.zeros_like(luma)
    right[:, :-1] = cv2.absdiff(image[:, 1:], image[:, :-1]).max(2)
    below[:-1] = cv2.absdiff(image[1:], image[:-1]).max(2)
    edges = np.maximum(right, below) > _EDGE
    return _Planes(
        luma,
        _running(edges, 1),
        _running(edges, 0),
        _running(_lone(right, 1), 0),
        _running(_lone(below, 0), 1),
        _ground(luma),
    )


def _lone(steps: Gray, axis: int) -> Mask:
    """Steps that are far higher than those before and after them: where something ends at once."""
    far = np.maximum(
        np.roll(steps, _SEAM_WIDE_PX, axis=axis), np.roll(steps, -_SEAM_WIDE_PX, axis=axis)
    )
    usual = float(np.median(steps[steps > 1])) if (steps > 1).any() else 0.0
    least = max(_SEAM_STEP, _SEAM_OVER_USUAL * usual)
    return np.asarray((steps > least) & (steps > _SEAM_OVER_BESIDE * far), np.bool_)


def _ground(luma: Gray) -> Mask:
    """(256,) bool: which levels a page has at its rim, and black and white."""
    parts = [
        part
        for line in (luma[0], luma[-1], luma[:, 0], luma[:, -1])
        for part in np.array_split(line, _RIM_PARTS)
        if len(part)
    ]
    flat = [int(part.mean()) for part in parts if int(part.max()) - int(part.min()) <= _FLAT_CORE]
    counts = np.bincount(np.asarray(flat, np.intp) >> 4, minlength=16)
    levels = counts >= _RIM_SHARE * len(parts)
    ground = np.repeat(levels, 16)
    ground[: _DARKEST + 1] = ground[_WHITEST:] = True
    near = np.ones(2 * _SAME_LEVEL + 1, np.uint8)
    return np.asarray(np.convolve(ground, near, "same") > 0)


def _running(marks: Mask, axis: int) -> NDArray[np.int32]:
    pad = [(1, 0), (0, 0)] if axis == 0 else [(0, 0), (1, 0)]
    return np.pad(np.cumsum(marks, axis=axis, dtype=np.int32), pad)


def _cut(planes: _Planes, region: Box, depth: int) -> list[Box]:
    """Pictures within a region."""
    region, rows, columns = _trimmed(planes, region)
    x0, y0, x1, y1 = region
    if min(x1 - x0, y1 - y0) < _SMALLEST_SIDE * min(planes.luma.shape):
        return []
    if depth < _DEEPEST:
        parts, dark = _by_gutters(planes, region, rows, columns)
        if len(parts) < 2:
            parts, dark = _by_seams(planes, region), False
        if len(parts) > 1:
            groups = [_cut(planes, part, depth + 1) for part in parts]
            return _levelled(planes, groups, parts) if dark else [b for g in groups for b in g]
    return [region] if _is_picture(planes, region) else []


def _empty_rows(planes: _Planes, region: Box) -> Mask:
    """(rows,) bool: nothing but one flat level from side to side."""
    x0, y0, x1, y1 = region
    edges = planes.across[y0:y1, x1] - planes.across[y0:y1, x0]
    return (edges <= _STRAY_SHARE * (x1 - x0)) & _flat(planes.luma[y0:y1, x0:x1], planes.ground)


def _empty_columns(planes: _Planes, region: Box) -> Mask:
    x0, y0, x1, y1 = region
    edges = planes.down[y1, x0:x1] - planes.down[y0, x0:x1]
    return (edges <= _STRAY_SHARE * (y1 - y0)) & _flat(planes.luma[y0:y1, x0:x1].T, planes.ground)


def _flat(lines: Gray, ground: Mask) -> Mask:
    """Which lines (n, length) hold one level of the ground, or one that changes evenly."""
    step = max(lines.shape[1] // _MOST_PROBES, 1)
    probes = lines[:, ::step].astype(np.float32)
    level = probes.mean(1, keepdims=True)
    of_ground = ground[level[:, 0].astype(np.uint8)]
    probes -= level
    along = np.arange(probes.shape[1], dtype=np.float32)
    along -= along.mean()
    slope = probes @ along / max(float(along @ along), 1.0)
    probes -= slope[:, None] * along
    spread, core = _between_ranks(probes, _ODD_SHARE), _between_ranks(probes, 0.25)
    rise = np.abs(slope) * probes.shape[1]
    even = (spread <= _FLAT_SPREAD) & (core <= _FLAT_CORE) & (rise <= _FLAT_RISE)
    return np.asarray(even & of_ground)


def _between_ranks(lines: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """From the value that a share of each line lies under to the one that a share lies over."""
    low = int(lines.shape[1] * share)
    high = lines.shape[1] - 1 - low
    ranked = np.partition(lines, (low, high), axis=1)
    return np.asarray(ranked[:, high] - ranked[:, low], np.float32)


def _trimmed(planes: _Planes, region: Box) -> tuple[Box, Mask, Mask]:
    """A region without its flat margins, and which of its rows and columns are empty."""
    while True:
        x0, y0, x1, y1 = region
        rows = _empty_rows(planes, region)
        full = np.nonzero(~rows)[0]
        if not len(full):
            return (x0, y0, x0, y0), rows, rows
        y0, y1 = y0 + int(full[0]), y0 + int(full[-1]) + 1
        columns = _empty_columns(planes, (x0, y0, x1, y1))
        full = np.nonzero(~columns)[0]
        if not len(full):
            return (x0, y0, x0, y0), rows, columns
        trimmed = (x0 + int(full[0]), y0, x0 + int(full[-1]) + 1, y1)
        if trimmed == region:
            return region, rows, columns
        region = trimmed


def _by_gutters(
    planes: _Planes, region: Box, empty_rows: Mask, empty_columns: Mask
) -> tuple[list[Box], bool]:
    """Parts between the flat bands of the way that has the widest one, and whether that is dark."""
    x0, y0, x1, y1 = region
    rows, columns = _bands(empty_rows), _bands(empty_columns)
    if not rows and not columns:
        return [], False
    widest_row = max((b - a for a, b in rows), default=0)
    widest_column = max((b - a for a, b in columns), default=0)
    if widest_row >= widest_column:
        parts = [(x0, y0 + a, x1, y0 + b) for a, b in _between(rows, y1 - y0)]
        levels = [planes.luma[y0 + (a + b) // 2, x0:x1] for a, b in rows]
    else:
        parts = [(x0 + a, y0, x0 + b, y1) for a, b in _between(columns, x1 - x0)]
        levels = [planes.luma[y0:y1, x0 + (a + b) // 2] for a, b in columns]
    dark = bool(np.median(np.concatenate(levels)) < _DARK)
    return parts, dark


def _bands(empty: Mask) -> list[tuple[int, int]]:
    """Runs (first, end) of empty rows or columns that are thick enough."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], empty.astype(np.int8), [0]])))
    runs = list(zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True))
    return [(a, b) for a, b in runs if b - a >= _THINNEST_GUTTER_PX]


def _between(bands: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    starts = [0, *(b for _, b in bands)]
    ends = [*(a for a, _ in bands), length]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if b > a]


def _by_seams(planes: _Planes, region: Box) -> list[Box]:
    """Parts on both sides of the straightest line from side to side, where pictures touch."""
    x0, y0, x1, y1 = region
    across = (planes.step_x[y1, x0:x1] - planes.step_x[y0, x0:x1]) / (y1 - y0)
    down = (planes.step_y[y0:y1, x1] - planes.step_y[y0:y1, x0]) / (x1 - x0)
    x, y = _seam(across), _seam(down)
    if x is not None and (y is None or across[x] >= down[y]):
        return [(x0, y0, x0 + x + 1, y1), (x0 + x + 1, y0, x1, y1)]
    if y is None:
        return []
    return [(x0, y0, x1, y0 + y + 1), (x0, y0 + y + 1, x1, y1)]


def _seam(share: NDArray[np.float64]) -> int | None:
    """Where steps stand in one line, and not beside it."""
    rim = 2
    if len(share) <= 2 * rim + 1:
        return None
    order = np.argsort(-share[rim:-rim], kind="stable")[:4] + rim
    for at in order.tolist():
        if share[at] < _SEAM_SHARE:
            return None
        left = share[max(at - _SEAM_NEAR_PX, 0) : max(at - 1, 0)]
        right = share[at + 2 : at + 1 + _SEAM_NEAR_PX]
        near = max((float(np.median(s)) for s in (left, right) if len(s)), default=0.0)
        if share[at] - near >= _SEAM_OVER_NEAR:
            return int(at)
    return None


def _is_picture(planes: _Planes, region: Box) -> bool:
    """Whether a region holds something with many levels and grain; not text, not controls."""
    x0, y0, x1, y1 = region
    part = planes.luma[y0:y1, x0:x1]
    if part.size < _SMALLEST_AREA * planes.luma.size:
        return False
    share = np.bincount((part >> 3).ravel(), minlength=32) / part.size
    share = share[share > 0]
    if float(-(share * np.log2(share)).sum()) < _FEWEST_BITS:
        return False
    exact = part.astype(np.float32)
    mean = cv2.blur(exact, _GRAIN_PX)
    rough = np.sqrt(np.maximum(cv2.blur(exact * exact, _GRAIN_PX) - mean * mean, 0))
    grain = cv2.erode(
        ((rough > _SMOOTH) & (rough < _SHARP)).astype(np.uint8), np.ones(_GRAIN_PX, np.uint8)
    )
    body = mean > _DARKEST
    flat = float((rough[body] <= _SMOOTH).mean())
    return flat <= _MOSTLY_FLAT or float(grain[body].mean()) >= _GRAIN_SHARE * (1 - flat)


def _levelled(planes: _Planes, groups: Sequence[list[Box]], parts: Sequence[Box]) -> list[Box]:
    """Pictures side by side on a dark ground whose own rims are unseen get one height or width."""
    found = [box for group in groups for box in group]
    singles = [group[0] for group in groups if len(group) == 1]
    if len(singles) < 2 or len(singles) != len(found):
        return found
    beside = len({part[1] for part in parts}) == 1
    low, high = (1, 3) if beside else (0, 2)
    first, end = min(b[low] for b in singles), max(b[high] for b in singles)
    sides = [b[high] - b[low] for b in singles]
    if max(sides) > _UNLIKE_SIDES * min(sides):
        return found
    levelled = []
    for box in singles:
        grown = list(box)
        if not _has_rim(planes, box, low):
            grown[low] = first
        if not _has_rim(planes, box, high):
            grown[high] = end
        levelled.append((grown[0], grown[1], grown[2], grown[3]))
    return levelled


def _has_rim(planes: _Planes, box: Box, side: int) -> bool:
    """Whether a box ends on a side (0 left, 1 top, 2 right, 3 bottom) in a line that is seen."""
    x0, y0, x1, y1 = box
    at = box[side] - 1
    if at < 0 or at >= planes.luma.shape[1 - side % 2] - 1:
        return True
    if side % 2:
        steps = planes.step_y[at, x1] - planes.step_y[at, x0]
        return bool(steps >= _SEAM_SHARE * (x1 - x0))
    steps = planes.step_x[y1, at] - planes.step_x[y0, at]
    return bool(steps >= _SEAM_SHARE * (y1 - y0))


def _scaled(box: Box, zoom: float, size: tuple[int, int]) -> Box:
    x0, y0, x1, y1 = (value / zoom for value in box)
    return (
        max(int(x0), 0),
        max(int(y0), 0),
        min(int(np.ceil(x1)), size[0]),
        min(int(np.ceil(y1)), size[1]),
    )


def _in_reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Rows of pictures from top to bottom, each from left to right."""
    left = sorted(boxes, key=lambda box: (box[1], box[0]))
    ordered: list[Box] = []
    while left:
        first = left[0]
        middle = (first[1] + first[3]) / 2
        row = [box for box in left if box[1] <= middle]
        ordered += sorted(row, key=lambda box: box[0])
        left = [box for box in left if box[1] > middle]
    return ordered
