"""What a still run shows where the pointer is not."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import Chunk, Gray, Replay
from medpipe.stages.extract.runs import Run

_LOOKS = 31
_MOST_AT_ONCE_PX = 1_000_000


def background(chunk: Chunk, run: Run, *, at_once_px: int = _MOST_AT_ONCE_PX) -> Gray:
    """Build the picture that each pixel showed for the longest time, half for half.

    Args:
        chunk: The samples.
        run: A still stretch of it.
        at_once_px: Restless pixels that are worked on together; a bound of the memory.

    Returns:
        (h, w) uint8: what a block showed for more than half of the time; where there is no such
        look, per pixel the median over moments spread evenly. A pointer that rested for most of
        the run is still in it.
    """
    longest, since, touched = _longest(chunk, run)
    settled = touched & (2 * longest > run.end - run.start)
    picture = _settled(chunk, run, settled, since)
    blocks = chunk.layout.blocks(picture)
    restless = np.nonzero(touched & ~settled)
    most = max(at_once_px // chunk.layout.block**2, 1)
    for first in range(0, len(restless[0]), most):
        rows, columns = (each[first : first + most] for each in restless)
        blocks[rows, :, columns, :] = _median_blocks(chunk, run, rows, columns)
    return picture


def _longest(
    chunk: Chunk, run: Run
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Samples for which each block showed one look at most, since when, and if it had others."""
    grid = chunk.layout.grid
    longest, since = np.zeros(grid, np.int32), np.full(grid, run.start, np.int32)
    begun, touched = since.copy(), np.zeros(grid, bool)
    everywhere = np.nonzero(np.ones(grid, bool))
    for index in range(run.start + 1, run.end + 1):
        delta = chunk.deltas[index] if index < run.end else None
        if delta is None and index < run.end:
            continue
        at = everywhere if delta is None else (delta.rows, delta.columns)
        lasted, start = index - begun[at], begun[at]
        longer = lasted > longest[at]
        longest[at] = np.where(longer, lasted, longest[at])
        since[at] = np.where(longer, start, since[at])
        if delta is not None:
            begun[at] = index
            touched[at] = True
    return longest, since, touched


def _settled(chunk: Chunk, run: Run, settled: NDArray[np.bool_], since: NDArray[np.int32]) -> Gray:
    """The picture at a run's start, with settled blocks as they are since a sample of their own."""
    replay = Replay(chunk)
    picture = replay.at(run.start).copy()
    blocks = chunk.layout.blocks(picture)
    for sample in np.unique(since[settled & (since > run.start)]).tolist():
        rows, columns = np.nonzero(settled & (since == sample))
        shown = chunk.layout.blocks(replay.at(sample))
        blocks[rows, :, columns, :] = shown[rows, :, columns, :]
    return picture


def _median_blocks(
    chunk: Chunk, run: Run, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Gray:
    moments = run.start + ((np.arange(_LOOKS) + 0.5) * (run.end - run.start) / _LOOKS).astype(int)
    replay = Replay(chunk)
    looks = [chunk.layout.blocks(replay.at(m))[rows, :, columns, :] for m in moments.tolist()]
    return median(looks)


def median(looks: list[Gray]) -> Gray:
    """Median of each pixel, by comparing whole pictures.

    Args:
        looks: An odd number of arrays of one shape; what they hold is lost.

    Returns:
        The array of medians.
    """
    spare = np.empty_like(looks[0])
    for a, b in _comparisons(len(looks)):
        np.minimum(looks[a], looks[b], out=spare)
        np.maximum(looks[a], looks[b], out=looks[b])
        looks[a], spare = spare, looks[a]
    return looks[len(looks) // 2]


def _comparisons(count: int) -> Iterator[tuple[int, int]]:
    """Pairs to put in order, one after another, so that all are in order (Batcher's merging)."""
    step = 1
    while step < count:
        gap = step
        while gap >= 1:
            for first in range(gap % step, count - gap, 2 * gap):
                for a in range(first, min(first + gap, count - gap)):
                    if a // (2 * step) == (a + gap) // (2 * step):
                        yield a, a + gap
            gap //= 2
        step *= 2
