"""Build a still run's picture without the pointer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.alike import differs
from medpipe.stages.extract.grid import Gray, Layout, Mask
from medpipe.stages.extract.track import Place

_RIM_PX = 7
_INPAINT_PX = 5
_FOOTPRINT_RIM_PX = 4
_LEVEL_SLACK = 4

Colour = NDArray[np.uint8]


class Picture(Protocol):
    """A whole frame that can still be turned into colours."""

    def luma(self) -> Gray:
        """(h, w) uint8."""
        ...

    def bgr(self, part: tuple[slice, slice] | None = None) -> Colour:
        """(h, w, 3) uint8, of a part alone if one is given."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A whole frame that may become a clean image.

    Attributes:
        time_s: When it is shown, seconds.
        picture: The frame.
        place: The pointer's place in it, or None.
        level: Grey levels that counted as a change.
        quiet: (grid) bool, blocks that rest now and then.
    """

    time_s: float
    picture: Picture
    place: Place | None
    level: float
    quiet: Mask


def clean_image(
    kept: Sequence[Kept], behind: Gray, known: Mask, layout: Layout
) -> tuple[Colour, Mask]:
    """Take one frame and mend its covered places from the others.

    Args:
        kept: At least one; later ones are trusted more.
        behind: (h, w) uint8, cropped luma of what is shown behind the pointer.
        known: (h, w) bool, where that was seen.
        layout: How the picture is divided.

    Returns:
        (h, w, 3) uint8 in BGR, and (h, w) bool, the pixels that no frame shows.
    """
    size = kept[0].picture.luma().shape
    areas, packed = [], []
    for each in kept:
        covered = _covered(each, behind, known, layout)
        areas.append(int(covered.sum()))
        packed.append(np.packbits(covered))

    def cover(k: int) -> Mask:
        return np.unpackbits(packed[k], count=size[0] * size[1]).reshape(size).view(np.bool_)

    order = sorted(range(len(kept)), key=lambda k: (areas[k], -k))
    image = np.ascontiguousarray(kept[order[0]].picture.bgr())
    missing = _grown(cover(order[0]))
    _take(image, missing, ((kept[k], cover(k)) for k in order[1:]))
    if missing.any():
        loose = ((kept[k], _without_recoded(kept[k], cover(k), behind, layout)) for k in order)
        missing &= _grown(next(loose)[1])
        _take(image, missing, loose)
    return image, missing


def _take(image: Colour, missing: Mask, frames: Iterator[tuple[Kept, Mask]]) -> None:
    """Fill missing pixels from frames that show them, in place; those that show most first."""
    if not missing.any():
        return
    hole = _box(missing)
    left = missing[hole]
    shown = [(each, left & ~_grown(covered)[hole]) for each, covered in frames]
    while shown:
        each, part = max(shown, key=lambda pair: int(np.count_nonzero(pair[1])))
        if not part.any():
            return
        rows, columns = _box(part)
        place = _within(hole[0], rows), _within(hole[1], columns)
        image[place][part[rows, columns]] = each.picture.bgr(place)[part[rows, columns]]
        left &= ~part
        shown = [(other, seen & left) for other, seen in shown]


def _within(outer: slice, inner: slice) -> slice:
    return slice(outer.start + inner.start, outer.start + inner.stop)


def _covered(each: Kept, behind: Gray, known: Mask, layout: Layout) -> Mask:
    """(h, w) bool, where a frame shows a pointer, or anything that is not background."""
    luma = each.picture.luma()
    covered = np.zeros(luma.shape, bool)
    off = (cv2.absdiff(layout.crop(luma), behind) > each.level + _LEVEL_SLACK).astype(np.uint8)
    calm = cv2.medianBlur(off, 3) > 0
    covered[: off.shape[0], : off.shape[1]] = (calm & layout.spread(each.quiet)) | ~known
    if each.place is not None:
        covered[each.place.footprint(_FOOTPRINT_RIM_PX)] = True
    return covered


def _without_recoded(each: Kept, covered: Mask, behind: Gray, layout: Layout) -> Mask:
    """What is covered but for blocks that show the background coded better or worse."""
    luma = layout.crop(each.picture.luma())
    blocks = layout.blocks(layout.crop(covered).copy())
    rows, columns = np.nonzero(blocks.any(axis=(1, 3)))
    now = layout.blocks(np.ascontiguousarray(luma))[rows, :, columns, :]
    was = layout.blocks(behind)[rows, :, columns, :]
    same = ~differs(now, was, np.ones(now.shape, bool), each.level + _LEVEL_SLACK)
    blocks[rows[same], :, columns[same], :] = False
    loose = covered.copy()
    loose[: luma.shape[0], : luma.shape[1]] = blocks.reshape(luma.shape)
    if each.place is not None:
        loose[each.place.footprint(_FOOTPRINT_RIM_PX)] = True
    return loose


def _grown(covered: Mask) -> Mask:
    if not covered.any():
        return covered.copy()
    return cv2.dilate(covered.astype(np.uint8), np.ones((_RIM_PX, _RIM_PX), np.uint8)) > 0


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def inpaint(image: Colour, missing: Mask) -> None:
    """Fill pixels from their surroundings, in place.

    Args:
        image: (h, w, 3) uint8.
        missing: (h, w) bool, at least one.
    """
    rows, columns = _box(missing)
    pad = 4 * _INPAINT_PX
    rows = slice(max(rows.start - pad, 0), rows.stop + pad)
    columns = slice(max(columns.start - pad, 0), columns.stop + pad)
    part = np.ascontiguousarray(image[rows, columns])
    hole = missing[rows, columns].astype(np.uint8)
    image[rows, columns] = cv2.inpaint(part, hole, _INPAINT_PX, cv2.INPAINT_TELEA)
