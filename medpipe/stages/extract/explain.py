"""How much of what stands out a known look explains, and where it then stands."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.template import Match, Template, vertex

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
    shown, base = now.astype(np.float32), blob.behind[part][:rows, :columns].astype(np.float32)
    gap = (shown - base) ** 2
    if behind:
        shown = base
    force = template.weight**2
    left = cv2.matchTemplate(shown, template.look, cv2.TM_SQDIFF, mask=template.weight)
    below = cv2.matchTemplate(gap, force, cv2.TM_CCORR)
    gain = np.asarray(below - np.maximum(left, 0), np.float32)
    _, _, _, (x, y) = cv2.minMaxLoc(gain)
    whole = float(gap[blob.window_mask()[part][:rows, :columns]].sum())
    under = max(float(below[y, x]), 1.0)
    rms = float(np.sqrt(max(float(left[y, x]), 0.0) / max(float(force.sum()), 1e-6)))
    dx, dy = vertex(-gain[y], x), vertex(-gain[:, x], y)
    found = Match(wx + x + dx, wy + y + dy, rms)
    best = float(gain[y, x])
    return Account(found, best / max(whole, under), best / under)
