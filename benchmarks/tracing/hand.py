"""How a hand moves a pointer through a clip: gestures, rests, leaving, hiding."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.motion import Move, Path, loop, positions, stroke, stroke_seconds, tremor
from benchmarks.tracing.spec import ClipSpec, Xy

Span = tuple[float, float]


@dataclass(frozen=True)
class Track:
    """A pointer through time, on the recorded screen.

    Attributes:
        xy_px: (n, 2) float64, the tip.
        visible: (n,) bool; also False while the tip is off the screen.
        down: Spans of seconds in which a pen is down or a button is held.
        rests: Spans of seconds of at least 2 s in which it stands still.
    """

    xy_px: NDArray[np.float64]
    visible: NDArray[np.bool_]
    down: tuple[Span, ...]
    rests: tuple[Span, ...]


@dataclass
class _Plan:
    """Moves laid out so far."""

    rng: np.random.Generator
    size: Xy
    at: Xy
    t_s: float = 0.0
    moves: list[Move] = field(default_factory=list)
    hidden: list[Span] = field(default_factory=list)
    down: list[Span] = field(default_factory=list)
    rests: list[Span] = field(default_factory=list)

    def inside(self, rim: float = 0.08) -> Xy:
        """A place on the screen by lot."""
        x, y = self.rng.uniform(rim, 1 - rim, 2)
        return x * self.size[0], y * self.size[1]

    def near(self, reach: float) -> Xy:
        """A place not far from here."""
        x, y = np.array(self.at) + self.rng.uniform(-reach, reach, 2) * self.size[0]
        w, h = self.size
        return float(np.clip(x, 0.04 * w, 0.96 * w)), float(np.clip(y, 0.04 * h, 0.94 * h))

    def go(self, to: Xy, quick: float = 1.0) -> None:
        """One stroke to a place."""
        length = stroke_seconds(self.at, to, self.size[0], self.rng) * quick
        self._move(stroke(self.at, to, self.rng), length, to)

    def circle(self) -> None:
        """Turns round a box near here."""
        wide, tall = self.rng.uniform(0.08, 0.3, 2) * self.size[1]
        x, y = self.near(0.25)
        w, h = self.size
        x = float(np.clip(x, wide / 2 + 8, w - wide / 2 - 8))
        y = float(np.clip(y, tall / 2 + 8, h - tall / 2 - 8))
        box = (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)
        turns = int(self.rng.integers(1, 4))
        path, first = loop(box, self.at, turns, self.rng)
        self.go(first)
        last = path(np.ones(1))[0]
        self._move(
            path, turns * float(self.rng.uniform(0.8, 1.5)), (float(last[0]), float(last[1]))
        )

    def dwell(self, seconds: float) -> None:
        """Point at one place with a hand that is never quite still."""
        self._move(tremor(self.at, 0.003 * self.size[0], seconds, self.rng), seconds, self.at)

    def rest(self, seconds: float) -> None:
        """Let go of the mouse."""
        if seconds >= 2:
            self.rests.append((self.t_s, self.t_s + seconds))
        self.t_s += seconds

    def hide(self, seconds: float) -> None:
        """Be away and come back where it was or elsewhere."""
        self.hidden.append((self.t_s, self.t_s + seconds))
        self.t_s += seconds
        if self.rng.random() < 0.5:
            to = self.inside()
            self.moves.append(Move(self.t_s - 0.01, self.t_s, _jump(to)))
            self.at = to

    def _move(self, path: Path, seconds: float, to: Xy) -> None:
        self.moves.append(Move(self.t_s, self.t_s + seconds, path))
        self.t_s += seconds
        self.at = to


def track(spec: ClipSpec, t_s: NDArray[np.float64], lot: int = 0) -> Track:
    """Move a pointer through a clip.

    Args:
        spec: The clip.
        t_s: (n,) times of the frames, rising.
        lot: Another number, another path.
    """
    rng = np.random.default_rng([spec.lot, 101, lot])
    plan = _Plan(rng, spec.screen_px, (0.0, 0.0))
    plan.at = start = plan.inside()
    _MANNERS[spec.manner if not lot else "calm"](plan, spec.seconds)
    xy = positions(plan.moves, start, t_s)
    seen = np.ones(len(t_s), bool)
    for begin, end in plan.hidden:
        seen &= ~((t_s >= begin) & (t_s < end))
    w, h = spec.screen_px
    seen &= (xy >= 0).all(1) & (xy[:, 0] < w - 1) & (xy[:, 1] < h - 1)
    return Track(xy, seen, tuple(plan.down), tuple(plan.rests))


def _lecture(plan: _Plan, seconds: float) -> None:
    """Gestures, short rests, and now and then no pointer for a while."""
    if plan.rng.random() < 0.4:
        plan.hide(float(plan.rng.uniform(0.5, 1.5)))
    while plan.t_s < seconds:
        what = plan.rng.random()
        if what < 0.35:
            plan.circle()
        elif what < 0.55:
            plan.go(plan.inside())
            plan.dwell(float(plan.rng.uniform(0.5, 2.0)))
        elif what < 0.7:
            plan.go(plan.near(0.12))
            plan.rest(float(plan.rng.uniform(0.2, 1.6)))
        elif what < 0.8:
            plan.go(plan.inside(), quick=0.35)
            plan.rest(float(plan.rng.uniform(0.1, 0.5)))
        elif what < 0.88:
            _underline(plan)
        else:
            plan.hide(float(plan.rng.uniform(1.0, 2.2)))


def _underline(plan: _Plan) -> None:
    """To and fro below a line of text."""
    x, y = plan.near(0.2)
    far = min(x + plan.rng.uniform(0.1, 0.25) * plan.size[0], 0.96 * plan.size[0])
    plan.go((x, y))
    for _ in range(int(plan.rng.integers(1, 3))):
        plan.go((far, y))
        plan.go((x, y))


def _calm(plan: _Plan, seconds: float) -> None:
    """Slow strokes and rests, always seen."""
    while plan.t_s < seconds:
        plan.go(plan.near(0.2), quick=1.6)
        plan.rest(float(plan.rng.uniform(0.3, 1.8)))


def _park(plan: _Plan, seconds: float) -> None:
    """A gesture, then the hand off the mouse for most of the clip, then a gesture."""
    plan.go(plan.inside())
    plan.circle()
    plan.go(plan.inside(0.2))
    plan.rest(max(seconds - plan.t_s - 2.0, 2.0))
    plan.go(plan.inside())
    plan.dwell(5.0)


def _never_moves(plan: _Plan, seconds: float) -> None:
    """Parked from the first frame to the last."""
    plan.rest(seconds + 1)


def _leave(plan: _Plan, seconds: float) -> None:
    """Out over an edge, away for seconds, in again over another."""
    while plan.t_s < seconds:
        plan.circle()
        plan.go(_beyond(plan))
        plan.rest(float(plan.rng.uniform(1.0, 2.5)))
        away = _beyond(plan)
        plan.moves.append(Move(plan.t_s - 0.01, plan.t_s, _jump(away)))
        plan.at = away
        plan.go(plan.inside(0.2))


def _beyond(plan: _Plan) -> Xy:
    x, y = plan.inside()
    w, h = plan.size
    return [(-0.06 * w, y), (1.06 * w, y), (x, -0.08 * h), (x, 1.08 * h)][plan.rng.integers(4)]


def _typing(plan: _Plan, seconds: float) -> None:
    """Gestures, then hidden while keys are pressed."""
    while plan.t_s < seconds:
        plan.go(plan.inside())
        plan.dwell(float(plan.rng.uniform(0.4, 1.2)))
        plan.hide(float(plan.rng.uniform(1.8, 3.0)))


def _draw(plan: _Plan, seconds: float) -> None:
    """A pen: strokes with the pen down, moves with it up, rests."""
    while plan.t_s < seconds:
        plan.go(plan.near(0.25))
        start_s = plan.t_s
        if plan.rng.random() < 0.6:
            plan.circle()
        else:
            plan.go(plan.near(0.2), quick=2.0)
        plan.down.append((start_s, plan.t_s))
        plan.rest(float(plan.rng.uniform(1.2, 2.4)))


def _flick(plan: _Plan, seconds: float) -> None:
    """Quick jumps over the whole screen, as to a menu and back."""
    while plan.t_s < seconds:
        plan.go(plan.inside(), quick=0.3)
        plan.rest(float(plan.rng.uniform(0.3, 1.2)))


def _jump(to: Xy) -> Path:
    return lambda u: np.tile(np.array(to, np.float64), (len(u), 1))


_MANNERS: dict[str, Callable[[_Plan, float], None]] = {
    "lecture": _lecture,
    "calm": _calm,
    "park": _park,
    "never_moves": _never_moves,
    "leave": _leave,
    "typing": _typing,
    "draw": _draw,
    "flick": _flick,
}
