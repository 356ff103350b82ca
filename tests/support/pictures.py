"""Pictures with grain, and pages that hold some of them, drawn for tests."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.media.panels import Box

Image = NDArray[np.uint8]

GRID = [(20, 20, 390, 240), (410, 20, 780, 240), (20, 260, 390, 480), (410, 260, 780, 480)]


def tissue(wide_px: int, tall_px: int, seed: int) -> Image:
    """A picture with grain and shapes at all levels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (max(tall_px // 24, 2), max(wide_px // 24, 2), 3))
    smooth = cv2.resize(
        coarse.astype(np.float32), (wide_px, tall_px), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def page(ground: int, boxes: list[Box], size: tuple[int, int] = (800, 500)) -> Image:
    image = np.full((size[1], size[0], 3), ground, np.uint8)
    for seed, (x0, y0, x1, y1) in enumerate(boxes):
        image[y0:y1, x0:x1] = tissue(x1 - x0, y1 - y0, seed)
    return image
