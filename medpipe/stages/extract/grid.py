"""See which blocks of the picture changed since they were last looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 8
_STRONG_PIXELS = 2
_NOISE_RANK = 0.9
_NOISE_TO_LEVEL = 4.0
_HIGHEST_LEVEL = 48.0
_MEAN_MOVED = 5.0

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def work_size(width_px: int, height_px: int, widest_px: int) -> tuple[int, int]:
    """Size of the luma that is worked on: no wider than asked, whole blocks.

    Args:
        width_px: Of a decoded frame.
        height_px: Of a decoded frame.
        widest_px: Limit on the width.

    Returns:
        (width, height) in work pixels, both multiples of the block.
    """
    scale = min(1.0, widest_px / width_px)
    width = max(BLOCK_PX, round(width_px * scale / BLOCK_PX) * BLOCK_PX)
    height = max(BLOCK_PX, round(height_px * scale / BLOCK_PX) * BLOCK_PX)
    return width, height


def shrink(luma: Gray, size: tuple[int, int]) -> Gray:
    """Shrink a luma plane, halving as long as that is cheap.

    Args:
        luma: (h, w) uint8.
        size: Wanted (width, height).

    Returns:
        (height, width) uint8.
    """
    while luma.shape[1] >= 2 * size[0] and luma.shape[0] >= 2 * size[1]:
        half = (luma.shape[1] // 2, luma.shape[0] // 2)
        even = luma[: half[1] * 2, : half[0] * 2]
        luma = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    if (luma.shape[1], luma.shape[0]) == size:
        return luma if luma.flags.owndata else luma.copy()
    near = luma.shape[1] < 1.6 * size[0]
    how = cv2.INTER_LINEAR if near else cv2.INTER_AREA
    return np.asarray(cv2.resize(luma, size, interpolation=how), np.uint8)


@dataclass(frozen=True, slots=True)
class Delta:
    """The blocks that a sample renewed.

    Attributes:
        rows: (n,) block rows.
        columns: (n,) block columns.
        pixels: (n, 8, 8) uint8, what they show now.
        changed: (grid) bool, blocks that really changed; the renewed ones also hold neighbours.
        moved: (grid) bool, blocks whose mean changed: content, not noise.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    pixels: Gray
    changed: Mask
    moved: Mask


@dataclass(slots=True)
class Chunk:
    """A bounded stretch of samples, kept as a first picture and the changes to it.

    Attributes:
        first: (h, w) uint8, work luma at the first sample.
        times_s: Presentation time of each sample.
        deltas: One a sample; None where nothing changed.
        levels: Grey levels that counted as a change at each sample.
        size_bytes: Rough memory held.
    """

    first: Gray
    times_s: list[float] = field(default_factory=list)
    deltas: list[Delta | None] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, time_s: float, delta: Delta | None, level: float) -> None:
        """Append a sample."""
        self.times_s.append(time_s)
        self.deltas.append(delta)
        self.levels.append(level)
        if delta is not None:
            self.size_bytes += delta.pixels.nbytes + 2 * delta.changed.nbytes + 512

    def __len__(self) -> int:
        return len(self.times_s)

    def replay(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, Gray]]:
        """Walk the samples in order.

        Args:
            start: First sample that is given.
            end: One past the last, or None for all.

        Yields:
            Index and (h, w) uint8 picture; the same array each time, renewed in place.
        """
        picture = self.first.copy()
        for index in range(len(self) if end is None else end):
            apply(picture, self.deltas[index])
            if index >= start:
                yield index, picture


def blocks_of(picture: Gray) -> Gray:
    """View a picture as (rows, 8, columns, 8)."""
    height, width = picture.shape
    return picture.reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)


def apply(picture: Gray, delta: Delta | None) -> None:
    """Renew a picture in place by one sample's changes."""
    if delta is not None:
        blocks_of(picture)[delta.rows, :, delta.columns, :] = delta.pixels


class ChangeGrid:
    """Compares each sample with what its blocks showed when they last changed.

    Comparing with the last *kept* look of a block, not with the sample before, makes slow fades
    add up instead of passing unseen.
    """

    def __init__(self, first: Gray, level: float) -> None:
        self._kept = first.copy()
        self._level = level
        self._size = (first.shape[1] // BLOCK_PX, first.shape[0] // BLOCK_PX)
        self._thumb = self._shrunk(first)

    @property
    def picture(self) -> Gray:
        """(h, w) uint8, the last kept look of all blocks; a copy."""
        return self._kept.copy()

    def see(self, luma: Gray) -> tuple[Delta | None, float]:
        """Take in one sample.

        Args:
            luma: (h, w) uint8 at work size.

        Returns:
            What changed (None if nothing did), and the grey levels that counted as a change:
            more than the noise of this very sample.
        """
        gap = np.asarray(cv2.absdiff(luma, self._kept))
        mean = cv2.resize(gap, self._size, interpolation=cv2.INTER_AREA).astype(np.float32)
        thumb = self._shrunk(luma)
        shift = np.abs(thumb - self._thumb)
        ripple = (mean - shift).ravel()
        rank = int(mean.size * _NOISE_RANK)
        noise = float(np.partition(ripple, rank)[rank])
        level = float(np.clip(noise * _NOISE_TO_LEVEL, self._level, _HIGHEST_LEVEL))
        strong = cv2.threshold(gap, level, 255, cv2.THRESH_BINARY)[1]
        share = np.asarray(cv2.resize(strong, self._size, interpolation=cv2.INTER_AREA))
        moved = shift > _MEAN_MOVED
        changed = (share >= _STRONG_PIXELS * 255 / BLOCK_PX**2 - 1) | moved
        if not changed.any():
            return None, level
        return self._renew(luma, thumb, changed, moved), level

    def _shrunk(self, luma: Gray) -> NDArray[np.float32]:
        return cv2.resize(luma, self._size, interpolation=cv2.INTER_AREA).astype(np.float32)

    def _renew(
        self, luma: Gray, thumb: NDArray[np.float32], changed: Mask, moved: Mask
    ) -> Delta:
        wide = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero(wide)
        pixels = blocks_of(luma)[rows, :, columns, :]
        blocks_of(self._kept)[rows, :, columns, :] = pixels
        self._thumb[rows, columns] = thumb[rows, columns]
        return Delta(rows, columns, pixels, changed, moved)
