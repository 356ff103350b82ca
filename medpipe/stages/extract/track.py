"""Follow the pointer through a still run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medpipe.records import PointerKind
from medpipe.stages.extract.blobs import Blob, rim_edge
from medpipe.stages.extract.explain import account
from medpipe.stages.extract.grid import COARSE_PX, Chunk, Gray, Mask, Replay, soften
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match, Template, match, scores_of, search

_FAIR_SHARE = 0.35
_LEAST_SHARE = 0.15
_OUTLINE_SLACK_PX = 2
_SAME_OUTLINE = 0.85
_SMALLEST_OUTLINE_PX = 150
_OUTLINE_FIT = 0.7
_PARKED_SHARE = 0.75
_NEAR_SHARE = 0.95
_SAME_PLACE_PX = 10
_MOST_SHARED = 2
_ALONE_SHARE = 0.6
_FAINTEST_RIM = 14.0
_HIDDEN_COST = 1.0
_GOOD_COST = 0.7
_WEAK_COST = 0.2
_SWITCH_COST = 0.9
_DOUBTFUL_FIT = 0.7
_STIR_PX = 6
_FARTHEST_COST = 1.5
_COST_A_WIDTH = 3.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pointer may be during some samples.

    Attributes:
        start: First sample.
        end: One past the last sample.
        x: Of the tip, picture pixels.
        y: Of the tip, picture pixels.
        fit: RMS of the match over the template's bound; under 1 where it is believed.
        kind: What draws it.
        box: (left, top, width, height) of all that it covers, picture pixels.
    """

    start: int
    end: int
    x: float
    y: float
    fit: float
    kind: PointerKind
    box: tuple[int, int, int, int]


def place_of(found: Match, template: Template, start: int, end: int) -> Place:
    """Turn a match into a place of the tip."""
    x, y = found.x + template.tip[0], found.y + template.tip[1]
    height, width = template.look.shape
    box = (round(found.x), round(found.y), width, height)
    return Place(start, end, x, y, found.rms / template.bound, template.kind, box)


def place_blob(blob: Blob, template: Template) -> Place | None:
    """Say where a blob shows a pointer, if it does.

    Args:
        blob: What stands out.
        template: A known look.

    Returns:
        The place where the look explains most of the blob, or None. A fit over 1 is weak: only
        good for bridging a gap between better ones.
    """
    told = account(template, blob)
    if told is None or told.share < _FAIR_SHARE:
        outlined = _outlined(template, blob)
        if outlined is not None:
            return place_of(outlined, template, blob.start, blob.end)
    if told is None or told.share < _LEAST_SHARE:
        return None
    fit = (1 - told.share) / (1 - _FAIR_SHARE)
    return replace(place_of(told.found, template, blob.start, blob.end), fit=fit)


def _outlined(template: Template, blob: Blob) -> Match | None:
    """Place a template by its outline alone, where the blob has the very same one."""
    solid = template.weight > 0
    rows, columns = np.nonzero(solid.any(1))[0], np.nonzero(solid.any(0))[0]
    box = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = min(box.shape[0], blob.mask.shape[0]), min(box.shape[1], blob.mask.shape[1])
    if np.abs(np.subtract(box.shape, blob.mask.shape)).max() > _OUTLINE_SLACK_PX:
        return None
    a, b = box[:height, :width], blob.mask[:height, :width]
    alike = float((a & b).sum()) / max(float((a | b).sum()), 1.0)
    if alike < _SAME_OUTLINE or blob.area < _SMALLEST_OUTLINE_PX:
        return None
    return Match(blob.x0 - int(columns[0]), blob.y0 - int(rows[0]), _OUTLINE_FIT * template.bound)


def is_ghost(blob: Blob, bank: Sequence[Template]) -> bool:
    """Whether it is the background of a blob, not the blob, that shows a pointer."""
    hole = max((_share(blob, template, behind=True) for template in bank), default=0.0)
    if hole < _FAIR_SHARE:
        return False
    return hole > max(_share(blob, template, behind=False) for template in bank)


def _share(blob: Blob, template: Template, *, behind: bool) -> float:
    told = account(template, blob, behind=behind)
    return 0.0 if told is None else told.share


def search_near(
    picture: Gray, template: Template, near: tuple[float, float], reach: int
) -> Match | None:
    """Look for a template round a place.

    Args:
        picture: (h, w) uint8.
        template: What to look for.
        near: (left, top) of the template round which to look.
        reach: Picture pixels on each side of it.

    Returns:
        The best place, good or bad; None if the window is too small.
    """
    height, width = template.look.shape
    x0, y0 = max(round(near[0]) - reach, 0), max(round(near[1]) - reach, 0)
    x1, y1 = round(near[0]) + width + reach, round(near[1]) + height + reach
    return match(template, soften(picture[y0:y1, x0:x1]), x0, y0)


def parked(
    chunk: Chunk,
    run: Run,
    behind: Gray,
    quiet: Mask,
    bank: Sequence[Template],
    last: Place | None,
    sure: Sequence[Place],
) -> list[Place]:
    """Find a pointer that rests so long that it became background.

    Args:
        chunk: The samples.
        run: A still stretch of it.
        behind: (h, w) uint8, its background.
        quiet: (grid) bool, blocks that may be looked at.
        bank: Known looks.
        last: Where the pointer was right before, or None; looks that are not distinct are only
            looked for there.
        sure: Where the pointer was seen in the run. What shows its look meanwhile is a part of
            the picture, at any time.

    Returns:
        Places, one for each stretch in which the patch stayed as it is in the background.
    """
    places: list[Place] = []
    block = chunk.layout.block
    for template in bank:
        for found in _resting(behind, template, block / COARSE_PX, last):
            inside = quiet[int(found.y) // block, int(found.x) // block]
            limit = _PARKED_SHARE if template.distinct else _NEAR_SHARE
            good = found.rms <= limit * template.bound
            if inside and good and stands_out(behind, template, found):
                stretches = _stretches(chunk, run, template, found)
                if _shared(stretches, sure) <= _MOST_SHARED:
                    places += stretches
    return places


def _shared(places: Sequence[Place], sure: Sequence[Place]) -> int:
    """Samples that places have in common with sure ones elsewhere."""
    return sum(
        max(0, min(p.end, q.end) - max(p.start, q.start))
        for p in places
        for q in sure
        if np.hypot(p.x - q.x, p.y - q.y) > _SAME_PLACE_PX
    )


def stands_out(picture: Gray, template: Template, found: Match) -> bool:
    """Whether the picture has an edge where the look ends: a flat patch is no pointer."""
    height, width = template.look.shape
    x, y = round(found.x), round(found.y)
    part = picture[y : y + height, x : x + width]
    return rim_edge(part, template.weight > 0) > _FAINTEST_RIM


def _resting(behind: Gray, template: Template, coarse: float, last: Place | None) -> list[Match]:
    if template.distinct:
        found = search(behind, template, coarse)
        alone = len(found) < 2 or found[0].rms < _ALONE_SHARE * found[1].rms
        return found[:1] if alone else []
    if last is None:
        return []
    near = (last.x - template.tip[0], last.y - template.tip[1])
    here = search_near(behind, template, near, _SAME_PLACE_PX)
    if here is None or not is_peak(behind, template, here):
        return []
    return [here]


def is_peak(picture: Gray, template: Template, found: Match) -> bool:
    """Whether a place fits a look much better than the places around it do."""
    height, width = template.look.shape
    x0, y0 = max(round(found.x) - width, 0), max(round(found.y) - height, 0)
    part = soften(picture[y0 : round(found.y) + 2 * height, x0 : round(found.x) + 2 * width])
    if part.shape[0] < height or part.shape[1] < width:
        return False
    scores = scores_of(template.look, template.weight, part)
    x, y, reach_x, reach_y = round(found.x) - x0, round(found.y) - y0, width // 2, height // 2
    scores[max(y - reach_y, 0) : y + reach_y + 1, max(x - reach_x, 0) : x + reach_x + 1] = np.inf
    return bool(found.rms < _ALONE_SHARE * float(scores.min()) ** 0.5)


def _stretches(chunk: Chunk, run: Run, template: Template, found: Match) -> list[Place]:
    block = chunk.layout.block
    height, width = template.look.shape
    rows = slice(int(found.y) // block, int(found.y + height) // block + 1)
    columns = slice(int(found.x) // block, int(found.x + width) // block + 1)
    near = (found.x, found.y)
    places: list[Place] = []
    start: int | None = None
    for sample, picture in Replay(chunk).over(run.start, run.end):
        delta = chunk.deltas[sample]
        if sample > run.start and (delta is None or not delta.changed[rows, columns].any()):
            continue
        here = search_near(picture, template, near, 2)
        fits = here is not None and here.rms <= template.bound
        if fits and start is None:
            start = sample
        elif not fits and start is not None:
            places.append(place_of(found, template, start, sample))
            start = None
    if start is not None:
        places.append(place_of(found, template, start, run.end))
    return places


def follow(places: Sequence[Place], run: Run, width_px: int) -> list[Place | None]:
    """Choose at each sample of a run the place of the pointer, or that it is hidden.

    Args:
        places: Candidates; any number at a sample.
        run: The stretch.
        width_px: Of the picture, picture pixels.

    Returns:
        One entry a sample: the cheapest path by fit and by distance (Viterbi).
    """
    starting: dict[int, list[Place]] = {}
    for place in places:
        starting.setdefault(place.start, []).append(place)
    live: list[Place | None] = [None]
    cost = np.array([_HIDDEN_COST])
    history: list[tuple[list[Place | None], list[int]]] = []
    for sample in range(run.start, run.end):
        still = [p for p in live if p is not None and p.end > sample]
        now: list[Place | None] = [None, *still, *starting.get(sample, [])]
        step = np.array([[_step(a, b, width_px) for a in live] for b in now]) + cost
        back = step.argmin(axis=1)
        own = np.array([_own_cost(p) for p in now])
        cost = step[np.arange(len(now)), back] + own
        cost -= cost.min()
        history.append((now, back.tolist()))
        live = now
    return _without_doubtful(_trace_back(history, int(cost.argmin())))


def _without_doubtful(path: list[Place | None]) -> list[Place | None]:
    """Leave out appearances that neither move nor fit well at any time."""
    kept = list(path)
    start = 0
    for index in range(len(path) + 1):
        if index < len(path) and path[index] is not None:
            continue
        part = [p for p in path[start:index] if p is not None]
        if part and min(p.fit for p in part) > _DOUBTFUL_FIT and not _moves(part):
            kept[start:index] = [None] * (index - start)
        start = index + 1
    return kept


def _moves(places: list[Place]) -> bool:
    across = max(p.x for p in places) - min(p.x for p in places)
    down = max(p.y for p in places) - min(p.y for p in places)
    return max(across, down) > _STIR_PX


def _own_cost(place: Place | None) -> float:
    """Less than being hidden for a good fit, more for one that only helps to bridge a gap."""
    if place is None:
        return _HIDDEN_COST
    if place.fit <= 1:
        return _GOOD_COST * place.fit
    return _HIDDEN_COST + _WEAK_COST * (place.fit - 1)


def _trace_back(history: list[tuple[list[Place | None], list[int]]], at: int) -> list[Place | None]:
    path: list[Place | None] = []
    for now, back in reversed(history):
        path.append(now[at])
        at = back[at]
    return path[::-1]


def _step(a: Place | None, b: Place | None, width_px: int) -> float:
    if a is None or b is None:
        return 0.0 if a is b else _SWITCH_COST
    if a is b:
        return 0.0
    far = float(np.hypot(a.x - b.x, a.y - b.y)) / width_px
    return min(_FARTHEST_COST, far * _COST_A_WIDTH)
