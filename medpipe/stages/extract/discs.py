"""Find a disc that moves over the picture: a spotlight, a lens, a halo; its middle points."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from medpipe.records import PointerKind
from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.circles import Disc, Finder, Part, is_alike, outlines, usual_disc
from medpipe.stages.extract.grid import Chunk, Delta, Gray, Replay, shrink
from medpipe.stages.extract.track import Place

_COARSE_WIDTH_PX = 320
_FEWEST_CHANGES = 8
_LEAST_BLOCKS = 24
_CUT_SHARE = 0.3
# Averaging over twice the pixels of the grid calms noise.
_LEVEL_SHARE = 0.6
_SHORTEST_SAMPLES = 6
_MOST_STATES = 31
_FIT = 0.6
_MIDDLE_SHARE = 0.2


def find_discs(chunk: Chunk) -> list[Place | None]:
    """Find a disc of one size that moves before the picture.

    Whatever it does with what is below it, brighten, tint or enlarge it, it differs from the rest
    of the picture up to a circle whose radius stays while it moves.

    Args:
        chunk: The samples.

    Returns:
        One entry a sample: where the disc is, or None.
    """
    places: list[Place | None] = [None] * len(chunk)
    if not _is_worth_it(chunk):
        return places
    parts = _parts(chunk)
    seen = [[outlines(part) for part in tried] for tried in parts]
    looks = sum(len(tried[0].looks) for tried in parts)
    usual = usual_disc([disc for tried in seen for discs in tried for disc in discs], looks)
    if usual is None:
        return places
    scale = chunk.first.shape[1] / _size(chunk)[0]
    finder = Finder(usual, parts[0][0].behind.shape)
    for tried, found in zip(parts, seen, strict=True):
        alike = [sum(is_alike(disc, usual.radius) for disc in discs) for discs in found]
        part = tried[int(np.argmax(alike))]
        at = finder.follow(part)
        for start, end in pairwise([*part.looks, part.end]):
            disc = at.get(start)
            if disc is not None:
                places[start:end] = [_place(disc, scale, k) for k in range(start, end)]
    return places


def _place(disc: Disc, scale: float, sample: int) -> Place:
    x, y = (disc.x + 0.5) * scale - 0.5, (disc.y + 0.5) * scale - 0.5
    reach = disc.radius * scale
    side = round(2 * reach)
    box = (round(x - reach), round(y - reach), side, side)
    return Place(sample, sample + 1, x, y, _FIT, PointerKind.HALO, box)


def without_discs(chunk: Chunk, discs: Sequence[Place | None]) -> Chunk:
    """A chunk in which nothing changes where a disc is or was."""
    if not any(discs):
        return chunk
    deltas: list[Delta | None] = []
    before: Place | None = None
    for delta, disc in zip(chunk.deltas, discs, strict=True):
        deltas.append(None if delta is None else _outside(delta, before, disc, chunk.layout.block))
        before = disc
    return replace(chunk, deltas=deltas, _renewals=None)


def _outside(delta: Delta, before: Place | None, now: Place | None, side: int) -> Delta:
    free = np.ones(delta.changed.shape, bool)
    for place in (before, now):
        if place is not None:
            x, y, width, height = place.box
            rows = slice(max(y // side - 1, 0), max((y + height) // side + 2, 0))
            free[rows, max(x // side - 1, 0) : max((x + width) // side + 2, 0)] = False
    kept = free[delta.rows, delta.columns]
    return replace(
        delta,
        rows=delta.rows[kept],
        columns=delta.columns[kept],
        pixels=delta.pixels[kept] if delta.whole is None else delta.pixels,
        means=delta.means[kept],
        changed=delta.changed & free,
        moved=delta.moved & free,
    )


def is_disc(blob: Blob, discs: Sequence[Place | None]) -> bool:
    """Whether a blob is a disc that is found, or the most of it."""
    disc = discs[blob.start]
    if disc is None or blob.side < disc.box[2] / 2:
        return False
    x, y = blob.centre
    return bool(np.hypot(x - disc.x, y - disc.y) < disc.box[2] / 2)


def with_discs(places: Sequence[Place | None], discs: Sequence[Place | None]) -> list[Place | None]:
    """Join what else was found with discs: the arrow in a halo goes on where the halo is unseen.

    Args:
        places: One entry a sample: where something else is, or None.
        discs: One entry a sample: where the disc is, or None.

    Returns:
        The discs, and between them the other places if they mostly lie in the middle of one.
    """
    if not any(discs):
        return list(places)
    both = [(a, b) for a, b in zip(places, discs, strict=True) if a is not None and b is not None]
    same = sum(np.hypot(a.x - b.x, a.y - b.y) < _MIDDLE_SHARE * b.box[2] for a, b in both)
    if 2 * same <= len(both):
        return list(discs if len(both) < _FEWEST_CHANGES else places)
    return [b or a for a, b in zip(places, discs, strict=True)]


def _is_worth_it(chunk: Chunk) -> bool:
    large = 0
    for delta in chunk.deltas[1:]:
        if delta is not None and delta.changed.sum() >= _LEAST_BLOCKS:
            large += delta.moved.mean() <= _CUT_SHARE
    return large >= _FEWEST_CHANGES


def _size(chunk: Chunk) -> tuple[int, int]:
    height, width = chunk.first.shape
    wide = min(_COARSE_WIDTH_PX, width)
    return wide, round(height * wide / width)


def _parts(chunk: Chunk) -> list[list[Part]]:
    """Samples between cuts, each before two backgrounds."""
    cuts = [
        index
        for index, delta in enumerate(chunk.deltas)
        if index and delta is not None and delta.moved.mean() > _CUT_SHARE
    ]
    size, replay, parts = _size(chunk), Replay(chunk), []
    for start, end in pairwise([0, *cuts, len(chunk)]):
        if end - start < _SHORTEST_SAMPLES:
            continue
        looks = {
            sample: shrink(picture, size)
            for sample, picture in replay.over(start, end)
            if sample == start or chunk.deltas[sample] is not None
        }
        level = _LEVEL_SHARE * chunk.level(start, end)
        stack = _spread(looks, end)
        # A disc that brightens may never leave a place for long, but it leaves it.
        backs = np.median(stack, axis=0), stack.min(axis=0)
        parts.append([Part(looks, end, back.astype(np.uint8), level) for back in backs])
    return parts


def _spread(looks: dict[int, Gray], end: int) -> Gray:
    """Some (n, h, w) looks, spread evenly over time."""
    samples = np.array(list(looks))
    wanted = np.linspace(samples[0], end - 1, _MOST_STATES)
    at = np.searchsorted(samples, wanted, side="right") - 1
    return np.stack([looks[int(k)] for k in samples[at]])
