"""Build a still run's picture without the pointer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import Mask

_RIM_PX = 7
_INPAINT_PX = 5

Colour = NDArray[np.uint8]


class Picture(Protocol):
    """A whole frame that can still be turned into colours."""

    def bgr(self) -> Colour:
        """(h, w, 3) uint8."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Keeper:
    """A whole frame and where not to trust it.

    Attributes:
        picture: The frame.
        covered: (h, w) bool: a pointer, or anything that is not background.
    """

    picture: Picture
    covered: Mask


def clean_image(keepers: Sequence[Keeper]) -> tuple[Colour, int]:
    """Take one frame and mend its covered places from the others.

    Args:
        keepers: At least one; later ones are trusted more.

    Returns:
        (h, w, 3) uint8 in BGR, and the number of pixels that no frame shows and that were
        filled from their surroundings.
    """
    order = sorted(range(len(keepers)), key=lambda k: (int(keepers[k].covered.sum()), -k))
    base = keepers[order[0]]
    image = np.ascontiguousarray(base.picture.bgr())
    missing = _grown(base.covered)
    for k in order[1:]:
        if not missing.any():
            return image, 0
        known = missing & ~_grown(keepers[k].covered)
        if known.any():
            rows, columns = _box(known)
            part = known[rows, columns]
            image[rows, columns][part] = keepers[k].picture.bgr()[rows, columns][part]
            missing &= ~known
    left = int(missing.sum())
    return (_inpaint(image, missing) if left else image), left


def _grown(covered: Mask) -> Mask:
    if not covered.any():
        return covered.copy()
    return cv2.dilate(covered.astype(np.uint8), np.ones((_RIM_PX, _RIM_PX), np.uint8)) > 0


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _inpaint(image: Colour, missing: Mask) -> Colour:
    rows, columns = _box(missing)
    pad = 4 * _INPAINT_PX
    rows = slice(max(rows.start - pad, 0), rows.stop + pad)
    columns = slice(max(columns.start - pad, 0), columns.stop + pad)
    part = np.ascontiguousarray(image[rows, columns])
    hole = missing[rows, columns].astype(np.uint8)
    image[rows, columns] = cv2.inpaint(part, hole, _INPAINT_PX, cv2.INPAINT_TELEA)
    return image
