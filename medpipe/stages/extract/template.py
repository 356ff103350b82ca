"""What a video's pointer looks like, and where it is found again."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.grid import Gray, soften

_PROMISING = 6

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A pointer's look at picture size.

    Attributes:
        look: (h, w) float32, its grey levels, softened.
        weight: (h, w) float32 in [0, 1], 0 where the background shows.
        tip: (x, y) of the hotspot from the top left of `look`, picture pixels.
        kind: What it seems to be.
        bound: Largest RMS, grey levels, at which a place is believed to show it.
        places: Distinct places it was learnt from.
        distinct: It is so unlike the background that a match alone, without anything that moved,
            is believed.
    """

    look: Floats
    weight: Floats
    tip: tuple[float, float]
    kind: PointerKind
    bound: float
    places: int
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """Where a template fits best in a window.

    Attributes:
        x: Left of the template, picture pixels of the picture, sub-pixel.
        y: Top of the template, same.
        rms: Grey levels.
    """

    x: float
    y: float
    rms: float


def match(template: Template, window: Gray, wx: int, wy: int) -> Match | None:
    """Find the best place of a template in a window.

    Args:
        template: What to look for.
        window: (h, w) uint8, softened part of a picture.
        wx: Left of the window in the picture, picture pixels.
        wy: Top of the window in the picture, picture pixels.

    Returns:
        The best place, or None if the window is smaller than the template.
    """
    height, width = template.look.shape
    if window.shape[0] < height or window.shape[1] < width:
        return None
    scores = scores_of(template.look, template.weight, window)
    _, _, (x, y), _ = cv2.minMaxLoc(scores)
    best = float(scores[y, x])
    return Match(wx + x + vertex(scores[y], x), wy + y + vertex(scores[:, x], y), best**0.5)


def scores_of(look: Floats, weight: Floats, window: Gray) -> Floats:
    """Mean squared difference, grey levels, with a look's top left at each place of a window."""
    raw = cv2.matchTemplate(window.astype(np.float32), look, cv2.TM_SQDIFF, mask=weight)
    mass = np.float32(max(float((weight**2).sum()), 1e-6))
    return np.asarray(np.maximum(raw, 0) / mass, np.float32)


def vertex(line: Floats, at: int) -> float:
    """Where between its neighbours a lowest value really lies, in [-0.5, 0.5]."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(v) for v in line[at - 1 : at + 2])
    bend = before - 2 * here + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend > 1e-6 else 0.0


def search(picture: Gray, template: Template, coarse: float) -> list[Match]:
    """Find the best places of a template in a whole picture, roughly first.

    Args:
        picture: (h, w) uint8.
        template: What to look for.
        coarse: How many times smaller the rough look is.

    Returns:
        The most promising places that do not overlap, best first; none if it is too small.
    """
    height, width = template.look.shape
    factor = max(1.0, min(coarse, min(height, width) / 5))
    size = (round(width / factor), round(height / factor))
    look = np.asarray(cv2.resize(template.look, size, interpolation=cv2.INTER_AREA), np.float32)
    weight = np.asarray(cv2.resize(template.weight, size, interpolation=cv2.INTER_AREA), np.float32)
    picture = soften(picture)
    small = (round(picture.shape[1] / factor), round(picture.shape[0] / factor))
    if small[0] < size[0] or small[1] < size[1]:
        return []
    rough = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.uint8)
    scores = scores_of(look, weight, rough)
    found: list[Match] = []
    for _ in range(_PROMISING):
        _, _, (x, y), _ = cv2.minMaxLoc(scores)
        ry, rx = size[1] // 2 + 1, size[0] // 2 + 1
        scores[max(y - ry, 0) : y + ry + 1, max(x - rx, 0) : x + rx + 1] = np.inf
        wx, wy = max(int(x * factor) - 4, 0), max(int(y * factor) - 4, 0)
        part = picture[wy : wy + height + 9, wx : wx + width + 9]
        here = match(template, part, wx, wy)
        if here is not None:
            found.append(here)
    return sorted(found, key=lambda m: m.rms)
