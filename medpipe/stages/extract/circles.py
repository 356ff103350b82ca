"""Circles among what differs from a background: their radius, and where they are at each sample."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import Gray, Mask
from medpipe.stages.extract.template import vertex

_LEAST_RADIUS_PX = 7.0
_LARGEST_SHARE = 0.3
_SAME_SHARE = 0.07
_SAME_PX = 0.75
_ROUND = 0.12
_ROUND_SHARE = np.pi / 4
_HULL = (0.7, 0.88)
_FEWEST_SAMPLES = 6
_LOOKS_SHARE = 0.1
_FEWEST_PLACES = 3
_RING = (1.1, 1.4)
_LEAST_FILL = 0.05
_TOLD_PX = 5
_TOLD_SHARE = 0.97
_EMPTY_SHARE = 0.15
_LEAK_SHARE = 0.4
_VISIBLE_SHARE = 0.35
_GHOST_EDGE = 0.8
_MOST_GHOSTS = 4
_STEP_PX = 2.5
_CLOSE = np.ones((5, 5), np.uint8)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Disc:
    """A disc that stands out in a sample, coarse pixels; `fill` is the share of it that does."""

    sample: int
    x: float
    y: float
    radius: float
    fill: float

    def apart(self, other: "Disc") -> float:
        """Between the middles, coarse pixels."""
        return float(np.hypot(self.x - other.x, self.y - other.y))


@dataclass(slots=True, eq=False)
class Part:
    """Samples between two cuts.

    Attributes:
        looks: Coarse picture of each sample that differs from the one before, by sample.
        end: One past the last sample.
        behind: (h, w) uint8, coarse, what is shown for most of the time.
        level: Grey levels that count as a difference.
    """

    looks: dict[int, Gray]
    end: int
    behind: Gray
    level: float

    def gap(self, sample: int) -> Mask:
        """(h, w) bool, where a sample differs from what is behind."""
        return np.asarray(cv2.absdiff(self.looks[sample], self.behind) > self.level)


def outlines(part: Part) -> list[Disc]:
    """What differs from the background and has a circle for its hull.

    Args:
        part: Samples before one background.

    Returns:
        Discs of any radius, by sample.
    """
    found: list[Disc] = []
    for sample in part.looks:
        bare = part.gap(sample)
        gap = cv2.morphologyEx(bare.astype(np.uint8), cv2.MORPH_CLOSE, _CLOSE)
        if not 0 < gap.mean() < _LARGEST_SHARE:
            continue
        contours, _ = cv2.findContours(gap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            x, y, width, height = cv2.boundingRect(contour)
            side = (width + height) / 2
            if side < 2 * _LEAST_RADIUS_PX or abs(width - height) > _ROUND * side:
                continue
            hull = cv2.contourArea(cv2.convexHull(contour)) / ((width - 1) * (height - 1))
            if _HULL[0] < hull < _HULL[1]:
                middle = x + (width - 1) / 2, y + (height - 1) / 2
                fill = float(bare[y : y + height, x : x + width].mean()) / _ROUND_SHARE
                found.append(Disc(sample, *middle, side / 2, fill))
    return found


def usual_disc(discs: list[Disc], looks: int) -> Disc | None:
    """Radius and fill that discs of enough looks share, if they lie at several places.

    Args:
        discs: All that were seen.
        looks: Looks that were searched for them.

    Returns:
        One of them with the usual radius and fill, or None.
    """
    if not discs:
        return None
    radii = np.array([disc.radius for disc in discs])
    slack = np.maximum(_SAME_SHARE * radii, _SAME_PX)
    friends = (np.abs(radii[:, None] - radii) <= slack[:, None]).sum(1)
    best = [disc for disc in discs if is_alike(disc, float(radii[friends.argmax()]))]
    if len({disc.sample for disc in best}) < max(_FEWEST_SAMPLES, _LOOKS_SHARE * looks):
        return None
    apart: list[Disc] = []
    for disc in best:
        if all(disc.apart(each) > disc.radius / 2 for each in apart):
            apart.append(disc)
    if len(apart) < _FEWEST_PLACES:
        return None
    radius, fill = (np.median([[d.radius, d.fill] for d in best], axis=0)).tolist()
    return replace(best[0], radius=radius, fill=fill)


def _stays(disc: Disc, others: list[Disc]) -> bool:
    """Whether discs of several samples lie where one does."""
    return sum(disc.apart(each) < _TOLD_PX / 2 for each in others) >= _FEWEST_SAMPLES


def is_alike(disc: Disc, radius: float) -> bool:
    """Whether a disc has a radius, but for what a coarse picture blurs."""
    return abs(disc.radius - radius) <= max(_SAME_SHARE * radius, _SAME_PX)


class Finder:
    """Finds a disc of a known radius by what differs inside of it and not round it."""

    def __init__(self, usual: Disc, shape: tuple[int, ...]) -> None:
        """Prepare for a radius and a fill.

        Args:
            usual: What discs have in common; its place does not matter.
            shape: Of the coarse pictures.
        """
        radius = self._radius = usual.radius
        self._usual = usual.fill
        self._reach = int(np.ceil(radius * _RING[1])) + 1
        axis = np.arange(-self._reach, self._reach + 1, dtype=np.float32)
        far = np.hypot(axis[:, None], axis[None, :])
        self._disc = np.clip(radius + 0.5 - far, 0, 1).astype(np.float32)
        ring = (far > radius * _RING[0]) & (far < radius * _RING[1])
        self._ring = ring.astype(np.float32)
        whole = np.ones(shape, np.float32)
        self._most = float(self._disc.sum())
        self._ratio = self._most / float(ring.sum())
        self._inside = np.maximum(self._sum(whole, self._disc), _VISIBLE_SHARE * self._most)
        self._round = np.maximum(self._sum(whole, self._ring), 1)

    def _sum(self, picture: Floats, kernel: Floats) -> Floats:
        reach = self._reach
        wide = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
        return np.asarray(cv2.matchTemplate(wide, kernel, cv2.TM_CCORR), np.float32)

    def follow(self, part: Part) -> dict[int, Disc]:
        """Find the disc in each look of a part, once holes in its background are mended."""
        found: dict[int, Disc] = {}
        for _ in range(_MOST_GHOSTS):
            discs = [disc for sample in part.looks for disc in self._find(part, sample)]
            edges = [self._edge_ratio(part, disc) for disc in discs]
            found = {}
            for disc, edge in zip(discs, edges, strict=True):
                if edge > 1:
                    found.setdefault(disc.sample, disc)
            holes = [d for d, edge in zip(discs, edges, strict=True) if edge < _GHOST_EDGE]
            hole = next((hole for hole in holes if _stays(hole, holes)), None)
            if hole is None:
                break
            self._mend(part, hole)
        return found

    def _find(self, part: Part, sample: int) -> list[Disc]:
        """Up to two discs, the plainest first."""
        gap = part.gap(sample).astype(np.float32)
        if not gap.any():
            return []
        inside, outside = self._sum(gap, self._disc), self._sum(gap, self._ring)
        fill, leak = inside / self._inside, outside / self._round
        # Of what is inside and not of its share: beyond the picture's rim there is nothing.
        empty = _EMPTY_SHARE * self._usual * (self._inside - inside)
        score, found = (inside - self._ratio * outside - empty) / self._most, []
        left = score.copy()
        for _ in range(2):
            _, _, _, (x, y) = cv2.minMaxLoc(left)
            if fill[y, x] < _LEAST_FILL or leak[y, x] > _LEAK_SHARE * fill[y, x]:
                break
            middle = self._told(score, x, y, float(inside[y, x]) / self._most)
            if middle is not None:
                found.append(Disc(sample, *middle, self._radius, float(fill[y, x])))
            reach = int(2 * self._radius)
            left[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = -1
        return found

    def _told(self, score: Floats, x: int, y: int, fill: float) -> tuple[float, float] | None:
        """A place between pixels, unless others as good lie far away from it."""
        reach = int(self._radius)
        top, left = max(y - reach, 0), max(x - reach, 0)
        near = score[top : y + reach + 1, left : x + reach + 1]
        rows, columns = np.nonzero(near >= score[y, x] - (1 - _TOLD_SHARE) * fill)
        if max(np.ptp(rows), np.ptp(columns)) > 2 * _TOLD_PX:
            return None
        return x + vertex(-score[y], x), y + vertex(-score[:, x], y)

    def _edge(self, picture: Gray, disc: Disc) -> float:
        """Mean edge of a picture across a circle, grey levels."""
        turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        radii = self._radius + np.array([-_STEP_PX, 0, _STEP_PX])
        x = (disc.x + radii[:, None] * np.cos(turns)).astype(np.float32)
        y = (disc.y + radii[:, None] * np.sin(turns)).astype(np.float32)
        rings = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        height, width = picture.shape
        seen = ((x >= 0) & (y >= 0) & (x < width) & (y < height)).all(0)
        steps = np.abs(np.diff(rings.astype(np.float32), axis=0)).sum(0)
        return float(steps[seen].mean()) if seen.any() else 0.0

    def _edge_ratio(self, part: Part, disc: Disc) -> float:
        """Over 1 for a disc, under 1 for the hole that one left in the background."""
        shown = self._edge(part.looks[disc.sample], disc)
        return (shown + 1) / (self._edge(part.behind, disc) + 1)

    def _mend(self, part: Part, ghost: Disc) -> None:
        """Put what is shown where a hole is into the background."""
        rows, columns = np.indices(part.behind.shape)
        hole = np.hypot(columns - ghost.x, rows - ghost.y) <= self._radius + _STEP_PX
        part.behind[hole] = part.looks[ghost.sample][hole]
