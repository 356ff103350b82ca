"""Cut a chunk of samples where the picture as a whole changed."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from medpipe.stages.extract.grid import Chunk, Mask

_REACH = 5
_AWAKE_SAMPLES = 12
_BUSY_SHARE = 0.8
_SMALLEST_BUSY_BLOCKS = 40
_LARGEST_BUSY_SHARE = 0.3
_SHORTEST_BUSY_SAMPLES = 45

_CONTENT_SHARE = 0.055
_LONGEST_POINTER_BLOCKS = 13
_MOST_PATCHES = 6
_SMALLEST_PATCH_BLOCKS = 2
_POP_STRENGTH = 10.0
_POP_SAMPLES = 8
_LAG_SAMPLES = 10
_SLOW_MOVED = 10.0


@dataclass(frozen=True, slots=True)
class Run:
    """Samples `start` to `end - 1` of a chunk.

    Attributes:
        still: Nothing but small things changed in it.
    """

    start: int
    end: int
    still: bool


def busy_blocks(chunk: Chunk) -> Mask:
    """Find the blocks that never rest, such as a webcam inset or a ticking clock.

    Args:
        chunk: The samples.

    Returns:
        (grid) bool. Regions of a pointer's size or of most of the picture are left out.
    """
    grid = chunk.layout.grid
    if len(chunk) < _SHORTEST_BUSY_SAMPLES:
        return np.zeros(grid, bool)
    reach = np.ones((_REACH, _REACH), np.uint8)
    last = np.full(grid, -10 * _AWAKE_SAMPLES, np.int32)
    awake = np.zeros(grid, np.int32)
    for index, delta in enumerate(chunk.deltas):
        if delta is not None:
            last[cv2.dilate(delta.changed.astype(np.uint8), reach).astype(bool)] = index
        awake += index - last <= _AWAKE_SAMPLES
    busy = awake > _BUSY_SHARE * len(chunk)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(busy.astype(np.uint8))
    for label in range(1, count):
        area = int(stats[label, cv2.CC_STAT_AREA])
        if not _SMALLEST_BUSY_BLOCKS <= area <= _LARGEST_BUSY_SHARE * busy.size:
            busy[labels == label] = False
    return busy


def cut_runs(chunk: Chunk, busy: Mask) -> list[Run]:
    """Cut a chunk into stretches where the picture rests and stretches where it does not.

    Args:
        chunk: The samples.
        busy: (grid) bool, blocks that are not looked at.

    Returns:
        Runs in order that cover the chunk. A sudden cut starts a new still run; samples between
        two changes form a run that is not still.
    """
    quiet = ~busy
    shaken = [
        delta is not None and is_content(delta.changed & quiet, delta.moved & quiet)
        for delta in chunk.deltas
    ]
    shaken = _without_pops(chunk, shaken)
    shaken = [a or b for a, b in zip(shaken, _slow_changes(chunk, quiet, shaken), strict=True)]
    runs: list[Run] = []
    edges = [0, *(i for i in range(1, len(chunk)) if shaken[i]), len(chunk)]
    for start, end in pairwise(edges):
        still = end - start >= 4
        if runs and not still and not runs[-1].still:
            runs[-1] = Run(runs[-1].start, end, still=False)
        elif end > start:
            runs.append(Run(start, end, still))
    return runs


def _slow_changes(chunk: Chunk, quiet: Mask, shaken: list[bool]) -> list[bool]:
    """Find samples in the middle of a change that no single sample shows.

    Between any two moments a pointer changes two places only, whatever its way. What changed in
    more of them and stays is another picture, as of a stack that is scrolled slowly.
    """
    slow = [False] * len(chunk)
    layout = chunk.layout
    means = layout.means(layout.coarse(chunk.first)).astype(np.float32)
    past = [means.copy()]
    last_shaken = 0
    for index in range(1, len(chunk)):
        delta = chunk.deltas[index]
        if delta is not None:
            means[delta.rows, delta.columns] = delta.means
        past = [*past[-_LAG_SAMPLES:], means.copy()]
        last_shaken = index if shaken[index] else last_shaken
        if delta is None or index - last_shaken < _LAG_SAMPLES or len(past) <= _LAG_SAMPLES:
            continue
        moved = (np.abs(means - past[0]) > _SLOW_MOVED) & quiet
        slow[index - _LAG_SAMPLES // 2] = is_content(moved, moved)
    return slow


def _without_pops(chunk: Chunk, shaken: list[bool]) -> list[bool]:
    """Leave out key frames: they renew noise everywhere, once, and only a little."""
    calm = list(shaken)
    for index, delta in enumerate(chunk.deltas):
        if not shaken[index] or delta is None or delta.strength > _POP_STRENGTH:
            continue
        near = shaken[max(index - _POP_SAMPLES, 0) : index + _POP_SAMPLES + 1]
        calm[index] = sum(near) > 1
    return calm


def is_content(changed: Mask, moved: Mask) -> bool:
    """Tell a change of the picture from a pointer's move.

    Args:
        changed: (grid) bool, blocks that changed.
        moved: (grid) bool, blocks whose mean changed.

    Returns:
        True if more changed than two places of a pointer's size.
    """
    if moved.mean() > _CONTENT_SHARE:
        return True
    sure = (moved & changed).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(sure)
    sides = stats[1:count, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    patches = int((stats[1:count, cv2.CC_STAT_AREA] >= _SMALLEST_PATCH_BLOCKS).sum())
    return patches > _MOST_PATCHES or bool((sides > _LONGEST_POINTER_BLOCKS).any())
