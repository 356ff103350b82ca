"""Find pointers by their colour where brightness shows none."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from medpipe.stages.extract.chunkwork import Bank, work_chunk
from medpipe.stages.extract.colour import enlarged
from medpipe.stages.extract.grid import Chunk, Mask
from medpipe.stages.extract.track import Place

_FEWEST_CHANGES = 5
_LARGEST_SHARE = 0.1
_NEAR_PX = 24


def colour_places(
    chunk: Chunk, bank: Bank, quiet: Mask, places: Sequence[Place | None]
) -> list[Place | None]:
    """Follow a pointer through the colours of a chunk.

    Args:
        chunk: Half-size planes of colour, one a sample.
        bank: Looks known so far in colour; written back.
        quiet: (grid of the brightness) bool, blocks that rest now and then.
        places: One entry a sample: what brightness shows.

    Returns:
        One entry a sample, picture pixels; none at all where no colour changes but at the places
        that are known anyhow.
    """
    if not _is_worth_it(chunk, places):
        return [None] * len(chunk)
    large, zoom = enlarged(chunk)
    size = (chunk.layout.columns, chunk.layout.rows)
    calm = cv2.resize(quiet.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    scale = 2 / zoom
    return [_scaled(place, scale) for place in work_chunk(large, bank, calm).places]


def _is_worth_it(chunk: Chunk, places: Sequence[Place | None]) -> bool:
    side, changes = 2 * chunk.layout.block, 0
    for index, delta in enumerate(chunk.deltas):
        if not index or delta is None or delta.changed.mean() > _LARGEST_SHARE:
            continue
        rest = delta.changed.copy()
        for place in (places[index - 1], places[index]):
            if place is not None:
                rest[_blocks(place, side)] = False
        changes += bool(rest.any())
    return changes >= _FEWEST_CHANGES


def _blocks(place: Place, side: int) -> tuple[slice, slice]:
    x, y, width, height = place.box
    left, top = max(x - _NEAR_PX, 0) // side, max(y - _NEAR_PX, 0) // side
    right, bottom = (x + width + _NEAR_PX) // side + 1, (y + height + _NEAR_PX) // side + 1
    return slice(top, max(bottom, 0)), slice(left, max(right, 0))


def _scaled(place: Place | None, scale: float) -> Place | None:
    if place is None:
        return None
    x, y = ((value + 0.5) * scale - 0.5 for value in (place.x, place.y))
    left, top, width, height = (round(value * scale) for value in place.box)
    return replace(place, x=x, y=y, box=(left, top, width, height))
