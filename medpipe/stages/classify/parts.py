"""Says which parts of a clean image are pictures worth an image of their own."""

import numpy as np
from numpy.typing import NDArray

from medpipe.media.panels import find_pictures
from medpipe.stages.classify.config import ClassifyConfig

BoxPx = tuple[int, int, int, int]


def parts_of(image: NDArray[np.uint8], config: ClassifyConfig) -> list[BoxPx]:
    """The pictures within an image: panels, a slide's figures, a viewer's picture without its bars.

    Args:
        image: (h, w, 3) uint8.
        config: Limits.

    Returns:
        Boxes (x0, y0, x1, y1) in pixels, in reading order; empty where the image is one picture
        already, or holds none that can be told from what surrounds it.
    """
    if not config.parts:
        return []
    whole_px = image.shape[0] * image.shape[1]
    boxes = [
        (x0, y0, x1, y1)
        for x0, y0, x1, y1 in find_pictures(image)
        if min(x1 - x0, y1 - y0) >= config.min_part_px
    ]
    if len(boxes) == 1:
        x0, y0, x1, y1 = boxes[0]
        if (x1 - x0) * (y1 - y0) > config.whole_share * whole_px:
            return []
    return boxes[: config.max_parts]
