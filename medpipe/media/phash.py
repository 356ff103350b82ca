"""The perceptual hash by which equal pictures are found, in curation and in leak checks."""

import cv2
import numpy as np
from numpy.typing import NDArray


def perceptual_hash(luma: NDArray[np.uint8]) -> int:
    """64 bits: which of the 8 x 8 lowest DCT coefficients lie above their median.

    Args:
        luma: (h, w) uint8.

    Source:
        The pHash of Zauner (2010), without the DC term in the median.
    """
    small = cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    above = low > np.median(low[1:])
    return int("".join("1" if bit else "0" for bit in above), 2)
