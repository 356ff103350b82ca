"""Tell blocks that show something else from blocks that are only coded better or worse."""

import numpy as np

from medpipe.stages.extract.grid import Gray, Mask

_BY_CHANCE_SHARE = 1 / 40
_FEWEST_PIXELS = 2
_STRONG = 2.0
_MANY_SHARE = 0.15
_ALIKE = 0.85
_SLOPES = 0.6, 1.6
_LEAST_STD = 4.0
_MOST_SHIFT = 8.0


def compare(now: Gray, was: Gray, where: Mask, level: float) -> tuple[Mask, Mask]:
    """Compare blocks pixel by pixel, and where they differ by their structure.

    A key frame sharpens or dulls what is there: many pixels differ, yet it is the same structure
    at nearly the same contrast and brightness.

    Args:
        now: (n, block, block) uint8.
        was: (n, block, block) uint8.
        where: (n, block, block) bool, pixels that are compared.
        level: Grey levels that count as a change.

    Returns:
        (n,) bool, blocks of which more pixels differ than by chance, some strongly or many of
        them; and (n,) bool, those of them that still show the same.
    """
    off = gap(now, was) * where
    counts = (off > level).sum(axis=(1, 2))
    size = now.shape[1] * now.shape[2]
    strong = (off > _STRONG * level).any(axis=(1, 2)) | (counts > _MANY_SHARE * size)
    unlike = strong & (counts > max(_BY_CHANCE_SHARE * size, _FEWEST_PIXELS))
    recoded = np.zeros(len(now), bool)
    for k in np.flatnonzero(unlike):
        recoded[k] = _is_recoded(now[k][where[k]], was[k][where[k]])
    return unlike, recoded


def differs(now: Gray, was: Gray, where: Mask, level: float) -> Mask:
    """(n,) bool, blocks that show something else; arguments as of `compare`."""
    unlike, recoded = compare(now, was, where, level)
    return unlike & ~recoded


def gap(now: Gray, was: Gray) -> Gray:
    """How far pixels lie apart, grey levels."""
    return np.maximum(now, was) - np.minimum(now, was)


def _is_recoded(now: Gray, was: Gray) -> bool:
    a, b = now.astype(np.float32), was.astype(np.float32)
    shift = float(a.mean() - b.mean())
    a -= a.mean()
    b -= b.mean()
    power = float((a * a).sum()), float((b * b).sum())
    if min(power) < _LEAST_STD**2 * a.size or abs(shift) > _MOST_SHIFT:
        return False
    shared = float((a * b).sum())
    slope = shared / power[1]
    return shared > _ALIKE * (power[0] * power[1]) ** 0.5 and _SLOPES[0] < slope < _SLOPES[1]
