"""Chunks of made pictures for tests of single steps: a textured page and an arrow over it."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.cursors import draw
from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout, soften
from medpipe.stages.extract.template import Template

Gray = NDArray[np.uint8]
WIDTH, HEIGHT, STEP_S = 320, 240, 0.08
ARROW = draw(0, 20.0)


def texture(seed: int, low: int = 40, high: int = 150, grain: int = 12) -> Gray:
    """A page of soft patches, as tissue is."""
    rough = np.random.default_rng(seed).integers(low, high, (HEIGHT // grain, WIDTH // grain))
    wide = cv2.resize(rough.astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide, np.uint8)


def pointed(page: Gray, x: float, y: float, scale: float = 1.0) -> Gray:
    """The page with a white arrow whose tip is at a place."""
    drawing = ARROW if scale == 1.0 else draw(0, 20.0 * scale)
    left, top = round(x - drawing.tip[0]), round(y - drawing.tip[1])
    height, width = drawing.cover.shape
    out = page.astype(np.float32)
    part = np.s_[top : top + height, left : left + width]
    drawn = 255 * drawing.inner + 0 * drawing.rim
    out[part] = out[part] * (1 - drawing.cover) + drawn
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def arrow_look(*, distinct: bool = True, bound: float = 20.0) -> Template:
    """The look of that arrow as it would be learnt: without knowledge of what it covers."""
    height, width = ARROW.cover.shape
    page = np.full((HEIGHT, WIDTH), 90, np.uint8)
    shown = soften(pointed(page, 100 + ARROW.tip[0], 100 + ARROW.tip[1]))
    look = shown[100 : 100 + height, 100 : 100 + width].astype(np.float32)
    weight = np.where(ARROW.cover > 0.5, ARROW.cover, 0).astype(np.float32)
    return Template(look, weight, ARROW.tip, PointerKind.ARROW, bound, 8, distinct=distinct)


def chunk_of(pictures: Sequence[Gray]) -> Chunk:
    """The chunk that a video of these pictures gives."""
    layout = Layout.of(WIDTH, HEIGHT, 640)
    grid = ChangeGrid(layout, layout.crop(pictures[0]), 16)
    chunk = Chunk(layout, layout.crop(pictures[0]).copy())
    for index, picture in enumerate(pictures):
        delta, level = grid.see(np.ascontiguousarray(layout.crop(picture)))
        chunk.add(index * STEP_S, delta, level)
    return chunk


def film(count: int, shown: Callable[[int], Gray]) -> Chunk:
    """The chunk of `count` samples that a function of their number draws."""
    return chunk_of([shown(index) for index in range(count)])
