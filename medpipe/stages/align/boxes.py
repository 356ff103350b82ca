"""Boxes that a pointer drew while a phrase was said."""

import numpy as np
from numpy.typing import NDArray

from medpipe.records import ScoredBox, Trace
from medpipe.stages.align.config import AlignConfig, BoxConfig
from medpipe.stages.align.gesture import Path, Stay, path_of, stays_of

Floats = NDArray[np.float64]


def boxes_of_phrase(
    trace: Trace, start_s: float, end_s: float, height_per_width: float, config: AlignConfig
) -> tuple[ScoredBox, ...]:
    """Find the places that were pointed at while a phrase was said.

    Args:
        trace: Of the scene.
        start_s: When the phrase starts, on the trace's clock.
        end_s: When it ends, same clock.
        height_per_width: The image's height over its width.
        config: Window, stays and boxes.

    Returns:
        Boxes, best first: one for each stay that fills enough of the phrase's window. Empty when
        the pointer was not seen in the window or was only on its way.

    Raises:
        ValueError: The phrase ends before it starts.

    Source:
        The window is that of Localized Narratives, with a lead. Ours: the whole stay counts, not
        only its part inside the window, because a circle outlasts the words it belongs to.
    """
    if end_s < start_s:
        raise ValueError(f"phrase ends at {end_s} s, before it starts at {start_s} s")
    low, high = start_s - config.lead_s, end_s + config.lag_s
    reach = config.gesture.reach_s
    path = path_of(trace.between(low - reach, high + reach), height_per_width)
    if not len(path):
        return ()
    worth = worth_of(path, start_s, end_s, low, high)
    if worth.sum() <= 0:
        return ()
    stays = stays_of(path, config.gesture)
    held = [float(worth[s.points()].sum()) for s in stays]
    order = sorted(range(len(stays)), key=lambda k: -held[k])
    boxes: list[ScoredBox] = []
    for rank, k in enumerate(order[: config.box.max_boxes]):
        share = held[k] / float(worth.sum())
        if held[k] <= 0 or (rank > 0 and share < config.box.second_share):
            break
        box = box_of(path, stays[k], share, (low, high), height_per_width, config.box)
        if box is not None:
            boxes.append(box)
    return tuple(sorted(boxes, key=lambda b: -b.score))


def worth_of(path: Path, start_s: float, end_s: float, low: float, high: float) -> Floats:
    """Seconds for which each point speaks for the phrase; half before and after the words."""
    said = (path.t_s >= start_s) & (path.t_s <= end_s)
    near = (path.t_s >= low) & (path.t_s <= high)
    worth: Floats = path.weight_s * (0.5 * said + 0.5 * near)
    return worth


def box_of(
    path: Path,
    stay: Stay,
    share: float,
    window: tuple[float, float],
    height_per_width: float,
    config: BoxConfig,
) -> ScoredBox | None:
    """Turn a stay into a box.

    Args:
        path: What the pointer did.
        stay: Part of it.
        share: Of the phrase's time that the stay holds, in [0, 1].
        window: (start, end) of the phrase's window.
        height_per_width: The image's height over its width.
        config: Sizes.

    Returns:
        The box, or None when it would cover nearly everything.
    """
    part = path.part(stay.points())
    tail = (1 - config.coverage) / 2
    edges_u = weighted_quantiles(part.u, part.weight_s, (tail, 0.5, 1 - tail))
    edges_v = weighted_quantiles(part.v, part.weight_s, (tail, 0.5, 1 - tail))
    extent = max(edges_u[2] - edges_u[0], edges_v[2] - edges_v[0])
    turns = abs(turns_round(part.u, part.v))
    if extent < config.point_size / 2:
        method, grow, smallest = "point", 0.0, config.point_size
        edges_u, edges_v = np.full(3, edges_u[1]), np.full(3, edges_v[1])
    elif turns >= config.loop_turn:
        method, grow, smallest = "loop", 0.0, config.point_size / 2
    else:
        method, grow, smallest = "dwell", config.pad, config.point_size
    x0, x1 = _side(edges_u, grow, smallest, 1.0)
    y0, y1 = _side(edges_v, grow, smallest, height_per_width)
    y0, y1 = y0 / height_per_width, y1 / height_per_width
    area = (x1 - x0) * (y1 - y0)
    if area > config.max_area:
        return None
    inside = int(((part.t_s >= window[0]) & (part.t_s <= window[1])).sum())
    trust = float(np.average(part.confidence, weights=part.weight_s))
    score = trust * (0.4 + 0.6 * share) * (1 - area) * inside / (inside + 2)
    return ScoredBox(
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        score=min(max(score, 0.0), 1.0),
        n_points=max(inside, 1),
        method=method,
    )


def _side(edges: Floats, grow: float, smallest: float, limit: float) -> tuple[float, float]:
    """One side of a box: grown, at least `smallest` long, inside [0, limit]."""
    low, high = float(edges[0]) - grow, float(edges[2]) + grow
    lack = smallest - (high - low)
    if lack > 0:
        low, high = low - lack / 2, high + lack / 2
    return min(max(low, 0.0), limit), min(max(high, 0.0), limit)


def weighted_quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> Floats:
    """Quantiles of values that do not count alike.

    Args:
        values: (n,) with n >= 1.
        weights: (n,) above 0.
        shares: Each in [0, 1].

    Returns:
        One value a share; always within the values' range.
    """
    order = np.argsort(values, kind="stable")
    ordered, weight = values[order], weights[order]
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    quantiles: Floats = np.interp(np.asarray(shares), middle, ordered)
    return quantiles


def turns_round(u: Floats, v: Floats) -> float:
    """How many times a path goes round the middle of its own extent; the sign is the sense."""
    if len(u) < 3:
        return 0.0
    middle_u, middle_v = (u.min() + u.max()) / 2, (v.min() + v.max()) / 2
    angle = np.unwrap(np.arctan2(v - middle_v, u - middle_u))
    return float(angle[-1] - angle[0]) / (2 * np.pi)
