"""Find places where the background still holds a pointer that has left."""

from collections.abc import Callable, Sequence

import numpy as np

from medpipe.stages.extract.blobs import Blob, edge_ratio
from medpipe.stages.extract.runs import Run

_REST_SAMPLES = 6
_SHORTEST_REST_SAMPLES = 3
_MOVER_SAMPLES = 2
_GHOST_EDGE = 0.75
_THING_EDGE = 1.5
_SAME_PX = 3
_COMPANY_SHARE = 0.5
_FEWEST_SAMPLES = 5
_MOVER_ENERGY = 0.5


def find_ghosts(blobs: Sequence[Blob], run: Run) -> list[Blob]:
    """Pick the blobs that are holes in the background, not things before it.

    A hole has its edge in the background; or it rests while something like it moves elsewhere, as
    there seldom are two pointers, unless its edge is plainly its own. Content that came or went
    may be picked too, which does no harm.

    Args:
        blobs: All of a still run.
        run: The stretch.

    Returns:
        One blob for each hole.
    """
    resting = [b for b in blobs if b.end - b.start >= _SHORTEST_REST_SAMPLES]
    movers = [b for b in blobs if b.end - b.start <= _MOVER_SAMPLES]
    ghosts = []
    for group in _groups(resting):
        longest = max(group, key=lambda b: b.end - b.start)
        edge = edge_ratio(longest)
        long = longest.end - longest.start >= _REST_SAMPLES
        if (long and edge < _GHOST_EDGE) or (
            edge < _THING_EDGE and _has_company(group, movers, run)
        ):
            ghosts.append(longest)
    return ghosts


def _groups(resting: Sequence[Blob]) -> list[list[Blob]]:
    """Gather blobs of one place and size."""
    groups: list[list[Blob]] = []
    for blob in resting:
        for group in groups:
            apart = np.subtract(group[0].centre, blob.centre)
            unlike = np.subtract(group[0].mask.shape, blob.mask.shape)
            if max(np.abs(apart).max(), np.abs(unlike).max()) <= _SAME_PX:
                group.append(blob)
                break
        else:
            groups.append([blob])
    return groups


def _has_company(group: Sequence[Blob], movers: Sequence[Blob], run: Run) -> bool:
    here = np.zeros(run.end - run.start, bool)
    for blob in group:
        here[blob.start - run.start : blob.end - run.start] = True
    if here.sum() < _FEWEST_SAMPLES:
        return False
    energy, side = max(b.energy for b in group), group[0].side
    moving = np.zeros_like(here)
    for blob in movers:
        part = slice(blob.start - run.start, blob.end - run.start)
        away = np.hypot(*np.subtract(blob.centre, group[0].centre)) > side
        if away and here[part].any() and blob.energy >= _MOVER_ENERGY * energy:
            moving[part] = True
    return bool((here & moving).sum() > _COMPANY_SHARE * here.sum())


def is_contradicted(
    ghost: Blob, blobs: Sequence[Blob], known: Callable[[Blob], bool], run: Run
) -> bool:
    """Whether a pointer was elsewhere while the place showed what should be one at rest.

    Args:
        ghost: Seems to be the hole of a pointer that the background holds.
        blobs: All of the still run.
        known: Whether a blob shows a known look.
        run: The stretch.
    """
    gone = np.zeros(run.end - run.start, bool)
    moving = np.zeros_like(gone)
    least = _MOVER_ENERGY * ghost.energy
    for blob in blobs:
        part = slice(blob.start - run.start, blob.end - run.start)
        away = np.abs(np.subtract(blob.centre, ghost.centre)).max() > (blob.side + ghost.side) / 2
        if not away:
            gone[part] = True
        elif known(blob) or (blob.end - blob.start <= _MOVER_SAMPLES and blob.energy >= least):
            moving[part] = True
    return bool((moving & ~gone).sum() >= _FEWEST_SAMPLES)
