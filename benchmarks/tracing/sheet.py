"""The ten worst moments on one sheet, truth and finding drawn in."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.measure import Moment, Outcome

_TILE = (384, 216)
_TRUE, _FOUND = (80, 255, 80), (60, 60, 255)


def write_sheet(outcomes: Sequence[Outcome], path: Path, count: int = 10) -> None:
    """Write the moments that are wrong for longest, two a row: the frame, and close up."""
    moments = [o.worst for o in outcomes if o.worst is not None]
    moments = sorted(moments, key=lambda m: -m.wrong_s)[:count]
    if not moments:
        return
    tiles = [_tile(moment) for moment in moments]
    if len(tiles) % 2:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[k : k + 2]) for k in range(0, len(tiles), 2)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 72])


def _tile(moment: Moment) -> NDArray[np.uint8]:
    """The whole frame with marks beside a close-up of the truth (or of what is claimed)."""
    frame = moment.bgr.copy()
    tall, wide = frame.shape[:2]
    size = max(tall // 36, 6)
    if moment.true is not None:
        _cross(frame, moment.true, size)
    if moment.found is not None:
        at = (int(moment.found[0]), int(moment.found[1]))
        cv2.circle(frame, at, size, _FOUND, max(size // 8, 1))
    whole = cv2.resize(frame, _TILE, interpolation=cv2.INTER_AREA)
    place = moment.true or moment.found or (wide / 2, tall / 2)
    half = max(tall // 10, 24)
    x0, y0 = (
        int(np.clip(p - half, 0, max(s - 2 * half, 0)))
        for p, s in zip(place, (wide, tall), strict=True)
    )
    close = moment.bgr[y0 : y0 + 2 * half, x0 : x0 + 2 * half]
    close = cv2.resize(close, (_TILE[1], _TILE[1]), interpolation=cv2.INTER_NEAREST)
    tile = np.hstack([whole, close])
    bar = np.zeros((20, tile.shape[1], 3), np.uint8)
    cv2.putText(bar, moment.text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return np.vstack([bar, tile]).astype(np.uint8)


def _cross(frame: NDArray[np.uint8], at: tuple[float, float], size: int) -> None:
    x, y = int(at[0]), int(at[1])
    thick = max(size // 8, 1)
    for a, b in (((x - size, y), (x - size // 3, y)), ((x + size // 3, y), (x + size, y))):
        cv2.line(frame, a, b, _TRUE, thick)
    for a, b in (((x, y - size), (x, y - size // 3)), ((x, y + size // 3), (x, y + size))):
        cv2.line(frame, a, b, _TRUE, thick)
