"""Estimate one constant error between word times and pointer times, or say that nothing tells."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medpipe.records import Phrase, Scene
from medpipe.stages.align.config import AlignConfig
from medpipe.stages.align.gesture import Path, path_of, stays_of

Floats = NDArray[np.float64]

MIN_PHRASES = 8
STEP_S = 0.05
# By how many standard deviations the best shift must stand out among those that cannot be true;
# random words reached 3.6 in 180 narrations, true ones of 24 phrases were above 3.75.
MIN_SCORE = 3.7
# And by how many above any other shift than its neighbours; five wrong ones of 120 had under 1.1.
MIN_LEAD = 1.2
_NEIGHBOUR_S = 0.45
_NEAR_S = 0.25
_DECOYS_S = np.concatenate([np.arange(-15.0, -2.5, 0.1), np.arange(2.5, 15.0, 0.1)])
_BLOCK_S = 20.0


def estimated_shift(
    phrases: Sequence[Phrase], scenes: Sequence[Scene], config: AlignConfig
) -> float | None:
    """Find the shift of word times at which the pointer arrives as phrases begin.

    Args:
        phrases: With times on the video's clock.
        scenes: With traces.
        config: Gestures, the usual lead, and the largest shift.

    Returns:
        Seconds to add to word times, on a grid of 50 ms; a teacher's habit of pointing early or
        late is part of it. None where the pointer does not tell: too few phrases have one near
        them, it arrives as often at shifts of many seconds, two shifts are about as good, or the
        best is the largest.

    Source:
        Ours. A pointer often rests where it was until the next phrase, so when it leaves says
        little; when it arrives says much. Half the configured lead is taken to be usual.
    """
    arrivals = np.array([at for scene in scenes for at in _arrivals(scene, config)])
    begins = np.array([phrase.start_s for phrase in phrases])
    if not len(arrivals) or len(begins) < MIN_PHRASES:
        return None
    reach = config.max_shift_s + 2 * _NEAR_S
    away = np.abs(arrivals[None, :] - begins[:, None]).min(axis=1)
    if (away <= reach).sum() < MIN_PHRASES:
        return None
    usual = begins - config.lead_s / 2
    steps = round(config.max_shift_s / STEP_S)
    shifts = np.arange(-steps, steps + 1) * STEP_S
    agreement = np.array([_agreement(usual + shift, arrivals) for shift in shifts])
    chance = np.array([_agreement(usual + shift, arrivals) for shift in _DECOYS_S])
    chance = chance[~np.isnan(chance)]
    if not len(chance) or np.isnan(agreement).any():
        return None
    best = int(np.argmax(agreement))
    other = agreement[np.abs(shifts - shifts[best]) > _NEIGHBOUR_S].max()
    spread = max(float(chance.std()), 0.02)
    sure = agreement[best] - chance.mean() >= MIN_SCORE * spread
    single = agreement[best] - other >= MIN_LEAD * spread
    inside = 0 < best < len(shifts) - 1
    return round(float(shifts[best]), 3) if sure and single and inside else None


def _agreement(begins: Floats, arrivals: Floats) -> float:
    """How near, in [0, 1], an arrival is to each beginning on average; NaN where few have any.

    Beginnings outside the time in which the pointer was seen say nothing.
    """
    inside = (begins > arrivals[0] - 1) & (begins < arrivals[-1] + 1)
    if inside.sum() < MIN_PHRASES / 2:
        return float("nan")
    away = np.abs(arrivals[None, :] - begins[inside][:, None]).min(axis=1)
    return float(np.exp(-0.5 * (away / _NEAR_S) ** 2).mean())


def _arrivals(scene: Scene, config: AlignConfig) -> list[float]:
    """When each stay of a scene begins, on the video's clock."""
    path = path_of(scene.trace, scene.height_px / scene.width_px)
    found: list[float] = []
    for first, end in _blocks(path):
        part = path.part(slice(first, end))
        stays = stays_of(part, config.gesture)
        found += [scene.start_s + float(part.t_s[stay.first]) for stay in stays]
    return found


def _blocks(path: Path) -> list[tuple[int, int]]:
    """Cut a long path into pieces of 20 s: the search for stays grows with the square."""
    edges = [0]
    while edges[-1] < len(path):
        edges.append(int(np.searchsorted(path.t_s, path.t_s[edges[-1]] + _BLOCK_S, side="right")))
    return list(pairwise(edges))
