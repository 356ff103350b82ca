"""A plane of colour beside brightness, for pointers that are told by their hue alone."""

from dataclasses import replace

import cv2
import numpy as np

from medpipe.stages.extract.grid import ChangeGrid, Chunk, Delta, Gray, Layout

_GREY = 128
_FAINTEST = 12
_COARSE_WIDTH_PX = 320
_LEVEL = 10.0
# Of either difference: together less than a level.
_UNSEEN = 5.0
_LEAST_WIDTH_PX = 480
# One number a colour: red and yellow above grey, green and blue below it. Only violet and lime,
# which lie on the line between, look grey.
_RED, _BLUE = 1.25, -0.625


def colour_plane(u: Gray, v: Gray) -> Gray:
    """Fold two colour differences into one plane.

    Args:
        u: (h, w) uint8, blue over brightness, 128 for grey.
        v: (h, w) uint8, red over brightness, 128 for grey.

    Returns:
        (h, w) uint8, 128 for grey.
    """
    shift = _GREY * (1 - _RED - _BLUE)
    return np.asarray(cv2.addWeighted(v, _RED, u, _BLUE, shift), np.uint8)


def is_grey(u: Gray, v: Gray) -> bool:
    """Whether no pixel has a colour that an eye would see."""
    low, high = _GREY - _FAINTEST, _GREY + _FAINTEST
    return bool(v.min() > low and v.max() < high and u.min() > low and u.max() < high)


class ColourLayer:
    """Keeps the changes of a video's colours, chunk by chunk; costs next to nothing in grey."""

    def __init__(self) -> None:
        self._grid: ChangeGrid | None = None
        self._layout: Layout | None = None
        self._seen: tuple[Gray, Gray] | None = None
        self._was_grey = False
        self.chunk: Chunk | None = None

    def see(self, u: Gray, v: Gray, time_s: float) -> None:
        """Take in one sample.

        Args:
            u: (h, w) uint8, blue over brightness.
            v: (h, w) uint8, red over brightness.
            time_s: Of the sample.
        """
        small = _halved(u), _halved(v)
        grey = is_grey(*small)
        if self.chunk is not None and self._is_same(small, grey):
            self.chunk.add(time_s, None, _LEVEL)
            return
        self._seen, self._was_grey = small, grey
        plane = np.full(u.shape, _GREY, np.uint8) if grey else colour_plane(u, v)
        if self._layout is None:
            self._layout = Layout.of(plane.shape[1], plane.shape[0], _COARSE_WIDTH_PX)
        plane = self._layout.crop(plane)
        if self._grid is None:
            self._grid = ChangeGrid(self._layout, plane, _LEVEL)
        if self.chunk is None:
            self.chunk = Chunk(self._layout, plane.copy())
        self.chunk.add(time_s, *self._grid.see(plane))

    def _is_same(self, small: tuple[Gray, Gray], grey: bool) -> bool:
        if grey and self._was_grey:
            return True
        if self._seen is None:
            return False
        off = (cv2.norm(a, b, cv2.NORM_INF) for a, b in zip(small, self._seen, strict=True))
        return max(off) <= _UNSEEN

    def take(self) -> Chunk | None:
        """Hand out what was kept and start anew."""
        chunk, self.chunk = self.chunk, None
        return chunk


def _halved(plane: Gray) -> Gray:
    if plane.shape[1] <= _COARSE_WIDTH_PX:
        return plane.copy()
    half = (plane.shape[1] // 2, plane.shape[0] // 2)
    return np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(chunk: Chunk) -> tuple[Chunk, int]:
    """Blow small planes up, so that small dots have pixels enough to be told from noise.

    Args:
        chunk: Of half-size planes.

    Returns:
        The chunk, and how many of its pixels lie side by side on one of the half-size planes.
    """
    if chunk.first.shape[1] >= _LEAST_WIDTH_PX:
        return chunk, 1
    layout = chunk.layout
    large = Chunk(Layout(2 * layout.block, layout.rows, layout.columns), _doubled(chunk.first))
    for time_s, delta, level in zip(chunk.times_s, chunk.deltas, chunk.levels, strict=True):
        large.add(time_s, None if delta is None else _double(delta), level)
    return large, 2


def _double(delta: Delta) -> Delta:
    whole = None if delta.whole is None else _doubled(delta.whole)
    return replace(delta, pixels=_doubled(delta.pixels), whole=whole)


def _doubled(pixels: Gray) -> Gray:
    return pixels.repeat(2, axis=-2).repeat(2, axis=-1)
