"""Follow a known look through stretches in which the picture itself changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import COARSE_PX, Chunk, Gray, Replay
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match, Template, search
from medpipe.stages.extract.track import Place, place_of

_SURE_FIT = 1.0
_LONGEST_GAP_SAMPLES = 60
_REACH_SHARE = 0.075
_LONGEST_REACH_SAMPLES = 5
_MOST_CANDIDATES = 4
_FAR_SHARE = 0.12
_ALONE_SHARE = 0.85
_HERE_SHARE = 0.95
_BOUND_SHARE = 1.3
_NEAR_SAMPLES = 3
_SAME_PX = 4.0
_SIZE_SLACK = 0.25
_LOST_COST = 2.0
_FIT = 0.8

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """Samples between two places of one look.

    Attributes:
        start: First sample without a place.
        end: One past the last.
        before: Left and top of the look right before, or None.
        after: The same right after, or None.
        template: The look.
    """

    start: int
    end: int
    before: tuple[float, float] | None
    after: tuple[float, float] | None
    template: Template


def through(
    chunk: Chunk, runs: Sequence[Run], places: Sequence[Place | None], templates: Sequence[Template]
) -> list[Place | None]:
    """Fill in a pointer that is known before or after a change of the picture.

    While nothing rests, the pointer is what keeps its look along a path that a hand can take. A
    path is believed where it shows the look clearly better than anything else in reach does.

    Args:
        chunk: The samples.
        runs: Of the samples.
        places: One entry a sample: the pointer's place, or None.
        templates: Looks that the places may show.

    Returns:
        The places, with more of them.
    """
    filled = list(places)
    moving = {i for run in runs if not run.still for i in range(run.start, run.end)}
    replay, width_px = Replay(chunk), chunk.first.shape[1]
    for gap in _gaps(places, templates):
        if moving.isdisjoint(range(gap.start, gap.end)):
            continue
        found = _candidates(chunk, replay, gap)
        first = _path(gap, found, width_px)
        for k in _believed(gap.template, found, first):
            match = first[k]
            if match is not None:
                sample = gap.start + k
                place = place_of(match, gap.template, sample, sample + 1)
                filled[sample] = replace(place, fit=max(_FIT, min(place.fit, _SURE_FIT)))
    return filled


def _gaps(places: Sequence[Place | None], templates: Sequence[Template]) -> list[_Gap]:
    gaps, start = [], None
    for index in range(len(places) + 1):
        empty = index < len(places) and places[index] is None
        if empty and start is None:
            start = index
        elif not empty and start is not None:
            before = places[start - 1] if start else None
            after = places[index] if index < len(places) else None
            gap = _gap(start, index, before, after, templates)
            if gap is not None:
                gaps.append(gap)
            start = None
    return gaps


def _gap(
    start: int,
    end: int,
    before: Place | None,
    after: Place | None,
    templates: Sequence[Template],
) -> _Gap | None:
    ends = [p if p is not None and p.fit <= _SURE_FIT else None for p in (before, after)]
    known = [p for p in ends if p is not None]
    if not known or end - start > _LONGEST_GAP_SAMPLES:
        return None
    best = min(known, key=lambda p: p.fit)
    looks = [
        t
        for t in templates
        if t.kind == best.kind and abs(t.look.shape[0] - best.box[3]) <= _SIZE_SLACK * best.box[3]
    ]
    if not looks:
        return None
    # The rarest look that the picture allows tells most.
    template = max(looks, key=lambda t: (t.cover is None, t.bound))
    corners = [None if p is None else (p.x - template.tip[0], p.y - template.tip[1]) for p in ends]
    return _Gap(start, end, corners[0], corners[1], template)


def _candidates(chunk: Chunk, replay: Replay, gap: _Gap) -> list[list[Match]]:
    found: list[list[Match]] = []
    for sample, picture in replay.over(gap.start, gap.end):
        ends = [
            (corner, distance)
            for corner, distance in (
                (gap.before, sample - gap.start + 1),
                (gap.after, gap.end - sample),
            )
            if corner is not None
        ]
        found.append(_best_of(picture, gap.template, ends, chunk.layout.block / COARSE_PX))
    return found


def _best_of(
    picture: Gray,
    template: Template,
    ends: Sequence[tuple[tuple[float, float], int]],
    coarse: float,
) -> list[Match]:
    """The best places within reach of both ends."""
    height, width = template.look.shape
    x0, y0, x1, y1 = 0, 0, picture.shape[1], picture.shape[0]
    for (x, y), distance in ends:
        reach = round(_REACH_SHARE * picture.shape[1] * min(distance, _LONGEST_REACH_SAMPLES))
        x0, y0 = max(x0, round(x) - reach), max(y0, round(y) - reach)
        x1, y1 = min(x1, round(x) + width + reach), min(y1, round(y) + height + reach)
    if y1 - y0 < height or x1 - x0 < width:
        return []
    found = search(picture[y0:y1, x0:x1], template, coarse)[:_MOST_CANDIDATES]
    return [Match(m.x + x0, m.y + y0, m.rms) for m in found]


def _path(gap: _Gap, found: Sequence[Sequence[Match]], width_px: int) -> list[Match | None]:
    """The cheapest way through candidates: by residual and by distance (Viterbi)."""
    scale = gap.template.bound
    live: list[Match | None] = [_corner(gap.before)]
    cost = np.zeros(1)
    history: list[tuple[list[Match | None], list[int]]] = []
    far_px = _FAR_SHARE * width_px
    for each in found:
        now: list[Match | None] = [*each, None]
        own = np.array([_LOST_COST if m is None else min(m.rms / scale, _LOST_COST) for m in now])
        step = np.array([[min(_apart(a, b) / far_px, 1.0) for a in live] for b in now]) + cost
        history.append((now, step.argmin(axis=1).tolist()))
        cost = step.min(axis=1) + own
        live = now
    last = _corner(gap.after)
    at = int((cost + np.array([min(_apart(a, last) / far_px, 1.0) for a in live])).argmin())
    path: list[Match | None] = []
    for now, back in reversed(history):
        path.append(now[at])
        at = back[at]
    return path[::-1]


def _corner(corner: tuple[float, float] | None) -> Match | None:
    return None if corner is None else Match(*corner, 0.0)


def _apart(a: Match | None, b: Match | None) -> float:
    """Distance, picture pixels; 0 where one is not known."""
    return 0.0 if a is None or b is None else float(np.hypot(a.x - b.x, a.y - b.y))


def _believed(
    template: Template, found: Sequence[Sequence[Match]], path: Sequence[Match | None]
) -> list[int]:
    """Samples at and round which a path shows the look clearly better than all else does."""
    most = _LOST_COST * template.bound
    own = np.array([most if m is None else m.rms for m in path])
    other = np.array(
        [
            min((m.rms for m in each if _apart(m, at) > _SAME_PX), default=most)
            for each, at in zip(found, path, strict=True)
        ]
    )
    good = []
    for k in range(len(path)):
        part = slice(max(k - _NEAR_SAMPLES, 0), k + _NEAR_SAMPLES + 1)
        near, beside = float(own[part].mean()), float(other[part].mean())
        limit = min(_ALONE_SHARE * beside, _BOUND_SHARE * template.bound)
        if path[k] is not None and near <= limit and own[k] <= _HERE_SHARE * other[k]:
            good.append(k)
    return good
