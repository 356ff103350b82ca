"""Fill in a pointer that rested while the picture behind it changed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.track import Place

_LONGEST_S = 2.5
_AT_ONCE_S = 0.3
_SAME_PX = 4.0
_SAME_SHARE = 0.004
_NEAR_PX = 48
_LEAST_FIT = 0.9
_AWAY_SHARE = 0.3


def bridge(
    places: Sequence[Place | None], runs: Sequence[Run], times_s: Sequence[float], width_px: int
) -> list[Place | None]:
    """Let a pointer stay where it is found before and after a change of the picture.

    Who changes the picture does not aim: the pointer rests, and is found at the very same place
    afterwards. A look is hard to trust meanwhile, as nothing rests behind it. A pointer that went
    before the change is gone: a picture at rest would show it.

    Args:
        places: One entry a sample: the pointer's place, or None.
        runs: Of the samples, in order, covering them.
        times_s: Presentation time of each sample.
        width_px: Of the picture.

    Returns:
        The places with such gaps filled, and what was found far away meanwhile left out.
    """
    filled = list(places)
    same_px = max(_SAME_PX, _SAME_SHARE * width_px)
    _rest(filled, runs, times_s, same_px)
    before: tuple[int, Place] | None = None
    for run in runs:
        seen = [i for i in range(run.start, run.end) if places[i] is not None] if run.still else []
        if not seen:
            continue
        first, last = (seen[0], places[seen[0]]), (seen[-1], places[seen[-1]])
        if first[1] is None or last[1] is None:
            continue
        at_once = times_s[first[0]] - times_s[run.start] <= _AT_ONCE_S
        if before is not None and at_once:
            soon = times_s[first[0]] - times_s[before[0]] <= _LONGEST_S
            if soon and apart(before[1], first[1]) <= same_px:
                _fill(filled, before[0], first[0], before[1], first[1])
        to_the_end = times_s[run.end - 1] - times_s[last[0]] <= _AT_ONCE_S
        before = (last[0], last[1]) if to_the_end else None
    return filled


def _rest(
    filled: list[Place | None], runs: Sequence[Run], times_s: Sequence[float], same_px: float
) -> None:
    """Let a pointer stay while the picture changes, if it is seen there now and then."""
    for run in runs:
        if run.still:
            continue
        seen = [i for i in range(run.start, run.end) if filled[i] is not None]
        for a, b in pairwise(seen):
            first, last = filled[a], filled[b]
            if first is None or last is None or times_s[b] - times_s[a] > _LONGEST_S:
                continue
            if b - a > 1 and apart(first, last) <= same_px:
                _fill(filled, a, b, first, last)


def _fill(filled: list[Place | None], start: int, end: int, a: Place, b: Place) -> None:
    fit = max(a.fit, b.fit, _LEAST_FIT)
    away = [p for p in filled[start + 1 : end] if p is not None and apart(p, a) > _NEAR_PX]
    if len(away) > _AWAY_SHARE * (end - start - 1):
        return
    for index in range(start + 1, end):
        found = filled[index]
        if found is None or apart(found, a) > _NEAR_PX:
            filled[index] = replace(a, start=index, end=index + 1, fit=fit)


def apart(a: Place, b: Place) -> float:
    """Distance of two tips, picture pixels."""
    return float(np.hypot(a.x - b.x, a.y - b.y))
