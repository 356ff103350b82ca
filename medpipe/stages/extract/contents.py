"""Tell what stays in the picture, such as typed words, from a pointer that was seen there."""

from collections.abc import Sequence

import numpy as np

from medpipe.stages.extract.bridge import apart
from medpipe.stages.extract.grid import Chunk
from medpipe.stages.extract.hold import Looks, looks_of, states_of
from medpipe.stages.extract.template import Template
from medpipe.stages.extract.track import Place

_SAME_PX = 2.0
_SAME_RMS = 10.0
_LEAST_CONTRAST = 14.0
_FEWEST_SOLID_PX = 30
_FEWEST_SAMPLES = 3
_STAYING_SHARE = 0.5
_DOUBTFUL_SHARE = 0.15

Spot = list[tuple[int, Place]]


def contents(
    chunk: Chunk, places: Sequence[Place | None], templates: Sequence[Template]
) -> list[Place]:
    """Find places that go on showing what was taken for the pointer while it is elsewhere.

    There is one pointer, and where it was it gives the background back. Words that are typed,
    bullets that come in and marks stay where they are put.

    Args:
        chunk: The samples.
        places: One entry a sample: the pointer's place, or None.
        templates: Looks that the places may show.

    Returns:
        One place for each part of the picture that was taken for the pointer.
    """
    looks = looks_of(templates)
    spots: list[Spot] = []
    for index, place in enumerate(places):
        if place is None:
            continue
        for spot in spots:
            if apart(place, _middle(spot)[1]) <= _SAME_PX:
                spot.append((index, place))
                break
        else:
            spots.append([(index, place)])
    longer = _staying(chunk, places, [spot for spot in spots if len(spot) > 1], looks)
    brief = [spot for spot in spots if len(spot) == 1] if longer else []
    found = longer + _staying(chunk, places, brief, looks)
    return [_middle(spot)[1] for spot in found]


def without(places: Sequence[Place], parts: Sequence[Place]) -> list[Place]:
    """Leave out places that are parts of the picture."""
    return [p for p in places if all(apart(p, part) > _SAME_PX for part in parts)]


def _middle(spot: Spot) -> tuple[int, Place]:
    return spot[len(spot) // 2]


def _staying(
    chunk: Chunk, places: Sequence[Place | None], spots: Sequence[Spot], looks: Looks
) -> list[Spot]:
    """Spots that stay for long while the pointer is elsewhere, where it does not stay itself."""
    meanwhile = [(spot, _meanwhile(chunk, places, spot, looks)) for spot in spots]
    doubtful = [
        (spot, away)
        for spot, away in meanwhile
        if len(away) >= max(_FEWEST_SAMPLES, _DOUBTFUL_SHARE * len(spot))
    ]
    stale = {index for spot, _ in doubtful for index, _ in spot}
    return [
        spot
        for spot, away in doubtful
        if len(away) >= _STAYING_SHARE * len(spot)
        or sum(index not in stale for index in away) > len(away) / 2
    ]


def _meanwhile(chunk: Chunk, places: Sequence[Place | None], spot: Spot, looks: Looks) -> list[int]:
    """Samples at which the place shows the same while a pointer is seen elsewhere."""
    middle, place = _middle(spot)
    x, y, width, height = place.box
    far = max(width, height)
    away = [k for k, p in enumerate(places) if p is not None and apart(p, place) > far]
    solid = looks.get((height, width, place.kind), np.ones((height, width), bool))
    inside = x >= 0 and y >= 0 and y + height <= chunk.first.shape[0]
    if len(away) < _FEWEST_SAMPLES or not inside or x + width > chunk.first.shape[1]:
        return []
    states = list(states_of(chunk, np.s_[y : y + height, x : x + width], 0, len(places)))
    starts = [at for at, _ in states]
    pixels = [look[solid].astype(np.float32) for _, look in states]
    shown = pixels[_state_at(starts, middle)]
    if len(shown) < _FEWEST_SOLID_PX or shown.std() < _LEAST_CONTRAST:
        return []
    same = [float(((each - shown) ** 2).mean()) <= _SAME_RMS**2 for each in pixels]
    return [k for k in away if same[_state_at(starts, k)]]


def _state_at(starts: Sequence[int], sample: int) -> int:
    return int(np.searchsorted(starts, sample, side="right")) - 1
