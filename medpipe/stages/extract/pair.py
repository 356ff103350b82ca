"""Tell two pointers apart that are seen at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np

from medpipe.stages.extract.grid import Chunk
from medpipe.stages.extract.hold import hold
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Template
from medpipe.stages.extract.track import Place

_APART_SIDES = 1.0
_FEWEST_SAMPLES = 12
_FEWEST_SPOTS = 4
_UNLIKE_COST = 0.7
_UNSEEN_COST = 0.3

Path = Sequence[Place | None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Up to two pointers, one entry a sample each.

    Attributes:
        first: The one that moves more.
        second: The other one; all None if there is no other.
    """

    first: list[Place | None]
    second: list[Place | None]


def beside(
    places: Sequence[Place], resting: Sequence[Place], main: Path, run: Run, *, surely: bool
) -> list[Place]:
    """Pick the places of another pointer in a still run, away from the one that is followed.

    Args:
        places: All candidates, any number at a sample.
        resting: Candidates that rest while a pointer moves elsewhere: good only for another one
            that is surely there.
        main: One entry a sample of the run: the pointer that is followed.
        run: The stretch.
        surely: Another pointer was seen before.

    Returns:
        Candidates, none if nothing shows that there is another pointer.
    """
    rest = [part for place in places if place.fit <= 1 for part in _away(place, main, run)]
    if not surely and not _is_other(rest):
        return []
    return rest + [part for place in resting if place.fit <= 1 for part in _away(place, main, run)]


def _away(place: Place, main: Path, run: Run) -> list[Place]:
    """The parts of a place's time in which the main pointer is seen elsewhere."""
    parts = []
    for away, group in groupby(
        range(max(place.start, run.start), min(place.end, run.end)),
        key=lambda sample: _are_apart(place, main[sample - run.start]),
    ):
        samples = list(group)
        if away:
            parts.append(replace(place, start=samples[0], end=samples[-1] + 1))
    return parts


def _are_apart(place: Place, other: Place | None) -> bool:
    if other is None:
        return False
    side = max(*place.box[2:], *other.box[2:])
    return float(np.hypot(place.x - other.x, place.y - other.y)) > _APART_SIDES * side


def _is_other(places: Sequence[Place]) -> bool:
    """Whether places are seen long enough and move: what rests may be a part of the picture."""
    if sum(place.end - place.start for place in places) < _FEWEST_SAMPLES:
        return False
    spots: list[Place] = []
    for place in places:
        if all(_are_apart(place, spot) for spot in spots):
            spots.append(place)
    return len(spots) >= _FEWEST_SPOTS


def pair_up(chunk: Chunk, paths: Sequence[Path], templates: Sequence[Template]) -> Pair:
    """Join what was followed into one path, or into two where two pointers are seen at once.

    Args:
        chunk: The samples.
        paths: One entry a sample each, the most trusted one first. Any of them may have gone over
            from one pointer to another.
        templates: Looks that the places may show.

    Returns:
        The paths of the pointers, each continuous in place and size.
    """
    seen = [_distinct([path[k] for path in paths]) for k in range(len(paths[0]))]
    if not _is_other([each[1] for each in seen if len(each) > 1]):
        return Pair([each[0] if each else None for each in seen], [None] * len(seen))
    held = [hold(chunk, path, templates) for path in paths]
    seen = [_distinct([path[k] for path in held]) for k in range(len(seen))]
    tracks: tuple[list[Place | None], list[Place | None]] = ([], [])
    last: list[Place | None] = [None, None]
    for places in seen:
        just = [bool(track) and track[-1] is not None for track in tracks]
        now = _assigned(places, last, just)
        for k, track in enumerate(tracks):
            track.append(now[k])
            last[k] = now[k] or last[k]
    first, second = sorted(tracks, key=_travelled, reverse=True)
    return Pair(hold(chunk, first, templates), hold(chunk, second, templates))


def _distinct(places: Sequence[Place | None]) -> list[Place]:
    """At most two places that are not the same pointer."""
    found: list[Place] = []
    for place in places:
        if place is not None and all(_are_apart(place, other) for other in found):
            found.append(place)
    return found[:2]


def _assigned(
    places: list[Place], last: Sequence[Place | None], just: Sequence[bool]
) -> list[Place | None]:
    """Give places to two pointers so that they change least; rather to those just seen."""
    straight: list[Place | None] = [*places, None, None][:2]
    ways = straight, straight[::-1]
    costs = [
        sum(
            _change(now, before) + (0 if seen or now is None else _UNSEEN_COST)
            for now, before, seen in zip(way, last, just, strict=True)
        )
        for way in ways
    ]
    return ways[int(np.argmin(costs))]


def _change(now: Place | None, last: Place | None) -> float:
    """Picture heights, roughly, by which a pointer moved, and how unlike it looks now."""
    if now is None or last is None:
        return 0.0
    far = np.hypot(now.x - last.x, now.y - last.y) / (20 * max(*now.box[2:], *last.box[2:]))
    sizes = sorted((now.box[2] * now.box[3], last.box[2] * last.box[3]))
    return float(far) + _UNLIKE_COST * (1 - sizes[0] / max(sizes[1], 1))


def _travelled(path: Path) -> float:
    seen = [place for place in path if place is not None]
    return sum(float(np.hypot(a.x - b.x, a.y - b.y)) for a, b in pairwise(seen))
