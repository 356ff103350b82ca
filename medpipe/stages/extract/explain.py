"""How much of what stands out a known look explains, and where it then stands."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.template import Match, Template, correlated, vertex

_MIDDLE = np.float32(128)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Account:
    """A look drawn over the background, held against what is shown.

    Attributes:
        found: Where it explains most.
        share: Of the squared difference from the background, over the patch and under the look,
            how much it takes away; 1 at best, 0 or less where it is no better than nothing.
        under: The same share of the difference under the look alone.
    """

    found: Match
    share: float
    under: float


def account(template: Template, blob: Blob, *, behind: bool = False) -> Account | None:
    """Find where a look explains most of a blob.

    Args:
        template: A known look.
        blob: What stands out.
        behind: Ask the other way round: whether the background shows the look and the blob is
            the hole that it left.

    Returns:
        The best place, good or bad; None if the blob's window is too small.
    """
    height, width = template.look.shape
    now, wx, wy = blob.window_for(width, height)
    if now.shape[0] < height or now.shape[1] < width:
        return None
    part = np.s_[wy - blob.wy :, wx - blob.wx :]
    rows, columns = now.shape
    base = blob.behind[part][:rows, :columns].astype(np.float32) - _MIDDLE
    gap = (now.astype(np.float32) - _MIDDLE - base) ** 2
    shown = base if behind else now.astype(np.float32) - _MIDDLE
    force, look = template.weight**2, template.look - _MIDDLE
    # gap - (shown - look) ** 2 under the look, without its part that is the same everywhere.
    drawn = force * look
    gain = correlated(gap - shown * shown, force)
    gain += 2 * correlated(shown, drawn)
    _, _, _, (x, y) = cv2.minMaxLoc(gain)
    here = np.s_[y : y + height, x : x + width]
    left = float((force * (shown[here] - look) ** 2).sum())
    below = float((force * gap[here]).sum())
    whole = float(gap[blob.window_mask()[part][:rows, :columns]].sum())
    under = max(below, 1.0)
    rms = float(np.sqrt(left / max(float(force.sum()), 1e-6)))
    dx, dy = vertex(-gain[y], x), vertex(-gain[:, x], y)
    found = Match(wx + x + dx, wy + y + dy, rms)
    best = below - left
    return Account(found, best / max(whole, under), best / under)
