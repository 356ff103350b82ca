"""What a still run shows where the pointer is not."""

from itertools import pairwise

import numpy as np

from medpipe.stages.extract.grid import Chunk, Delta, Gray, Replay
from medpipe.stages.extract.runs import Run

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
    picture = Replay(chunk).at(run.start).copy()
    blocks = chunk.layout.blocks(picture)
    states: dict[tuple[int, int], list[tuple[int, Gray]]] = {}
    for index in range(run.start + 1, run.end):
        delta = chunk.deltas[index]
        if delta is None:
            continue
        pixels = _pixels(chunk, delta)
        places = zip(delta.rows.tolist(), delta.columns.tolist(), strict=True)
        for k, place in enumerate(places):
            states.setdefault(place, []).append((index, pixels[k]))
    for (row, column), looks in states.items():
        stack = [(run.start, blocks[row, :, column, :].copy()), *looks]
        blocks[row, :, column, :] = _median_block(stack, run.end)
    return picture


def _pixels(chunk: Chunk, delta: Delta) -> Gray:
    if delta.whole is None:
        return delta.pixels
    return chunk.layout.blocks(delta.whole)[delta.rows, :, delta.columns, :]


def _median_block(looks: list[tuple[int, Gray]], end: int) -> Gray:
    edges = [*(start for start, _ in looks), end]
    lasting = [b - a for a, b in pairwise(edges)]
    longest = max(lasting)
    if 2 * longest > end - edges[0]:
        return looks[lasting.index(longest)][1]
    if len(looks) > _MOST_STATES:
        looks = looks[:: len(looks) // _MOST_STATES + 1]
    starts = np.array([start for start, _ in looks] + [end])
    weight = np.diff(starts)
    pixels = np.stack([pixel for _, pixel in looks]).reshape(len(looks), -1)
    order = np.argsort(pixels, axis=0, kind="stable")
    total = np.cumsum(weight[order], axis=0)
    half = np.argmax(total >= total[-1] / 2, axis=0)
    picked = np.take_along_axis(pixels, order, axis=0)[half, np.arange(pixels.shape[1])]
    return np.asarray(picked.reshape(looks[0][1].shape), np.uint8)
