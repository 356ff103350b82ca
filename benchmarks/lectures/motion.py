"""How a hand moves a pointer: minimum-jerk strokes, loops round a box, tremor at rest."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.spec import Box

Path = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Point = tuple[float, float]


@dataclass(frozen=True)
class Move:
    """One piece of motion.

    Attributes:
        start_s: When it starts, seconds from the start of the video.
        end_s: When it ends; after it the pointer rests where the path ended.
        path: (n,) shares of the piece in [0, 1] -> (n, 2) positions, pixels.
    """

    start_s: float
    end_s: float
    path: Path


def stroke(start: Point, end: Point, rng: np.random.Generator) -> Path:
    """Return a minimum-jerk stroke (Flash and Hogan 1985) with a slight bow and small noise."""
    a, b = np.array(start), np.array(end)
    across = np.array([a[1] - b[1], b[0] - a[0]])
    bow = rng.uniform(-0.08, 0.08)
    wobble = rng.normal(0, 0.004, 3)

    def path(u: NDArray[np.float64]) -> NDArray[np.float64]:
        s = u**3 * (10 - 15 * u + 6 * u**2)
        side = bow * np.sin(np.pi * s)
        for k, size in enumerate(wobble):
            side = side + size * np.sin((k + 2) * np.pi * s)
        return np.asarray(a + s[:, None] * (b - a) + side[:, None] * across)

    return path


def stroke_seconds(start: Point, end: Point, width_px: float, rng: np.random.Generator) -> float:
    """Return how long a hand takes for a stroke: longer for longer ways, 0.3 to 0.9 s."""
    share = float(np.hypot(end[0] - start[0], end[1] - start[1])) / width_px
    return float(np.clip(0.3 + 0.75 * share + rng.normal(0, 0.04), 0.3, 0.9))


def loop(box: Box, came_from: Point, loops: int, rng: np.random.Generator) -> tuple[Path, Point]:
    """Return whole turns along the ellipse that fills a box, and where they start.

    Args:
        box: (x0, y0, x1, y1) pixels; the path's extent is exactly this box.
        came_from: Where the pointer is before; the loop starts on that side.
        loops: Whole turns.
        rng: Source of direction and noise.
    """
    x0, y0, x1, y1 = box
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    half = np.array([(x1 - x0) / 2, (y1 - y0) / 2])
    first = float(np.arctan2(*((np.array(came_from) - centre) / half)[::-1]))
    turn = float(rng.choice([-1.0, 1.0]))
    sizes, shifts = rng.normal(0, 0.02, (2, 4)), rng.uniform(0, 2 * np.pi, (2, 4))

    def raw(u: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = first + turn * 2 * np.pi * loops * _eased(u)
        unit = np.stack([np.cos(angle), np.sin(angle)], 1)
        for axis in range(2):
            for k in range(4):
                unit[:, axis] += sizes[axis, k] * np.sin((k + 1) * angle / 2 + shifts[axis, k])
        return unit

    seen = raw(np.linspace(0, 1, 2000))
    low, high = seen.min(0), seen.max(0)

    def path(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(centre + half * ((raw(u) - low) / (high - low) * 2 - 1))

    x, y = path(np.zeros(1))[0]
    return path, (float(x), float(y))


def tremor(at: Point, size_px: float, seconds: float, rng: np.random.Generator) -> Path:
    """Return small slow drift round a point, starting and ending on it."""
    turns = rng.uniform(0.4, 1.1, 3) * max(seconds, 0.5)
    shifts = rng.uniform(0, 2 * np.pi, (2, 3))

    def path(u: NDArray[np.float64]) -> NDArray[np.float64]:
        fade = np.sin(np.pi * u)
        waves = [sum(np.sin(2 * np.pi * turns[k] * u + s[k]) for k in range(3)) for s in shifts]
        return np.asarray(np.array(at) + size_px / 2 * fade[:, None] * np.stack(waves, 1))

    return path


def positions(moves: list[Move], start: Point, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the pointer is.

    Args:
        moves: In time order, not overlapping.
        start: Where it rests before the first move.
        t_s: (n,) times, rising.

    Returns:
        (n, 2) positions, pixels.
    """
    out = np.tile(np.array(start, np.float64), (len(t_s), 1))
    for move in moves:
        during = (t_s >= move.start_s) & (t_s < move.end_s)
        if during.any():
            out[during] = move.path((t_s[during] - move.start_s) / (move.end_s - move.start_s))
        after = t_s >= move.end_s
        if after.any():
            out[after] = move.path(np.ones(1))[0]
    return out


def _eased(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map [0, 1] to [0, 1]: speed rises over the first tenth and falls over the last."""
    ramp = 0.1
    slow = np.where(
        u < ramp,
        u**2 / (2 * ramp),
        np.where(u > 1 - ramp, 1 - ramp - (1 - u) ** 2 / (2 * ramp), u - ramp / 2),
    )
    return np.asarray(slow / (1 - ramp))
