"""Where the pointer is and when it is seen, tied to the phrases that are said."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.cursors import snapped
from benchmarks.lectures.motion import Move, Point, loop, positions, stroke, stroke_seconds, tremor
from benchmarks.lectures.spec import LectureSpec
from benchmarks.lectures.timeline import Phrase, Said, Timeline

APPEAR_S = 0.5
LINGER_S = 0.3


@dataclass(frozen=True)
class Pointing:
    """The pointer at every frame.

    Attributes:
        xy_px: (n, 2) float64, the tip, multiples of 1/8 px.
        visible: (n,) bool.
    """

    xy_px: NDArray[np.float64]
    visible: NDArray[np.bool_]


def point(spec: LectureSpec, timeline: Timeline, t_s: NDArray[np.float64]) -> Pointing:
    """Move the pointer through a lecture.

    Args:
        spec: The lecture; its seed is the only source of noise.
        timeline: When each phrase is said.
        t_s: (n,) times of the frames.

    Returns:
        Tip and visibility at each time.
    """
    rng = np.random.default_rng(spec.seed)
    home = (rng.uniform(0.55, 0.9) * spec.width_px, rng.uniform(0.75, 0.88) * spec.height_px)
    start: Point = (snapped(home[0]), snapped(home[1]))
    moves, at, free_s = [], start, 0.0
    for said in timeline.said:
        if not said.line.pointer:
            continue
        if said.rolled_until_s is not None:
            moves.append(_drift(spec, max(said.start_s, free_s), said.rolled_until_s, at, rng))
            free_s = said.rolled_until_s
        for phrase in said.phrases:
            added, at, free_s = _gesture(spec, phrase, at, free_s, rng)
            moves += added
        if said.line.park is not None:
            x, y = said.line.park
            target = (snapped(x * spec.width_px), snapped(y * spec.height_px))
            leave = max(
                free_s + 0.1, said.phrases[-1].end_s + 0.3 if said.phrases else said.start_s
            )
            length = stroke_seconds(at, target, spec.width_px, rng)
            moves.append(Move(leave, leave + length, stroke(at, target, rng)))
            at, free_s = target, leave + length
    xy = np.round(positions(moves, start, t_s) * 8) / 8
    visible = _visible(timeline.said, moves, t_s)
    inside = (xy >= 0).all(1) & (xy[:, 0] < spec.width_px) & (xy[:, 1] < spec.height_px)
    return Pointing(xy, visible & inside)


def _drift(
    spec: LectureSpec, start_s: float, end_s: float, at: Point, rng: np.random.Generator
) -> Move:
    """Return the small movement of a hand that rolls through a stack."""
    return Move(start_s, end_s, tremor(at, 0.02 * spec.width_px, end_s - start_s, rng))


def _gesture(
    spec: LectureSpec, phrase: Phrase, at: Point, free_s: float, rng: np.random.Generator
) -> tuple[list[Move], Point, float]:
    """Return the moves for one phrase, where they end, and when."""
    x0, y0, x1, y1 = phrase.box_px
    arrive = phrase.start_s - rng.uniform(0.2, 0.4)
    turn, target = None, ((x0 + x1) / 2, (y0 + y1) / 2)
    stay_s = phrase.end_s + rng.uniform(0.2, 0.4)
    if phrase.gesture == "circle":
        big = (x1 - x0) / spec.width_px
        loops = max(1, round((stay_s - arrive) / (0.7 + 1.2 * big)))
        turn, target = loop(phrase.box_px, at, loops, rng)
    moves = []
    if np.hypot(target[0] - at[0], target[1] - at[1]) > 1:
        length = stroke_seconds(at, target, spec.width_px, rng)
        leave = max(arrive - length, free_s)
        arrive = max(arrive, leave + 0.2)
        moves.append(Move(leave, arrive, stroke(at, target, rng)))
    if turn is not None:
        moves.append(Move(arrive, stay_s, turn))
        x, y = turn(np.ones(1))[0]
        target = (float(x), float(y))
    elif moves:
        shake = tremor(target, 0.0015 * spec.width_px, stay_s - arrive, rng)
        moves.append(Move(arrive, stay_s, shake))
    return moves, target, stay_s


def _visible(said: list[Said], moves: list[Move], t_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return when the pointer is seen: from before a pointed line until its gestures are over."""
    seen = np.zeros(len(t_s), np.bool_)
    for k, each in enumerate(said):
        if not each.line.pointer:
            continue
        start, end = each.start_s - APPEAR_S, each.end_s + LINGER_S
        follower = said[k + 1] if k + 1 < len(said) else None
        limit = t_s[-1] + 1 if follower is None else follower.start_s
        ends = [move.end_s for move in moves if each.start_s - 1 < move.start_s < limit]
        if follower is not None and follower.line.pointer:
            end = follower.start_s
        elif ends:
            end = max(end, min(max(ends) + 0.2, limit))
        seen |= (t_s >= start) & (t_s < end)
    return seen
