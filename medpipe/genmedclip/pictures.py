"""Encoded pictures into square training inputs, decoding no more pixels than the input needs."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.errors import Rejected
from medpipe.genmedclip.captions import XYXY

cv2.setNumThreads(0)  # loaders bring threads of their own

# OpenCV has no names for reduced pictures in RGB: they are those in grey, with colour asked for.
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB),
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB),
)


def cut(
    data: bytes | memoryview, size_px: tuple[int, int], crop: XYXY, out: NDArray[np.uint8]
) -> None:
    """Decode a picture and scale a part of it to fill a square.

    JPEG is decoded at a half, a quarter or an eighth where that still covers the square.

    Args:
        data: JPEG or PNG.
        size_px: Width and height as encoded.
        crop: xyxy shares of the picture.
        out: (side, side, 3) uint8, is filled with RGB.

    Raises:
        Rejected: It is no picture.
    """
    side_px = len(out)
    smallest = min((crop[2] - crop[0]) * size_px[0], (crop[3] - crop[1]) * size_px[1])
    flag = next((f for factor, f in _REDUCED if smallest >= factor * side_px), cv2.IMREAD_COLOR_RGB)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if image is None:
        raise Rejected("not_an_image", "the bytes of this sample are no picture")
    height, width = image.shape[:2]
    x0, x1 = _span(crop[0], crop[2], width)
    y0, y1 = _span(crop[1], crop[3], height)
    part = image[y0:y1, x0:x1]
    # Averaging pays from a half on; above that it costs more than the decoding.
    method = cv2.INTER_AREA if min(part.shape[:2]) >= 2 * side_px else cv2.INTER_LINEAR
    cv2.resize(part, (side_px, side_px), dst=out, interpolation=method)


def _span(low: float, high: float, size_px: int) -> tuple[int, int]:
    """Pixels of a share of a side; at least one."""
    start = min(int(low * size_px), size_px - 1)
    return start, max(start + 1, min(size_px, round(high * size_px)))


def density(
    points: NDArray[np.float32], crop: XYXY, grid: tuple[int, int], sigma: float
) -> NDArray[np.float32]:
    """Where the pointer dwelt, as a distribution over patches.

    Args:
        points: (k, 3) x, y as shares of the whole picture, seconds.
        crop: What is kept of the picture.
        grid: Rows and columns of patches.
        sigma: Of the blur, shares of the cut's side.

    Returns:
        (rows, columns) float32 that sums to 1, or zeros when no point lies in the cut.
    """
    rows, columns = grid
    if not len(points):
        return np.zeros(grid, np.float32)
    x = (points[:, 0] - crop[0]) / (crop[2] - crop[0])
    y = (points[:, 1] - crop[1]) / (crop[3] - crop[1])
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    if not inside.any():
        return np.zeros(grid, np.float32)
    across = _bumps(x[inside], columns, sigma)
    down = _bumps(y[inside], rows, sigma) * points[inside, 2:]
    heat = down.T @ across
    total = float(heat.sum())
    return np.asarray(heat / total if total > 0 else heat, np.float32)


def _bumps(places: NDArray[np.float32], cells: int, sigma: float) -> NDArray[np.float32]:
    """(k, cells): a Gaussian around each place, looked at in the middle of each cell."""
    middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    return np.exp(-0.5 * ((places[:, None] - middles[None]) / sigma) ** 2).astype(np.float32)
