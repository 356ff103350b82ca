"""Brings boxes of any spelling to (x0, y0, x1, y1) shares of the picture."""

import math
from collections.abc import Sequence
from typing import Any

Box = tuple[float, float, float, float]


def to_share_boxes(cell: Any, form: str, size_px: tuple[int, int] | None) -> tuple[Box, ...]:
    """Boxes of a cell: one box of four numbers or a list of such; unusable ones are left out.

    Args:
        cell: Numbers, however nested; None is no box.
        form: `xyxy` or `xywh`.
        size_px: (width, height) where the numbers are pixels; None where they are shares.
    """
    boxes = (_box(four, form, size_px) for four in _fours(cell))
    return tuple(box for box in boxes if box is not None)


def _fours(cell: Any) -> list[Sequence[Any]]:
    if cell is None:
        return []
    cell = list(cell)
    if not cell:
        return []
    if isinstance(cell[0], (list, tuple)) or hasattr(cell[0], "__len__"):
        return [list(box) for box in cell]
    return [cell]


def _box(four: Sequence[Any], form: str, size_px: tuple[int, int] | None) -> Box | None:
    if len(four) != 4 or any(v is None for v in four):
        return None
    x0, y0, x1, y1 = (float(v) for v in four)
    if form == "xywh":
        x1, y1 = x0 + x1, y0 + y1
    if size_px is not None:
        x0, x1 = x0 / size_px[0], x1 / size_px[0]
        y0, y1 = y0 / size_px[1], y1 / size_px[1]
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        return None
    x0, y0, x1, y1 = (min(max(v, 0.0), 1.0) for v in (x0, y0, x1, y1))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
