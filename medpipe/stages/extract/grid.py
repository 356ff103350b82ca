"""See which blocks of the picture changed since they were last looked at."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

COARSE_PX = 8
_STRONG_PIXELS = 2
_NOISE_RANK = 0.9
_NOISE_TO_LEVEL = 4.0
_HIGHEST_LEVEL = 48.0
_MEAN_MOVED = 5.0
_WHOLE_SHARE = 0.5
SOFT_PX = 1.0

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture is divided into square blocks; a rim of less than a block is left out.

    Attributes:
        block: Side of a block, picture pixels.
        rows: Of blocks.
        columns: Of blocks.
    """

    block: int
    rows: int
    columns: int

    @classmethod
    def of(cls, width_px: int, height_px: int, coarse_width_px: int) -> "Layout":
        """Divide a picture so that 8 coarse pixels a block stay within a width.

        Args:
            width_px: Of the picture.
            height_px: Of the picture.
            coarse_width_px: Widest coarse picture.

        Returns:
            The division, with the block that leaves the smallest rim out.
        """
        least = max(COARSE_PX, -(-COARSE_PX * width_px // coarse_width_px))
        sides = range(least, max(least + 1, int(least * 1.3)))
        side = min(sides, key=lambda b: (width_px % b + height_px % b, b))
        side = min(side, width_px, height_px)
        return cls(side, height_px // side, width_px // side)

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    def crop(self, luma: NDArray[Pixel]) -> NDArray[Pixel]:
        """The part of a plane that the blocks cover; a view."""
        return luma[: self.rows * self.block, : self.columns * self.block]

    def coarse(self, picture: Gray) -> Gray:
        """Shrink a cropped picture to 8 pixels a block."""
        return shrink(picture, (self.columns * COARSE_PX, self.rows * COARSE_PX))

    def means(self, coarse: Gray) -> Gray:
        """Mean grey level of each block of a coarse picture, (rows, columns)."""
        return shrink(coarse, (self.columns, self.rows))

    def blocks(self, picture: NDArray[Pixel]) -> NDArray[Pixel]:
        """View a contiguous cropped picture as (rows, block, columns, block)."""
        return picture.reshape(self.rows, self.block, self.columns, self.block)

    def spread(self, mask: Mask) -> Mask:
        """Blow a (rows, columns) mask up to the picture's pixels."""
        return np.repeat(np.repeat(mask, self.block, axis=0), self.block, axis=1)


def soften(picture: Gray, soft_px: float = SOFT_PX) -> Gray:
    """Blur a little, so that a pointer between two pixels looks like one on a pixel."""
    return np.asarray(cv2.GaussianBlur(picture, (5, 5), soft_px), np.uint8)


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
        return luma
    near = luma.shape[1] < 1.6 * size[0]
    how = cv2.INTER_LINEAR if near else cv2.INTER_AREA
    return np.asarray(cv2.resize(luma, size, interpolation=how), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """The blocks that a sample renewed.

    Attributes:
        rows: (n,) block rows.
        columns: (n,) block columns.
        pixels: (n, block, block) uint8, what they show now.
        means: (n,) uint8, their mean grey levels.
        whole: (h, w) uint8, the whole picture instead, where most of it changed; else None.
        changed: (grid) bool, blocks that really changed; the renewed ones also hold neighbours.
        moved: (grid) bool, blocks whose mean changed: content, not noise.
        strength: Grey levels by which the means of the moved blocks changed.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    pixels: Gray
    means: Gray
    whole: Gray | None
    changed: Mask
    moved: Mask
    strength: float


@dataclass(slots=True, eq=False)
class Chunk:
    """A bounded stretch of samples, kept as a first picture and the changes to it.

    Attributes:
        layout: How pictures are divided.
        first: (h, w) uint8, luma of the first sample.
        times_s: Presentation time of each sample.
        deltas: One a sample; None where nothing changed. The first says how the first sample
            differs from the chunk before.
        levels: Grey levels that counted as a change at each sample.
        size_bytes: Rough memory held.
        wholes: Samples that renewed the whole picture, in order.
    """

    layout: Layout
    first: Gray
    times_s: list[float] = field(default_factory=list)
    deltas: list[Delta | None] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    size_bytes: int = 0
    wholes: list[int] = field(default_factory=list)
    _renewals: tuple[NDArray[np.intp], Mask] | None = None

    def add(self, time_s: float, delta: Delta | None, level: float) -> None:
        """Append a sample."""
        if delta is not None and delta.whole is not None:
            self.wholes.append(len(self.deltas))
        self.times_s.append(time_s)
        self.deltas.append(delta)
        self.levels.append(level)
        self._renewals = None
        if delta is not None:
            whole = 0 if delta.whole is None else delta.whole.nbytes
            self.size_bytes += whole + delta.pixels.nbytes + 2 * delta.changed.nbytes + 512

    def __len__(self) -> int:
        return len(self.times_s)

    def renewing(self, rows: slice, columns: slice) -> NDArray[np.intp]:
        """Samples after the first that renewed a block of some rows and columns, in order."""
        if self._renewals is None:
            samples = [k for k, delta in enumerate(self.deltas) if k and delta is not None]
            renewed = np.zeros((len(samples), *self.layout.grid), bool)
            for mask, sample in zip(renewed, samples, strict=True):
                delta = self.deltas[sample]
                if delta is not None:
                    mask[delta.rows, delta.columns] = True
            self._renewals = np.array(samples, np.intp), renewed
        samples_of, renewed = self._renewals
        return samples_of[renewed[:, rows, columns].any(axis=(1, 2))]

    def last_whole(self, sample: int) -> int:
        """The last sample up to `sample` that renewed the whole picture; 0 if none did."""
        at = bisect_right(self.wholes, sample)
        return self.wholes[at - 1] if at else 0

    def level(self, start: int, end: int) -> float:
        """Usual grey levels that counted as a change from `start` to `end - 1`."""
        return float(np.median(self.levels[start:end]))


class Replay:
    """A cursor over a chunk's pictures that only goes forward."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._at = 0
        self._picture = chunk.first.copy()

    def at(self, sample: int) -> Gray:
        """The picture of a sample that is not before the last one asked for.

        Returns:
            (h, w) uint8; the same array each time, renewed in place.
        """
        self._at = max(self._at, self._chunk.last_whole(sample) - 1)
        while self._at < sample:
            self._at += 1
            self._renew(self._chunk.deltas[self._at])
        return self._picture

    def over(self, start: int, end: int) -> Iterator[tuple[int, Gray]]:
        """Walk samples `start` to `end - 1`: index and picture."""
        for sample in range(start, end):
            yield sample, self.at(sample)

    def _renew(self, delta: Delta | None) -> None:
        if delta is None:
            return
        if delta.whole is not None:
            self._picture[:] = delta.whole
        else:
            blocks = self._chunk.layout.blocks(self._picture)
            blocks[delta.rows, :, delta.columns, :] = delta.pixels


class ChangeGrid:
    """Compares each sample with what its blocks showed when they last changed.

    Comparing with the last *kept* look of a block, not with the sample before, makes slow fades
    add up instead of passing unseen.
    """

    def __init__(self, layout: Layout, first: Gray, level: float) -> None:
        self._layout = layout
        self._level = level
        self._size = (layout.columns, layout.rows)
        self._kept = layout.coarse(first).copy()
        self._thumb = layout.means(self._kept)
        self._last = self._kept
        self._calm_level: float | None = None

    def see(self, picture: Gray) -> tuple[Delta | None, float]:
        """Take in one sample.

        Args:
            picture: (h, w) uint8, cropped luma.

        Returns:
            What changed (None if nothing did), and the grey levels that counted as a change:
            more than the noise of this very sample.
        """
        coarse = self._layout.coarse(picture)
        if self._calm_level is not None and np.array_equal(coarse, self._last):
            return None, self._calm_level
        delta, level = self._compared(picture, coarse)
        self._last, self._calm_level = coarse, level if delta is None else None
        return delta, level

    def _compared(self, picture: Gray, coarse: Gray) -> tuple[Delta | None, float]:
        gap = np.asarray(cv2.absdiff(coarse, self._kept), np.uint8)
        thumb = self._layout.means(coarse)
        shift = np.asarray(cv2.absdiff(thumb, self._thumb), np.uint8)
        ripple = np.asarray(cv2.subtract(self._layout.means(gap), shift), np.uint8)
        under = np.bincount(ripple.ravel()).cumsum()
        noise = int(under.searchsorted(int(ripple.size * _NOISE_RANK), side="right"))
        level = float(np.clip(noise * _NOISE_TO_LEVEL, self._level, _HIGHEST_LEVEL))
        strong = np.asarray(cv2.threshold(gap, level, 255, cv2.THRESH_BINARY)[1], np.uint8)
        moved = shift > _MEAN_MOVED
        few = _STRONG_PIXELS * 255 / COARSE_PX**2 - 1
        changed = (shrink(strong, self._size) >= few) | moved
        if not changed.any():
            return None, level
        strength = float(shift[moved].mean()) if moved.any() else 0.0
        return self._renew(picture, coarse, thumb, changed, moved, strength), level

    def _renew(
        self,
        picture: Gray,
        coarse: Gray,
        thumb: Gray,
        changed: Mask,
        moved: Mask,
        strength: float,
    ) -> Delta:
        wide = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero(wide)
        self._thumb[rows, columns] = thumb[rows, columns]
        shape = (self._layout.rows, COARSE_PX, self._layout.columns, COARSE_PX)
        fresh = coarse.reshape(shape)[rows, :, columns, :]
        self._kept.reshape(shape)[rows, :, columns, :] = fresh
        if len(rows) > _WHOLE_SHARE * wide.size:
            rows, columns = np.nonzero(np.ones_like(wide))
            none = np.zeros((0, self._layout.block, self._layout.block), np.uint8)
            means = thumb.ravel()
            return Delta(rows, columns, none, means, picture.copy(), changed, moved, strength)
        side, rest = self._layout.block, (self._layout.rows, self._layout.columns)
        view = np.lib.stride_tricks.as_strided(
            picture,
            (rest[0], side, rest[1], side),
            (picture.strides[0] * side, picture.strides[0], side, 1),
            writeable=False,
        )
        pixels, means = view[rows, :, columns, :], thumb[rows, columns]
        return Delta(rows, columns, pixels, means, None, changed, moved, strength)
