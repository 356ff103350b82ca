"""Find a pointer that only its look gives away: one at rest, or before a restless picture."""

from collections.abc import Sequence

import numpy as np

from medpipe.stages.extract.blobs import rim_edge
from medpipe.stages.extract.grid import COARSE_PX, Chunk, Gray, Mask, Replay
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match, Template, match, search
from medpipe.stages.extract.track import Place, place_of

_PARKED_SHARE = 0.75
_NEAR_SHARE = 0.95
_SAME_PLACE_PX = 10
_MOST_SHARED = 2
_ALONE_SHARE = 0.6
_FAINTEST_RIM = 14.0


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
    return match(template, picture[y0:y1, x0:x1], x0, y0)


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


def is_alone(picture: Gray, template: Template) -> bool:
    """Whether a picture shows a distinct look once, and nothing that is nearly like it."""
    if not template.distinct:
        return False
    found = search(picture, template, 2.0)[:2]
    limit = _PARKED_SHARE * template.bound
    return len(found) > 1 and found[0].rms <= min(limit, _ALONE_SHARE * found[1].rms)


def is_peak(picture: Gray, template: Template, found: Match) -> bool:
    """Whether a place fits a look much better than the places around it do."""
    height, width = template.look.shape
    x0, y0 = max(round(found.x) - width, 0), max(round(found.y) - height, 0)
    part = picture[y0 : round(found.y) + 2 * height, x0 : round(found.x) + 2 * width]
    if part.shape[0] < height or part.shape[1] < width:
        return False
    scores = template.scores(part)
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
