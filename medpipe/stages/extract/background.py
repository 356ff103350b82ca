"""What a still run shows where the pointer is not."""

import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import BLOCK_PX, Chunk, Gray, blocks_of
from medpipe.stages.extract.runs import Run, changed_often

_MOST_STATES = 60


def background(chunk: Chunk, run: Run) -> Gray:
    """Build the picture that each pixel showed for the longest time, half for half.

    Args:
        chunk: The samples.
        run: A still stretch of it.

    Returns:
        (h, w) uint8: per pixel the median over time, each look weighted by how long it lasted. A
        pointer that rested for most of the run is still in it.
    """
    first = next(picture for _, picture in chunk.replay(run.start, run.start + 1)).copy()
    states: dict[tuple[int, int], list[tuple[int, Gray]]] = {}
    for index in range(run.start + 1, run.end):
        delta = chunk.deltas[index]
        if delta is None:
            continue
        places = zip(delta.rows.tolist(), delta.columns.tolist(), strict=True)
        for k, place in enumerate(places):
            states.setdefault(place, []).append((index, delta.pixels[k]))
    blocks = blocks_of(first)
    for (row, column), looks in states.items():
        stack = [(run.start, blocks[row, :, column, :].copy()), *looks]
        blocks[row, :, column, :] = _median_block(stack, run.end)
    return first


def _median_block(looks: list[tuple[int, Gray]], end: int) -> Gray:
    if len(looks) > _MOST_STATES:
        looks = looks[:: len(looks) // _MOST_STATES + 1]
    starts = np.array([start for start, _ in looks] + [end])
    weight = np.diff(starts)
    pixels = np.stack([pixel for _, pixel in looks]).reshape(len(looks), -1)
    order = np.argsort(pixels, axis=0, kind="stable")
    total = np.cumsum(weight[order], axis=0)
    half = np.argmax(total >= total[-1] / 2, axis=0)
    picked = np.take_along_axis(pixels, order, axis=0)[half, np.arange(pixels.shape[1])]
    return picked.reshape(BLOCK_PX, BLOCK_PX)


def touched(chunk: Chunk, run: Run) -> NDArray[np.bool_]:
    """Blocks that changed at all in a run, (grid) bool."""
    return changed_often(chunk, run) > 0
