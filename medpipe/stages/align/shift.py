"""Estimate one constant error between word times and pointer times."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medpipe.records import Phrase, Scene
from medpipe.stages.align.config import AlignConfig
from medpipe.stages.align.gesture import Path, path_of, stays_of

MIN_PHRASES = 8
MIN_GAIN = 0.15
STEP_S = 0.05
_BLOCK_S = 20.0


def estimated_shift(
    phrases: Sequence[Phrase], scenes: Sequence[Scene], config: AlignConfig
) -> float:
    """Find the shift of word times at which most phrases fall into one stay of the pointer.

    Args:
        phrases: With times on the video's clock.
        scenes: With traces.
        config: Gestures, and the largest shift.

    Returns:
        Seconds to add to word times, on a grid of 50 ms. 0 unless at least 8 phrases have a
        pointer near them and the agreement at the best shift beats that at 0 by 0.15.
    """
    stays = [span for scene in scenes for span in _stay_spans(scene, config)]
    if not stays:
        return 0.0
    spans = np.array(stays)
    said = np.array([(p.start_s, p.end_s) for p in phrases if not p.negated]).reshape(-1, 2)
    reach = config.max_shift_s
    near = [s for s in said if ((spans[:, 0] < s[1] + reach) & (spans[:, 1] > s[0] - reach)).any()]
    if len(near) < MIN_PHRASES:
        return 0.0
    steps = round(reach / STEP_S)
    shifts = np.arange(-steps, steps + 1) * STEP_S
    window = np.array([-config.lead_s, config.lag_s])
    agreement = np.array([_agreement(np.array(near) + window + d, spans) for d in shifts])
    best = float(np.median(shifts[agreement >= agreement.max() - 1e-9]))
    gain = agreement.max() - agreement[steps]
    return round(best, 3) if gain >= MIN_GAIN else 0.0


def _agreement(said: NDArray[np.float64], stays: NDArray[np.float64]) -> float:
    """Mean share of the phrases' windows inside the one stay that holds most of each."""
    start = np.maximum(said[:, None, 0], stays[None, :, 0])
    end = np.minimum(said[:, None, 1], stays[None, :, 1])
    held = np.maximum(end - start, 0).max(axis=1)
    return float((held / np.maximum(said[:, 1] - said[:, 0], 1e-6)).mean())


def _stay_spans(scene: Scene, config: AlignConfig) -> list[tuple[float, float]]:
    """Start and end of every stay of a scene, on the video's clock."""
    path = path_of(scene.trace, scene.height_px / scene.width_px)
    spans: list[tuple[float, float]] = []
    for first, end in _blocks(path):
        part = path.part(slice(first, end))
        for stay in stays_of(part, config.gesture):
            start_s, end_s = part.t_s[stay.first], part.t_s[stay.last]
            spans.append((scene.start_s + float(start_s), scene.start_s + float(end_s)))
    return spans


def _blocks(path: Path) -> list[tuple[int, int]]:
    """Cut a long path into pieces of 20 s: the search for stays grows with the square."""
    edges = [0]
    while edges[-1] < len(path):
        edges.append(int(np.searchsorted(path.t_s, path.t_s[edges[-1]] + _BLOCK_S, side="right")))
    return list(pairwise(edges))
