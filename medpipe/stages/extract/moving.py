"""Follow the pointer through a stretch in which the picture itself changes."""

from collections.abc import Sequence

import numpy as np

from medpipe.stages.extract.grid import COARSE_PX, Chunk, Gray, Replay
from medpipe.stages.extract.parked import search_near, stands_out
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match, Template, search
from medpipe.stages.extract.track import Place, place_of

_REACH_PX = 48
_LONGEST_REACH_PX = 240
_FULL_SEARCH_S = 0.5
_MOVING_SHARE = 0.85
_ANYWHERE_SHARE = 0.75
_STAYING_SHARE = 1.15
_STAYING_PX = 6


def moving_places(
    chunk: Chunk, run: Run, templates: Sequence[Template], last: Place | None
) -> list[Place | None]:
    """Look for the pointer in a run whose picture does not rest.

    Args:
        chunk: The samples.
        run: A stretch of it that is not still.
        templates: Known looks.
        last: Where the pointer was seen last, or None.

    Returns:
        One entry a sample.
    """
    if not templates:
        return [None] * (run.end - run.start)
    full_at, lost = -np.inf, 0
    coarse = chunk.layout.block / COARSE_PX
    found: list[Place | None] = []
    for sample, picture in Replay(chunk).over(run.start, run.end):
        time_s = chunk.times_s[sample]
        place = None
        if last is not None:
            reach = min(_REACH_PX * (1 + lost), _LONGEST_REACH_PX)
            place = _best(picture, templates, last, sample, coarse, reach)
        if place is None and time_s - full_at >= _FULL_SEARCH_S:
            full_at = time_s
            place = _best(picture, templates, None, sample, coarse, 0)
        found.append(place)
        last, lost = place or last, 0 if place is not None else lost + 1
    return found


def _best(
    picture: Gray,
    templates: Sequence[Template],
    last: Place | None,
    sample: int,
    coarse: float,
    reach: int,
) -> Place | None:
    best: Place | None = None
    for template in templates:
        if last is None:
            found = _anywhere(picture, template, coarse)
        else:
            found = _nearby(picture, template, last, reach)
        if found is None:
            continue
        place = place_of(found, template, sample, sample + 1)
        if best is None or place.fit < best.fit:
            best = place
    return best


def _anywhere(picture: Gray, template: Template, coarse: float) -> Match | None:
    if not template.distinct:
        return None
    found = next(iter(search(picture, template, coarse)), None)
    return found if found is not None and found.rms <= _ANYWHERE_SHARE * template.bound else None


def _nearby(picture: Gray, template: Template, last: Place, reach: int) -> Match | None:
    """A good fit in reach, or a fair one right where the pointer was: it seldom moves meanwhile."""
    near = (last.x - template.tip[0], last.y - template.tip[1])
    if not template.distinct:
        reach = _REACH_PX
    found = search_near(picture, template, near, reach)
    if found is None:
        return None
    if template.distinct and found.rms <= _MOVING_SHARE * template.bound:
        return found
    same_kind = template.kind == last.kind
    moved = np.hypot(found.x - near[0], found.y - near[1])
    fair = found.rms <= _STAYING_SHARE * template.bound
    if same_kind and moved <= _STAYING_PX and fair and stands_out(picture, template, found):
        return found
    return None
