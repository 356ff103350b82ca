"""Common mouse pointers, drawn at any size: what a pointer most likely looks like beforehand."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.template import SHARP_PX, Template

_FINER = 8
_PAD_PX = 4
_RIM_SHARE = 0.085
_THINNEST_RIM_PX = 0.9
_LEAST_COVER = 0.08

# Outlines of the inner part, tip first, in shares of the pointer's height.
_TAILED = ((0, 0), (0, 0.87), (0.20, 0.66), (0.36, 1.08), (0.51, 1.02), (0.34, 0.62), (0.62, 0.62))
_BLUNT = ((0, 0), (0, 0.83), (0.18, 0.80), (0.365, 1.0), (0.445, 0.92), (0.43, 0.70), (0.59, 0.58))
_OUTLINES = (_TAILED, _BLUNT)
SHAPES = len(_OUTLINES)
# Grey levels of the inner part and of the rim round it.
COLOURS = ((0.0, 255.0), (255.0, 0.0), (77.0, 255.0))

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A pointer's outline at one size, in no colour yet, softened.

    Attributes:
        inner: (h, w) float32, how much of each pixel its inner part covers.
        rim: (h, w) float32, the same of its rim.
        tip: (x, y) from the top left, pixels.
    """

    inner: Floats
    rim: Floats
    tip: tuple[float, float]

    @property
    def cover(self) -> Floats:
        """(h, w) float32, how much of each pixel is not background."""
        return self.inner + self.rim

    def template(self, inside: float, outside: float, bound: float) -> Template:
        """A look to search for.

        Args:
            inside: Grey levels of the inner part.
            outside: Grey levels of the rim.
            bound: Largest RMS, grey levels, at which a place is believed to show it.
        """
        drawn = inside * self.inner + outside * self.rim
        cover = self.cover
        look = (drawn / np.maximum(cover, _LEAST_COVER)).astype(np.float32)
        weight = np.where(cover > 0.5, cover, 0).astype(np.float32)
        return Template(
            look, weight, self.tip, PointerKind.ARROW, bound, 2, distinct=True, cover=cover
        )


@lru_cache(maxsize=256)
def draw(shape: int, size_px: float) -> Drawing:
    """Draw an outline.

    Args:
        shape: Number of the outline, below `SHAPES`.
        size_px: Height of its inner part, pixels.
    """
    points = np.array(_OUTLINES[shape]) * size_px
    width, height = (int(v) + 2 * _PAD_PX + 2 for v in points.max(axis=0))
    corners = np.round((points + _PAD_PX + 0.5) * _FINER * 16).astype(np.int32)
    body = np.zeros((height * _FINER, width * _FINER), np.uint8)
    cv2.fillPoly(body, [corners], 255, shift=4)
    far = cv2.distanceTransform(255 - body, cv2.DIST_L2, 5)
    rim_px = max(_THINNEST_RIM_PX, _RIM_SHARE * size_px)
    whole = np.where(body > 0, 1, np.clip(rim_px * _FINER - far + 0.5, 0, 1)).astype(np.float32)
    cover = _shrunk(whole, (width, height))
    inner = _shrunk((body > 0).astype(np.float32), (width, height))
    rows = np.nonzero((cover > _LEAST_COVER).any(1))[0]
    columns = np.nonzero((cover > _LEAST_COVER).any(0))[0]
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    tip = (float(_PAD_PX - columns[0]), float(_PAD_PX - rows[0]))
    return Drawing(inner[part], (cover - inner)[part], tip)


def _shrunk(fine: Floats, size: tuple[int, int]) -> Floats:
    small = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (5, 5), SHARP_PX), np.float32)
