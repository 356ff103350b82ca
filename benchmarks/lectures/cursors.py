"""Pointers drawn from outlines, placed to an eighth of a pixel, whose tip is known exactly."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.spec import Cursor

PHASES = 8
_PAD_PX = 3

_ARROW = [(0, 0), (0, 0.86), (0.2, 0.68), (0.34, 1.0), (0.47, 0.945), (0.335, 0.63), (0.61, 0.61)]
_FINGERS = [(0.30, 0.07, 0.62), (0.45, 0.32, 0.62), (0.60, 0.36, 0.64), (0.74, 0.42, 0.68)]
_PALM = [(0.23, 0.52), (0.815, 0.52), (0.815, 0.76), (0.72, 0.99), (0.33, 0.99), (0.23, 0.84)]
_THUMB = [(0.25, 0.86), (0.03, 0.62), (0.06, 0.53), (0.15, 0.54), (0.25, 0.64)]
_INK = {"white": ((255, 255, 255), (16, 16, 16)), "black": ((12, 12, 12), (245, 245, 245))}
_GLOW = {"red": (255, 30, 40), "green": (40, 255, 70)}


def snapped(value_px: float) -> float:
    """Return the nearest place a cursor can be drawn at: a multiple of 1/8 px."""
    return round(value_px * PHASES) / PHASES


def draw(
    rgb: NDArray[np.uint8], cursor: Cursor, x_px: float, y_px: float
) -> tuple[int, int, int, int] | None:
    """Draw a cursor into a picture, in place.

    Args:
        rgb: (h, w, 3) uint8, changed where the cursor falls.
        cursor: Shape, colour, size.
        x_px: Where the tip goes, multiple of 1/8; whole numbers are pixels' left edges.
        y_px: The same, down.

    Returns:
        The box (x0, y0, x1, y1) of the pixels touched, or None if all of it is outside.
    """
    left, top = int(np.floor(x_px)), int(np.floor(y_px))
    sprite, tip_x, tip_y = _sprite(
        cursor, round((x_px - left) * PHASES) % PHASES, round((y_px - top) * PHASES) % PHASES
    )
    x0, y0 = left - tip_x, top - tip_y
    x1, y1 = x0 + sprite.shape[1], y0 + sprite.shape[0]
    cx0, cy0 = max(x0, 0), max(y0, 0)
    cx1, cy1 = min(x1, rgb.shape[1]), min(y1, rgb.shape[0])
    if cx0 >= cx1 or cy0 >= cy1:
        return None
    part = sprite[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0]
    under = rgb[cy0:cy1, cx0:cx1].astype(np.float32)
    rgb[cy0:cy1, cx0:cx1] = np.rint(part[..., :3] + under * (1 - part[..., 3:])).astype(np.uint8)
    return cx0, cy0, cx1, cy1


def reach_px(cursor: Cursor) -> int:
    """Return how far, in pixels, any part of a cursor can lie from its tip."""
    return int(np.ceil(cursor.size_px)) + 2 * _PAD_PX


@lru_cache(maxsize=1024)
def _sprite(cursor: Cursor, phase_x: int, phase_y: int) -> tuple[NDArray[np.float32], int, int]:
    """Return premultiplied (h, w, 4) colour and alpha at a phase, and the tip's whole pixel."""
    fine, tip_x, tip_y = _fine(cursor)
    shifted = np.zeros_like(fine)
    shifted[phase_y:, phase_x:] = fine[: fine.shape[0] - phase_y, : fine.shape[1] - phase_x]
    height, width = shifted.shape[0] // PHASES, shifted.shape[1] // PHASES
    small = shifted.reshape(height, PHASES, width, PHASES, 4).mean(axis=(1, 3))
    return small.astype(np.float32), tip_x, tip_y


@lru_cache(maxsize=64)
def _fine(cursor: Cursor) -> tuple[NDArray[np.float32], int, int]:
    """Return the cursor at 8 x 8 samples a pixel, premultiplied, and the tip's pixel."""
    if cursor.kind == "laser":
        return _laser(cursor)
    if cursor.kind not in {"arrow", "hand", "cross"}:
        raise ValueError(f"no such cursor: {cursor.kind}")
    side = int(np.ceil(cursor.size_px)) + 2 * _PAD_PX
    size = cursor.size_px * PHASES
    if cursor.kind == "cross":
        side += side % 2
        tip = (side // 2, side // 2)
    elif cursor.kind == "hand":
        tip = (_PAD_PX + round(0.3 * cursor.size_px), _PAD_PX)
    else:
        tip = (_PAD_PX, _PAD_PX)
    origin = np.array(tip, np.float64) * PHASES
    outer = np.zeros((side * PHASES, side * PHASES), np.uint8)
    for polygon in _outline(cursor.kind, size):
        points = np.rint(polygon + origin).astype(np.int32)
        cv2.fillPoly(outer, [points], 1)
    edge = max(round(size * (0.03 if cursor.kind == "cross" else 0.05)), 5)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * edge + 1, 2 * edge + 1))
    inner = cv2.erode(outer, kernel, borderValue=0)
    fill, rim = (np.array(c, np.float32) for c in _INK[cursor.colour])
    colour = np.where(inner[..., None] > 0, fill, rim)
    alpha = outer[..., None].astype(np.float32)
    return np.concatenate([colour * alpha, alpha], axis=2).astype(np.float32), *tip


def _outline(kind: str, size: float) -> list[NDArray[np.float64]]:
    """Return the polygons whose union is the shape, with the tip at (0, 0), in fine samples."""
    if kind == "arrow":
        return [np.array(_ARROW) * size]
    if kind == "cross":
        half, thick = size / 2, max(size * 0.07, 10.0)
        wide = [(-half, -thick), (half, -thick), (half, thick), (-half, thick)]
        return [np.array(wide), np.array([(y, x) for x, y in wide])]
    tip = np.array([0.30, 0.0])
    shapes = [np.array(_PALM), np.array(_THUMB)]
    angles = np.linspace(np.pi, 2 * np.pi, 24)
    for x, top, bottom in _FINGERS:
        round_end = np.stack([x + 0.07 * np.cos(angles), top + 0.07 * np.sin(angles)], 1)
        shapes.append(np.vstack([round_end, [(x + 0.075, bottom), (x - 0.075, bottom)]]))
    return [(shape - tip) * size for shape in shapes]


def _laser(cursor: Cursor) -> tuple[NDArray[np.float32], int, int]:
    """Return a glowing dot: white core, coloured disc, soft halo."""
    side = int(np.ceil(cursor.size_px)) + 2 * _PAD_PX
    side += side % 2
    axis = (np.arange(side * PHASES) + 0.5) / PHASES - side / 2
    share = np.hypot(axis[:, None], axis[None, :]) / (cursor.size_px / 2)
    alpha = np.clip((1 - share) / 0.5, 0, 1) ** 1.5
    alpha[share < 0.45] = 1.0
    whiten = np.clip(1 - share / 0.3, 0, 1)[..., None]
    colour = np.array(_GLOW[cursor.colour], np.float32) * (1 - whiten) + 255 * whiten
    fine = np.concatenate([colour * alpha[..., None], alpha[..., None]], axis=2)
    return fine.astype(np.float32), side // 2, side // 2
