"""How well one patch is found again in another, each pair tried once."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.template import correlated

_MIDDLE = np.float32(128)

Floats = NDArray[np.float32]
Fit = tuple[float, int, int]


class Fits:
    """Fits patches to one another and keeps what was worked out.

    What is asked of each patch again and again is worked out once: its grey levels round their
    middle and the squares of those.
    """

    def __init__(self) -> None:
        self._planes: dict[Blob, tuple[Floats, Floats]] = {}
        self._known: dict[tuple[Blob, Blob], Fit] = {}

    def of(self, model: Blob, others: list[Blob]) -> list[Fit]:
        """Find a patch in the windows of others.

        Args:
            model: Whose pixels under its mask are looked for.
            others: In whose windows; may hold the model itself.

        Returns:
            For each the RMS, grey levels, of the best place and its left and top in that window;
            infinite where the window is too small.
        """
        height, width = model.mask.shape
        left, top = model.x0 - model.wx, model.y0 - model.wy
        solid = model.mask.astype(np.float32)
        grey = self._planes_of(model)[0][top : top + height, left : left + width] * solid
        fits: list[Fit] = []
        for other in others:
            fit = self._known.get((model, other))
            if fit is None:
                fit = self._known[model, other] = self._fit(solid, grey, other)
            fits.append(fit)
        return fits

    def clear(self) -> None:
        """Let go of all patches."""
        self._planes.clear()
        self._known.clear()

    def _fit(self, solid: Floats, grey: Floats, other: Blob) -> Fit:
        height, width = solid.shape
        part, wx, wy = other.window_for(width, height)
        if part.shape[0] < height or part.shape[1] < width:
            return np.inf, 0, 0
        x0, y0 = wx - other.wx, wy - other.wy
        window = np.s_[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        shown, power = self._planes_of(other)
        scores = correlated(power[window], solid)
        scores -= 2 * correlated(shown[window], grey)
        low, _, (x, y), _ = cv2.minMaxLoc(scores)
        left = max(low + float((grey * grey).sum()), 0.0)
        return (left / max(float(solid.sum()), 1e-6)) ** 0.5, x + x0, y + y0

    def _planes_of(self, blob: Blob) -> tuple[Floats, Floats]:
        planes = self._planes.get(blob)
        if planes is None:
            shown = blob.now.astype(np.float32) - _MIDDLE
            planes = self._planes[blob] = (shown, shown * shown)
        return planes
