"""Where a pointer spent its time, as a small picture."""

import numpy as np
from numpy.typing import NDArray

from medpipe.records import Trace

_LONGEST_STEP_S = 0.25


def heat_map(
    trace: Trace, rows: int = 16, columns: int = 16, blur: float = 0.5
) -> NDArray[np.float32]:
    """Density of a trace over the image.

    It is not stored: the trace is, and this gives the map at any size.

    Args:
        trace: Of a narration, or any part of it.
        rows: Of the map.
        columns: Of the map.
        blur: Standard deviation of a point's spot, in cells.

    Returns:
        (rows, columns) float32 that sums to 1, each point weighing the seconds for which it
        stands times its confidence; all zero for an empty trace.
    """
    if not len(trace):
        return np.zeros((rows, columns), np.float32)
    step = np.minimum(np.diff(trace.t_s), _LONGEST_STEP_S)
    seconds = np.full(len(trace), 1e-3)
    seconds[:-1] += step / 2
    seconds[1:] += step / 2
    across = _spots(trace.x, columns, blur)
    down = _spots(trace.y, rows, blur)
    heat = np.einsum("n,nr,nc->rc", seconds * np.maximum(trace.confidence, 1e-3), down, across)
    return np.asarray(heat / heat.sum(), np.float32)


def _spots(shares: NDArray[np.float32], cells: int, blur: float) -> NDArray[np.float64]:
    """(n, cells) how much of each point's spot falls into each cell; rows sum to 1."""
    middles = (np.arange(cells) + 0.5) / cells
    away = (shares.astype(np.float64)[:, None] - middles) * cells / blur
    spots = np.exp(-0.5 * away**2)
    return np.asarray(spots / spots.sum(axis=1, keepdims=True))
