"""Pick out what may be a pointer where the picture never rests: what no place usually shows."""

from collections.abc import Sequence

import cv2
import numpy as np

from medpipe.stages.extract.background import median
from medpipe.stages.extract.blobs import PAD_PX, Blob
from medpipe.stages.extract.grid import Chunk, Gray, Mask, Replay, soften

_USUAL_LOOKS = 15
_MOST_SAMPLES = 48
_SPREADS = 4
_SMALLEST_AREA_PX = 40
_LONGEST_SIDE_PX = 160
_MOST_PATCHES = 8
_JOIN = np.ones((5, 5), np.uint8)


def restless_blobs(
    chunk: Chunk, samples: Sequence[int], where: Mask, level: float
) -> tuple[Gray, list[Blob]]:
    """List patches that differ from what a place usually shows by more than it usually does.

    Speckle boils, organs beat and a scope sways, but each place does so within bounds of its own;
    what is drawn on top of it is brighter or darker than that.

    Args:
        chunk: The samples.
        samples: Those to look at, in order.
        where: (grid) bool, blocks to look at.
        level: Grey levels that count as a change where nothing moves.

    Returns:
        (h, w) uint8, what each pixel usually shows, and the patches, one sample long each.
    """
    usual, limit = _usual(chunk, _spread(samples, _USUAL_LOOKS), level)
    inside = chunk.layout.spread(where)
    blobs: list[Blob] = []
    replay = Replay(chunk)
    for sample in _spread(samples, _MOST_SAMPLES):
        picture = replay.at(sample)
        gap = (cv2.absdiff(picture, usual) > limit) & inside
        blobs += _patches(picture, usual, gap.astype(np.uint8), sample)
    return usual, blobs


def _spread(samples: Sequence[int], most: int) -> list[int]:
    picked = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    return [samples[k] for k in picked.tolist()]


def _usual(chunk: Chunk, samples: Sequence[int], level: float) -> tuple[Gray, Gray]:
    """Per pixel the median, and how far from it something is that the place seldom shows."""
    usual = median(_looks(chunk, samples))
    spread = median([np.asarray(cv2.absdiff(look, usual)) for look in _looks(chunk, samples)])
    limit = np.minimum(spread.astype(np.uint16) * _SPREADS + round(level), 255)
    return usual, limit.astype(np.uint8)


def _looks(chunk: Chunk, samples: Sequence[int]) -> list[Gray]:
    replay = Replay(chunk)
    return [replay.at(sample).copy() for sample in samples]


def _patches(picture: Gray, usual: Gray, gap: Gray, sample: int) -> list[Blob]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(gap, _JOIN))
    order = np.argsort(-stats[1:count, cv2.CC_STAT_AREA], kind="stable") + 1
    found: list[Blob] = []
    for label in order.tolist():
        x, y, wide, high = (int(v) for v in stats[label, :4])
        if max(wide, high) > _LONGEST_SIDE_PX:
            continue
        part = np.s_[y : y + high, x : x + wide]
        mask = (labels[part] == label) & (gap[part] > 0)
        if int(mask.sum()) < _SMALLEST_AREA_PX or len(found) == _MOST_PATCHES:
            break
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        left, top = x + int(columns[0]), y + int(rows[0])
        wx, wy = max(left - PAD_PX, 0), max(top - PAD_PX, 0)
        window = np.s_[wy : top + mask.shape[0] + PAD_PX, wx : left + mask.shape[1] + PAD_PX]
        now, base = soften(picture[window]), soften(usual[window])
        found.append(Blob(sample, sample + 1, left, top, mask, now, base, wx, wy))
    return found
