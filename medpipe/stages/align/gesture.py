"""Cut a pointer's path into stays, each about one place, and the strokes between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medpipe.records import Trace
from medpipe.stages.align.config import GestureConfig

Floats = NDArray[np.float64]
LONGEST_STEP_S = 0.25
JUMP = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A pointer's path with equal units on both axes.

    Attributes:
        t_s: (n,) rising, seconds.
        u: (n,) shares of the image's width, to the right.
        v: (n,) shares of the image's WIDTH, down.
        weight_s: (n,) seconds that each point stands for.
        confidence: (n,) in [0, 1].
        image_area: Of the whole image, in squares of its width.
    """

    t_s: Floats
    u: Floats
    v: Floats
    weight_s: Floats
    confidence: Floats
    image_area: float

    def __len__(self) -> int:
        return len(self.t_s)

    def part(self, points: slice | NDArray[np.int64]) -> "Path":
        """Some of the points."""
        return Path(
            self.t_s[points],
            self.u[points],
            self.v[points],
            self.weight_s[points],
            self.confidence[points],
            self.image_area,
        )


@dataclass(frozen=True, slots=True)
class Stay:
    """Points of a path that are all about one place.

    Attributes:
        spans: (first, end) of each unbroken run, `end` left out; in order, at least one.
    """

    spans: tuple[tuple[int, int], ...]

    @property
    def first(self) -> int:
        """The first point."""
        return self.spans[0][0]

    @property
    def last(self) -> int:
        """The last point."""
        return self.spans[-1][1] - 1

    def points(self) -> NDArray[np.int64]:
        """All points, in order."""
        return np.concatenate([np.arange(first, end) for first, end in self.spans])


def path_of(trace: Trace, height_per_width: float) -> Path:
    """Turn a trace into a path.

    Args:
        trace: Places as shares of the image.
        height_per_width: The image's height over its width.

    Returns:
        The path; a point that jumps away for one sample is put between its neighbours.
    """
    t = trace.t_s.astype(np.float64)
    step = np.minimum(np.diff(t), LONGEST_STEP_S)
    weight = np.zeros(len(t))
    weight[:-1] += step / 2
    weight[1:] += step / 2
    if len(t) == 1:
        weight[:] = LONGEST_STEP_S / 5
    places = np.stack([trace.x.astype(np.float64), trace.y * height_per_width], axis=1)
    u, v = _without_jumps(places).T
    return Path(
        t,
        u,
        v,
        np.maximum(weight, 1e-3),
        trace.confidence.astype(np.float64),
        height_per_width,
    )


def stays_of(path: Path, config: GestureConfig) -> list[Stay]:
    """Find the stays of a path.

    Args:
        path: In order of time; a few hundred points at most (the work grows with the square).
        config: When a stay ends.

    Returns:
        Stays in order, not overlapping; points in none of them are strokes.

    Source:
        Ours. The shortest description of the path: a stay costs its duration times the logarithm
        of the area it covers, plus a constant; a point on the way costs as much as a stay over
        most of the image. So a circle, however slow, is one stay, and a stroke joins none.
    """
    cuts = np.flatnonzero(np.diff(path.t_s) > config.gap_s) + 1
    edges = [0, *cuts.tolist(), len(path)]
    stays: list[Stay] = []
    for first, end in pairwise(edges):
        found = _cheapest(path.part(slice(first, end)), config)
        stays += [Stay(((first + a, first + b),)) for a, b in found]
    return _joined(path, stays, config)


def _cheapest(run: Path, config: GestureConfig) -> list[tuple[int, int]]:
    """The cheapest partition of an unbroken run into stays and strokes, by dynamic programming."""
    n = len(run)
    times = np.concatenate([[0.0], np.cumsum(run.weight_s)]) / config.correlation_s
    on_the_way = np.log(config.stroke_area * run.image_area)
    best = np.zeros(n + 1)
    came = np.full(n + 1, -1)
    for end in range(1, n + 1):
        width = _reach_back(run.u, end) + config.blur
        height = _reach_back(run.v, end) + config.blur
        spent = times[end] - times[end - 1 :: -1]
        costs = best[end - 1 :: -1] + spent * np.log(width * height) + config.stay_cost
        back = int(np.argmin(costs))
        stroke = best[end - 1] + (times[end] - times[end - 1]) * on_the_way
        best[end] = min(costs[back], stroke)
        came[end] = end - 1 - back if costs[back] < stroke else -1
    stays: list[tuple[int, int]] = []
    end = n
    while end > 0:
        if came[end] >= 0:
            stays.append((int(came[end]), end))
            end = int(came[end])
        else:
            end -= 1
    return stays[::-1]


def _reach_back(values: Floats, end: int) -> Floats:
    """Extent of `values[k:end]` for k = end - 1 down to 0."""
    back = values[end - 1 :: -1]
    extent: Floats = np.maximum.accumulate(back) - np.minimum.accumulate(back)
    return extent


def _joined(path: Path, stays: Iterable[Stay], config: GestureConfig) -> list[Stay]:
    """Join neighbours that are about the same place."""
    joined: list[Stay] = []
    for stay in stays:
        if joined and _same_place(path, joined[-1], stay, config):
            joined[-1] = Stay(joined[-1].spans + stay.spans)
        else:
            joined.append(stay)
    return joined


def _same_place(path: Path, a: Stay, b: Stay, config: GestureConfig) -> bool:
    if path.t_s[b.first] - path.t_s[a.last] > config.gap_s:
        return False
    one, two = _grown(path, a, config.blur), _grown(path, b, config.blur)
    low, high = np.maximum(one[:2], two[:2]), np.minimum(one[2:], two[2:])
    common = float(np.prod(np.maximum(high - low, 0)))
    area_a, area_b = (float(np.prod(box[2:] - box[:2])) for box in (one, two))
    return common / (area_a + area_b - common) >= config.same_iou


def _grown(path: Path, stay: Stay, blur: float) -> Floats:
    points = stay.points()
    u, v = path.u[points], path.v[points]
    margin = blur / 2
    return np.array(
        [u.min() - margin, v.min() - margin, u.max() + margin, v.max() + margin], np.float64
    )


def _without_jumps(places: Floats) -> Floats:
    """Put a point that jumps away for one sample between its neighbours.

    Args:
        places: (n, 2).
    """
    if len(places) < 3:
        return places
    before, after = places[:-2], places[2:]
    middle = (before + after) / 2
    away = np.hypot(*(places[1:-1] - middle).T)
    apart = np.hypot(*(after - before).T)
    jumps = away > JUMP + 1.5 * apart
    steady = places.copy()
    steady[1:-1][jumps] = middle[jumps]
    return steady
