"""Small things that stand out from the background of a still run."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import Chunk, Delta, Gray, Layout, Mask, Replay, soften
from medpipe.stages.extract.runs import Run

PAD_PX = 28
_STRONG_PIXELS = 4
_SMALLEST_AREA_PX = 10
_MOST_PATCHES = 24
_LONGEST_SIDE_PX = 200
_SLACK_PX = 4
_JOIN = np.ones((7, 7), np.uint8)


@dataclass(slots=True, eq=False)
class Blob:
    """A patch that differs from the background and rests while it is listed.

    Attributes:
        start: First sample that shows it so.
        end: One past the last sample that shows it so.
        x0: Left of its mask, picture pixels.
        y0: Top of its mask, picture pixels.
        mask: (h, w) bool, pixels that differ.
        now: (wh, ww) uint8, what is shown, softened: the mask's box grown by `PAD_PX`, cut at the
            picture's rim.
        behind: (wh, ww) uint8, the background of the same window.
        wx: Left of that window, picture pixels.
        wy: Top of that window, picture pixels.
    """

    start: int
    end: int
    x0: int
    y0: int
    mask: Mask
    now: Gray
    behind: Gray
    wx: int
    wy: int

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the mask's box, picture pixels."""
        height, width = self.mask.shape
        return self.x0 + width / 2, self.y0 + height / 2

    @property
    def area(self) -> int:
        """Pixels that differ."""
        return int(self.mask.sum())

    @property
    def side(self) -> int:
        """Longer side of the mask's box, picture pixels."""
        return int(max(self.mask.shape))

    def window_for(self, width: int, height: int) -> tuple[Gray, int, int]:
        """The part of `now` in which a thing of some size can explain the mask.

        Args:
            width: Of the thing, picture pixels.
            height: Of the thing, picture pixels.

        Returns:
            The part, and its left and top in the picture.
        """
        rows, columns = self.mask.shape
        reach_x, reach_y = max(width - columns, 0) + _SLACK_PX, max(height - rows, 0) + _SLACK_PX
        x, y = self.x0 - self.wx, self.y0 - self.wy
        x0, y0 = max(x - reach_x, 0), max(y - reach_y, 0)
        part = self.now[y0 : y + rows + reach_y, x0 : x + columns + reach_x]
        return part, self.wx + x0, self.wy + y0

    @property
    def energy(self) -> float:
        """How much it stands out: grey levels summed over its mask, less for large ones."""
        gap = np.asarray(cv2.absdiff(self.now, self.behind))[self.window_mask()]
        return float(gap.mean() * np.sqrt(self.area))

    def window_mask(self) -> Mask:
        """The mask in the frame of `now`."""
        full = np.zeros(self.now.shape, bool)
        y, x = self.y0 - self.wy, self.x0 - self.wx
        full[y : y + self.mask.shape[0], x : x + self.mask.shape[1]] = self.mask
        return full


def find_blobs(chunk: Chunk, run: Run, behind: Gray, quiet: Mask) -> list[Blob]:
    """List the patches of a still run that differ from its background.

    Args:
        chunk: The samples.
        run: A still stretch of it.
        behind: (h, w) uint8, the run's background.
        quiet: (grid) bool, blocks that may be looked at.

    Returns:
        Blobs in order of their start; one that moves is a new blob at each sample.
    """
    level = chunk.level(run.start, run.end)
    block = chunk.layout.block
    count = np.zeros(quiet.shape, np.int32)
    open_blobs: list[Blob] = []
    done: list[Blob] = []
    for index, picture in Replay(chunk).over(run.start, run.end):
        delta = None if index == run.start else chunk.deltas[index]
        if index > run.start and delta is None:
            continue
        _recount(chunk.layout, count, picture, behind, delta, level)
        fresh = np.ones(quiet.shape, bool) if delta is None else _renewed(delta, quiet.shape)
        kept = [b for b in open_blobs if not _touches(b, fresh, block)]
        for blob in open_blobs:
            blob.end = index
        done += [b for b in open_blobs if _touches(b, fresh, block)]
        hot = (count >= _STRONG_PIXELS) & quiet
        open_blobs = kept + _new_blobs(picture, behind, hot, fresh, level, index, block)
    for blob in open_blobs:
        blob.end = run.end
    return sorted(done + open_blobs, key=lambda b: (b.start, b.y0, b.x0))


def _recount(
    layout: Layout,
    count: NDArray[np.int32],
    picture: Gray,
    behind: Gray,
    delta: Delta | None,
    level: float,
) -> None:
    if delta is None or delta.whole is not None:
        whole = np.asarray(cv2.absdiff(picture, behind) > level, np.uint8)
        count[:] = layout.blocks(whole).sum((1, 3), dtype=np.int32)
        return
    base = layout.blocks(behind)[delta.rows, :, delta.columns, :]
    gap = cv2.absdiff(delta.pixels.reshape(len(base), -1), base.reshape(len(base), -1))
    count[delta.rows, delta.columns] = (gap > level).sum(axis=1)


def _renewed(delta: Delta, shape: tuple[int, ...]) -> Mask:
    fresh = np.zeros(shape, bool)
    fresh[delta.rows, delta.columns] = True
    return fresh


def _touches(blob: Blob, fresh: Mask, block: int) -> bool:
    height, width = blob.mask.shape
    rows = slice(blob.y0 // block, (blob.y0 + height - 1) // block + 1)
    columns = slice(blob.x0 // block, (blob.x0 + width - 1) // block + 1)
    return bool(fresh[rows, columns].any())


def _new_blobs(
    picture: Gray, behind: Gray, hot: Mask, fresh: Mask, level: float, index: int, block: int
) -> list[Blob]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(hot.astype(np.uint8))
    renewed = np.unique(labels[fresh & hot])
    order = np.argsort(stats[renewed, cv2.CC_STAT_AREA], kind="stable")[::-1][:_MOST_PATCHES]
    found: list[Blob] = []
    for label in renewed[order]:
        x, y, width, height = (int(v) for v in stats[label, :4])
        if max(width, height) * block > 2 * _LONGEST_SIDE_PX:
            continue
        box = (x * block, y * block, (x + width) * block, (y + height) * block)
        for blob in _split(picture, behind, box, level, index):
            if _touches(blob, fresh, block):
                found.append(blob)
    return found


def _split(
    picture: Gray, behind: Gray, box: tuple[int, int, int, int], level: float, index: int
) -> list[Blob]:
    x0, y0, x1, y1 = box
    gap = (cv2.absdiff(picture[y0:y1, x0:x1], behind[y0:y1, x0:x1]) > level).astype(np.uint8)
    count, labels = cv2.connectedComponents(cv2.dilate(gap, _JOIN))
    found = []
    for label in range(1, count):
        mask = (labels == label) & (gap > 0)
        if int(mask.sum()) < _SMALLEST_AREA_PX:
            continue
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if max(mask.shape) > _LONGEST_SIDE_PX:
            continue
        left, top = x0 + int(columns[0]), y0 + int(rows[0])
        wx, wy = max(left - PAD_PX, 0), max(top - PAD_PX, 0)
        part = np.s_[wy : top + mask.shape[0] + PAD_PX, wx : left + mask.shape[1] + PAD_PX]
        now, base = soften(picture[part]), soften(behind[part])
        found.append(Blob(index, index + 1, left, top, mask, now, base, wx, wy))
    return found


def rim_edge(picture: Gray, mask: Mask) -> float:
    """Mean edge of a picture along the rim of a mask.

    Args:
        picture: (h, w) uint8.
        mask: (h, w) bool.

    Returns:
        Grey levels across 3 pixels; 0 if the mask has no rim.
    """
    cross = np.ones((3, 3), np.uint8)
    whole = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _JOIN)
    rim = (cv2.dilate(whole, cross) - cv2.erode(whole, cross)) > 0
    edge = np.asarray(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, cross))
    return float(edge[rim].mean()) if rim.any() else 0.0


def edge_ratio(blob: Blob) -> float:
    """Tell a thing from the hole that it left.

    The rim of a thing is an edge where it stands and none where it stood.

    Args:
        blob: Of at least one sample.

    Returns:
        Edge along the mask's rim in what is shown, over the same in the background: over 1 for a
        thing, under 1 for a ghost.
    """
    mask = blob.window_mask()
    return (rim_edge(blob.now, mask) + 1.0) / (rim_edge(blob.behind, mask) + 1.0)
