"""Let a pointer stay where it was found for as long as its own pixels stay what they were."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.grid import Chunk, Delta, Gray
from medpipe.stages.extract.template import Template
from medpipe.stages.extract.track import Place

_MOST_FIT = 0.7
_SOLID = 0.85
_LEAST_SOLID_PX = 30
_LEAST_CONTRAST = 14.0
_SAME_RMS = 10.0

Looks = Mapping[tuple[int, int, PointerKind], NDArray[np.bool_]]


def hold(
    chunk: Chunk, places: Sequence[Place | None], templates: Sequence[Template]
) -> list[Place | None]:
    """Fill in samples before and after a pointer was found, where its pixels are the same.

    What lies round a pointer may change as it likes meanwhile, as under a zoom.

    Args:
        chunk: The samples.
        places: One entry a sample: the pointer's place, or None.
        templates: Looks that the places may show.

    Returns:
        The places, with more of them.
    """
    looks = looks_of(templates)
    held = list(places)
    for index, place in enumerate(places):
        if place is None or place.fit > _MOST_FIT:
            continue
        before = index > 0 and held[index - 1] is None
        after = index + 1 < len(held) and places[index + 1] is None
        if before or after:
            _extend(chunk, held, index, place, looks)
    return held


def looks_of(templates: Sequence[Template]) -> Looks:
    """Which pixels looks surely cover, by what is known of a place: height, width and kind."""
    return {(*each.look.shape, each.kind): each.weight > _SOLID for each in templates}


def _extend(chunk: Chunk, held: list[Place | None], index: int, place: Place, looks: Looks) -> None:
    x, y, width, height = place.box
    solid = looks.get((height, width, place.kind))
    inside = y >= 0 and x >= 0 and y + height <= chunk.first.shape[0]
    if solid is None or not inside or x + width > chunk.first.shape[1]:
        return
    start, end = index, index + 1
    while start > 0 and held[start - 1] is None:
        start -= 1
    while end < len(held) and held[end] is None:
        end += 1
    states = list(states_of(chunk, np.s_[y : y + height, x : x + width], start, end))
    now = max(k for k, (at, _) in enumerate(states) if at <= index)
    pixels = [look[solid].astype(np.float32) for _, look in states]
    shown = pixels[now]
    if len(shown) < _LEAST_SOLID_PX or shown.std() < _LEAST_CONTRAST:
        return
    same = [float(((each - shown) ** 2).mean()) <= _SAME_RMS**2 for each in pixels]
    first, last = now, now
    while first > 0 and same[first - 1]:
        first -= 1
    while last + 1 < len(states) and same[last + 1]:
        last += 1
    stop = states[last + 1][0] if last + 1 < len(states) else end
    for sample in range(states[first][0], stop):
        if held[sample] is None:
            held[sample] = replace(place, start=sample, end=sample + 1)


def states_of(
    chunk: Chunk, part: tuple[slice, slice], start: int, end: int
) -> Iterator[tuple[int, Gray]]:
    """What a part of the picture shows from `start` on: sample of each new look, and the look."""
    side = chunk.layout.block
    rows = slice(part[0].start // side, (part[0].stop - 1) // side + 1)
    columns = slice(part[1].start // side, (part[1].stop - 1) // side + 1)
    top, left = rows.start * side, columns.start * side
    whole = np.s_[top : rows.stop * side, left : columns.stop * side]
    shown = chunk.first[whole].copy()
    window = np.s_[
        part[0].start - top : part[0].stop - top, part[1].start - left : part[1].stop - left
    ]
    renewing = chunk.renewing(rows, columns)
    first = int(np.searchsorted(renewing, chunk.last_whole(start)))
    begun = False
    for sample in renewing[first : np.searchsorted(renewing, end)].tolist():
        if sample > start and not begun:
            yield start, shown[window].copy()
        begun = sample >= start
        _renew(shown, chunk.deltas[sample], rows, columns)
        if begun:
            yield sample, shown[window].copy()
    if not begun:
        yield start, shown[window].copy()


def _renew(shown: Gray, delta: Delta | None, rows: slice, columns: slice) -> None:
    """Put what a sample renewed into a part of the picture made of whole blocks."""
    if delta is None:
        return
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    side = shown.shape[0] // tall
    if delta.whole is not None:
        top, left = rows.start * side, columns.start * side
        shown[:] = delta.whole[top : rows.stop * side, left : columns.stop * side]
        return
    inside = (delta.rows >= rows.start) & (delta.rows < rows.stop)
    inside &= (delta.columns >= columns.start) & (delta.columns < columns.stop)
    at = delta.rows[inside] - rows.start, delta.columns[inside] - columns.start
    shown.reshape(tall, side, wide, side)[at[0], :, at[1], :] = delta.pixels[inside]
