"""Takes places out of a picture, so that nothing of what stood there is left."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

BoxPx = tuple[int, int, int, int]

_MARGIN = 0.3
_RING_PX = 4
_CELL = 0.8


def grown(box: BoxPx, shape: tuple[int, ...]) -> BoxPx:
    """A line's box with a margin of its height, within a picture of (h, w, ...)."""
    margin = max(round(_MARGIN * min(box[3] - box[1], box[2] - box[0])), 3)
    return (
        max(box[0] - margin, 0),
        max(box[1] - margin, 0),
        min(box[2] + margin, shape[1]),
        min(box[3] + margin, shape[0]),
    )


def without(
    image: NDArray[np.uint8], boxes_px: Sequence[BoxPx], how: Literal["mask", "blur"]
) -> NDArray[np.uint8]:
    """A copy of a picture without what stands in some boxes.

    Args:
        image: (h, w, 3) uint8.
        boxes_px: (x0, y0, x1, y1) each, within the picture.
        how: `mask` fills a box with the median of the pixels around it; `blur` with the means of
            cells about as large as its letters, which leave no letter.

    Returns:
        (h, w, 3) uint8.
    """
    shown = image.copy()
    for x0, y0, x1, y1 in boxes_px:
        part = image[y0:y1, x0:x1]
        if part.size == 0:
            continue
        if how == "mask":
            shown[y0:y1, x0:x1] = _around(image, (x0, y0, x1, y1))
        else:
            cell = max(_CELL * min(part.shape[:2]), 4.0)
            few = max(round((x1 - x0) / cell), 1), max(round((y1 - y0) / cell), 1)
            means = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
            shown[y0:y1, x0:x1] = cv2.resize(
                means, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR
            )
    return shown


def _around(image: NDArray[np.uint8], box: BoxPx) -> NDArray[np.uint8]:
    """Median colour of a thin ring around a box, or of the box where it is all of the picture."""
    x0, y0, x1, y1 = box
    top, left = max(y0 - _RING_PX, 0), max(x0 - _RING_PX, 0)
    ring = image[top : y1 + _RING_PX, left : x1 + _RING_PX]
    outside = np.ones(ring.shape[:2], bool)
    outside[y0 - top : y1 - top, x0 - left : x1 - left] = False
    pixels = ring[outside] if outside.any() else ring.reshape(-1, 3)
    return np.asarray(np.median(pixels, axis=0), np.uint8)
