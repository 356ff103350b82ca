"""Fill what a pointer hid in one scene from other scenes that show the same round it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from medpipe.stages.extract.clean import Colour
from medpipe.stages.extract.grid import Mask

_RING_PX = 8
_MOST_HOLES = 64
_MOST_OFF = 6.0
_FAR_OFF = 24
_FAR_SHARE = 0.03
_FEWEST_RING_PX = 60

Part = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Pixels of an earlier scene that a later one shows.

    Attributes:
        scene: Its index.
        part: Rows and columns of a box in the frame.
        mask: (h, w) bool, which pixels of the box.
        pixels: (n, 3) uint8, BGR, of those pixels.
    """

    scene: int
    part: Part
    mask: Mask
    pixels: Colour


@dataclass(frozen=True, slots=True, eq=False)
class _Hole:
    scene: int
    part: Part
    shown: Colour
    missing: Mask


class Mender:
    """Remembers the last scene, and the holes of earlier ones with what lies round them.

    A hole is filled where the ring round it is the same in both scenes. Only the last picture and
    a bounded number of small crops are held.
    """

    def __init__(self) -> None:
        self._holes: list[_Hole] = []
        self._last: tuple[Colour, Mask] | None = None

    def see(self, scene: int, image: Colour, missing: Mask) -> list[Patch]:
        """Take in the next scene's image; its holes are filled in place where they can be.

        Args:
            scene: Its index.
            image: (h, w, 3) uint8, BGR, of the whole frame.
            missing: (h, w) bool, the pixels that are not known; filled ones are taken out.

        Returns:
            What it shows of the holes of earlier scenes.
        """
        if self._last is not None and self._last[0].shape == image.shape:
            for part in _parts(missing):
                hole = missing[part].copy()
                crop, (last, unknown) = image[part], self._last
                if _is_same(crop, hole, last[part], unknown[part]):
                    crop[hole] = last[part][hole]
                    missing[part] &= ~hole
        patches, waiting = [], []
        for each in self._holes:
            crop = image[each.part]
            if _is_same(each.shown, each.missing, crop, missing[each.part]):
                patches.append(Patch(each.scene, each.part, each.missing, crop[each.missing]))
            else:
                waiting.append(each)
        fresh = [
            _Hole(scene, part, image[part].copy(), missing[part].copy()) for part in _parts(missing)
        ]
        self._holes = (waiting + fresh)[-_MOST_HOLES:]
        self._last = image.copy(), missing.copy()
        return patches


def _parts(missing: Mask) -> Iterator[Part]:
    """Boxes round each hole, with a ring."""
    if not missing.any():
        return
    reach = np.ones((2 * _RING_PX + 1, 2 * _RING_PX + 1), np.uint8)
    grown = cv2.dilate(missing.astype(np.uint8), reach)
    count, _, stats, _ = cv2.connectedComponentsWithStats(grown)
    for x, y, wide, tall, _ in stats[1:count].tolist():
        yield slice(y, y + tall), slice(x, x + wide)


def _is_same(shown: Colour, missing: Mask, other: Colour, unknown: Mask) -> bool:
    """Whether two crops agree round a hole that the other one does not have."""
    if (missing & unknown).any():
        return False
    ring = ~missing & ~unknown
    if int(ring.sum()) < _FEWEST_RING_PX:
        return False
    off = np.asarray(cv2.absdiff(shown, other))[ring].max(axis=1)
    return float(off.mean()) <= _MOST_OFF and float((off > _FAR_OFF).mean()) <= _FAR_SHARE
