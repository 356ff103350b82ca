"""Which words belong to which scene."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from medpipe.records import Scene, Word


def scene_at(scenes: Sequence[Scene], time_s: float, max_gap_s: float) -> int | None:
    """Find the scene that is shown at a time.

    Args:
        scenes: In order of time, not overlapping.
        time_s: Seconds from the video's start.
        max_gap_s: A scene that is no farther away than this will do.

    Returns:
        Place in `scenes` of the nearest one, or None.
    """
    if not scenes:
        return None
    starts = [s.start_s for s in scenes]
    before = int(np.searchsorted(starts, time_s, side="right")) - 1
    away = {
        k: max(scenes[k].start_s - time_s, time_s - scenes[k].end_s, 0.0)
        for k in (before, before + 1)
        if 0 <= k < len(scenes)
    }
    best = min(away, key=lambda k: (away[k], k))
    return best if away[best] <= max_gap_s else None


def parts_by_scene(
    words: Sequence[Word],
    places: Sequence[int],
    scenes: Sequence[Scene],
    *,
    max_gap_s: float,
    min_words: int,
    min_share: float,
) -> list[tuple[int, list[int]]]:
    """Split a sentence where the scene changes under it.

    Args:
        words: Of the transcript.
        places: The sentence's words, as indices in order.
        scenes: In order of time.
        max_gap_s: Words so close to a scene still belong to it.
        min_words: Words that a part needs.
        min_share: Share of the sentence's words that a part needs.

    Returns:
        (place in `scenes`, indices of words) for each part, in order; parts too small go to their
        longer neighbour. Empty when no word is near a scene.
    """
    near = [scene_at(scenes, (words[i].start_s + words[i].end_s) / 2, max_gap_s) for i in places]
    runs = [
        (scene, [i for i, _ in run])
        for scene, run in groupby(zip(places, near, strict=True), key=lambda pair: pair[1])
    ]
    parts = [(scene, list(run)) for scene, run in runs if scene is not None]
    needed = max(min_words, min_share * len(places))
    while len(parts) > 1:
        small = min(range(len(parts)), key=lambda k: len(parts[k][1]))
        if len(parts[small][1]) >= needed:
            break
        beside = [k for k in (small - 1, small + 1) if 0 <= k < len(parts)]
        into = max(beside, key=lambda k: len(parts[k][1]))
        parts[into] = (parts[into][0], sorted(parts[into][1] + parts[small][1]))
        del parts[small]
    return parts
