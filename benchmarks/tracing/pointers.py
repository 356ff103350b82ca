"""Pointers as systems draw them: outlines, rims, shadows, smooth or jagged, at any size."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.spec import Pointer

Rgb = NDArray[np.uint8]
FINE = 8

_FILLS = {
    "white": (255, 255, 255),
    "black": (8, 8, 8),
    "yellow": (255, 236, 40),
    "red": (255, 40, 40),
    "green": (60, 235, 80),
    "blue": (60, 110, 255),
    "clear": (70, 70, 70),
}
_DARK, _LIGHT = (14, 14, 14), (250, 250, 250)


@dataclass(frozen=True)
class Sprite:
    """A pointer's bitmap.

    Attributes:
        colour: (h, w, 3) float32, premultiplied by alpha.
        alpha: (h, w, 1) float32 in [0, 1].
        flips: Whether it inverts what is below by alpha in place of covering it.
        tip: (x, y) pixel of the bitmap's grid whose left top edge is the tip at phase 0.
    """

    colour: NDArray[np.float32]
    alpha: NDArray[np.float32]
    flips: bool
    tip: tuple[int, int]


def stamp(rgb: Rgb, pointer: Pointer, x_px: float, y_px: float) -> tuple[int, int, int, int] | None:
    """Draw a pointer's bitmap, in place; the tip to an eighth of a pixel.

    Returns:
        The box (x0, y0, x1, y1) of the touched pixels, or None when all is outside.
    """
    left, top = int(np.floor(x_px)), int(np.floor(y_px))
    phase_x, phase_y = int((x_px - left) * FINE) % FINE, int((y_px - top) * FINE) % FINE
    sprite = _sprite(pointer, phase_x, phase_y)
    x0, y0 = left - sprite.tip[0], top - sprite.tip[1]
    tall, wide = sprite.alpha.shape[:2]
    cx0, cy0, cx1, cy1 = max(x0, 0), max(y0, 0), min(x0 + wide, rgb.shape[1]), 0
    cy1 = min(y0 + tall, rgb.shape[0])
    if cx0 >= cx1 or cy0 >= cy1:
        return None
    part = np.s_[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0]
    under = rgb[cy0:cy1, cx0:cx1].astype(np.float32)
    alpha = sprite.alpha[part] * pointer.strength
    over = alpha * (255 - under) if sprite.flips else sprite.colour[part] * pointer.strength
    rgb[cy0:cy1, cx0:cx1] = np.rint(over + under * (1 - alpha)).astype(np.uint8)
    return cx0, cy0, cx1, cy1


@lru_cache(maxsize=512)
def _sprite(pointer: Pointer, phase_x: int, phase_y: int) -> Sprite:
    fine = _fine(pointer)
    shifted = np.roll(np.concatenate([fine.colour, fine.alpha], 2), (phase_y, phase_x), (0, 1))
    tall, wide = shifted.shape[0] // FINE, shifted.shape[1] // FINE
    small = shifted.reshape(tall, FINE, wide, FINE, 4).mean(axis=(1, 3)).astype(np.float32)
    alpha = small[..., 3:]
    if _look(pointer).jagged:
        hard = (alpha > 0.5).astype(np.float32)
        shade = np.where(hard > 0, small[..., :3] / np.maximum(alpha, 1e-3), 0)
        ends = np.where(shade > 128, 255.0, 0.0) if pointer.fill in {"white", "black"} else shade
        small, alpha = np.concatenate([ends * hard, hard], 2).astype(np.float32), hard
    return Sprite(small[..., :3], alpha, fine.flips, fine.tip)


@dataclass(frozen=True)
class _Look:
    """What a make decides."""

    jagged: bool
    shadow: float
    rim: float
    wide: float
    tail: float
    rounded: bool


def _look(pointer: Pointer) -> _Look:
    rng = np.random.default_rng([pointer.make, 31])
    plain = {"arrow", "hand", "grab", "ibeam", "cross"}
    return _Look(
        jagged=bool(rng.random() < 0.35) and pointer.shape in plain and pointer.fill != "clear",
        shadow=float(rng.choice([0.0, 0.35, 0.55])) if pointer.shape in plain else 0.0,
        rim=float(rng.uniform(0.035, 0.075)),
        wide=float(rng.uniform(0.85, 1.15)),
        tail=float(rng.choice([0.0, 0.75, 1.0, 1.0, 1.15])),
        rounded=bool(rng.random() < 0.4),
    )


@lru_cache(maxsize=64)
def _fine(pointer: Pointer) -> Sprite:
    """The bitmap at FINE samples a pixel, whole pixels of margin round it."""
    if pointer.shape in {"laser", "pen", "ring"}:
        return _dot(pointer)
    look, size = _look(pointer), pointer.size_px * FINE
    polygons = [np.asarray(p, np.float64) * size for p in _outline(pointer, look)]
    corners = np.vstack(polygons)
    margin = FINE * 3 + int(0.14 * size)
    low = np.ceil((margin - corners.min(0)) / FINE).astype(int)
    side = np.ceil((corners.max(0) + margin) / FINE).astype(int) + low
    outer = np.zeros((int(side[1]) * FINE, int(side[0]) * FINE), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(outer, [np.rint(polygon + low * FINE).astype(np.int32)], 1)
    if look.rounded:
        outer = (cv2.GaussianBlur(outer * 255, (0, 0), 0.02 * size) > 120).astype(np.uint8)
        if pointer.shape in {"arrow", "halo", "hand"}:
            outer = _with_tip_at(outer, low * FINE, sideways=pointer.shape != "hand")
    if pointer.fill == "invert":
        alpha = outer[..., None].astype(np.float32)
        return Sprite(
            np.zeros((*outer.shape, 3), np.float32), alpha, True, (int(low[0]), int(low[1]))
        )
    return _rimmed(outer, pointer, look, (int(low[0]), int(low[1])))


def _with_tip_at(
    outer: NDArray[np.uint8], at: NDArray[np.int64], *, sideways: bool
) -> NDArray[np.uint8]:
    """Move a shape whose corners were rounded so that what is left of its tip lies at a place."""
    rows, columns = np.flatnonzero(outer.any(1)), np.flatnonzero(outer.any(0))
    move = (int(at[1] - rows[0]), int(at[0] - columns[0]) if sideways else 0)
    return np.roll(outer, move, (0, 1))


def _rimmed(
    outer: NDArray[np.uint8], pointer: Pointer, look: _Look, tip: tuple[int, int]
) -> Sprite:
    """Fill, rim inside the outline, shadow beneath."""
    size = pointer.size_px * FINE
    edge = max(round(size * look.rim), FINE * 3 // 4)
    if pointer.shape in {"hand", "grab"}:
        edge = max(round(size * 0.03), FINE // 2)
    if pointer.shape in {"cross", "ibeam"}:
        edge = max(round(size * 0.02), FINE // 2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * edge + 1, 2 * edge + 1))
    inner = cv2.erode(outer, kernel, borderValue=0)
    fill = np.array(_FILLS[pointer.fill], np.float32)
    rim = np.array(_LIGHT if fill.sum() < 220 else _DARK, np.float32)
    alpha = outer[..., None].astype(np.float32)
    if pointer.fill == "clear":
        alpha = alpha * np.where(inner[..., None] > 0, np.float32(0.5), np.float32(1))
    colour = np.where(inner[..., None] > 0, fill, rim) * alpha
    if look.shadow:
        shift = max(round(0.05 * size), FINE)
        cast = np.roll(outer, (shift, shift // 2), (0, 1)).astype(np.float32)
        cast = cv2.GaussianBlur(cast, (0, 0), 0.06 * size)[..., None] * look.shadow
        alpha = alpha + (1 - alpha) * cast
    return Sprite(colour.astype(np.float32), alpha.astype(np.float32), False, tip)


def _outline(pointer: Pointer, look: _Look) -> list[list[tuple[float, float]]]:
    """Polygons with the tip at (0, 0) and height about 1."""
    if pointer.shape in {"arrow", "halo"}:
        return [_arrow(look)]
    if pointer.shape == "hand":
        return _hand(look)
    if pointer.shape == "grab":
        return _open_hand(look)
    thick = max(0.5 * 1.6 / pointer.size_px, 0.022 * look.wide)
    if pointer.shape == "ibeam":
        foot = 0.16 * look.wide
        ends = [_bar(0, y, foot, thick) for y in (-0.5, 0.5)]
        return [_bar(0, 0, thick, 0.5), *ends]
    gap = 0.12 if look.tail < 1 else 0.0
    arms = [_bar(s * (0.25 + gap / 2), 0, 0.25 - gap / 2, thick) for s in (-1, 1)]
    return [*arms, *[[(y, x) for x, y in arm] for arm in arms]]


def _bar(x: float, y: float, half_x: float, half_y: float) -> list[tuple[float, float]]:
    return [
        (x - half_x, y - half_y),
        (x + half_x, y - half_y),
        (x + half_x, y + half_y),
        (x - half_x, y + half_y),
    ]


def _arrow(look: _Look) -> list[tuple[float, float]]:
    wide, tail = 0.6 * look.wide, look.tail
    if not tail:
        return [(0, 0), (0, 0.98), (0.27 * look.wide, 0.74), (wide * 1.1, 0.71)]
    foot = 0.68 + 0.31 * tail
    return [
        (0, 0),
        (0, 0.85),
        (0.19 * look.wide, 0.67),
        (0.33 * look.wide, foot),
        (0.47 * look.wide, foot - 0.06),
        (0.34 * look.wide, 0.625),
        (wide, 0.61),
    ]


def _hand(look: _Look) -> list[list[tuple[float, float]]]:
    """A fist with a stretched forefinger, its tip at (0, 0)."""
    finger = 0.072 * look.wide
    shapes = []
    for x, top, low in ((0.0, 0.0, 0.6), (0.15, 0.3, 0.6), (0.29, 0.33, 0.62), (0.42, 0.38, 0.66)):
        angles = np.linspace(np.pi, 2 * np.pi, 16)
        end = [(x + finger * np.cos(a), top + finger * (1 + np.sin(a))) for a in angles]
        shapes.append([*end, (x + finger, low), (x - finger, low)])
    palm = [(-0.07, 0.5), (0.49, 0.5), (0.49, 0.75), (0.4, 0.98), (0.03, 0.98), (-0.07, 0.82)]
    thumb = [(-0.05, 0.86), (-0.27, 0.62), (-0.24, 0.53), (-0.15, 0.54), (-0.04, 0.66)]
    return [*shapes, palm, thumb]


def _open_hand(look: _Look) -> list[list[tuple[float, float]]]:
    """A palm with four fingers and a thumb, its middle at (0, 0)."""
    half = 0.07 * look.wide
    tops = ((-0.27, -0.36), (-0.1, -0.5), (0.07, -0.48), (0.24, -0.36))
    fingers = [_bar(x, (top + 0.1) / 2, half, (0.1 - top) / 2) for x, top in tops]
    palm = [(-0.34, 0.0), (0.31, 0.0), (0.31, 0.28), (0.2, 0.5), (-0.18, 0.5), (-0.34, 0.26)]
    thumb = [(-0.26, 0.34), (-0.5, 0.06), (-0.44, -0.02), (-0.3, 0.06)]
    return [*fingers, palm, thumb]


def _dot(pointer: Pointer) -> Sprite:
    """A laser's glow, the plain dot of a pen or the circle of a brush."""
    rng = np.random.default_rng([pointer.make, 37])
    side = int(np.ceil(pointer.size_px)) + 6
    side += side % 2
    axis = (np.arange(side * FINE) + 0.5) / FINE - side / 2
    share = np.hypot(axis[:, None], axis[None, :]) / (pointer.size_px / 2)
    colour = np.zeros((*share.shape, 3)) + _FILLS[pointer.fill]
    if pointer.shape == "pen":
        alpha = (share < 1).astype(np.float64)
    elif pointer.shape == "ring":
        line = 2.4 / pointer.size_px
        alpha = ((share < 1) & (share > 1 - line)).astype(np.float64)
    else:
        soft, core = rng.uniform(0.3, 0.9), rng.uniform(0.0, 0.5)
        alpha = np.clip((1 - share) / soft, 0, 1) ** 1.4 * rng.uniform(0.75, 1.0)
        white = np.clip((core - share) / max(core, 0.1), 0, 1)[..., None]
        colour = colour * (1 - white) + 255 * white
    half = side // 2
    fine = (colour * alpha[..., None]).astype(np.float32)
    return Sprite(fine, alpha[..., None].astype(np.float32), False, (half, half))
