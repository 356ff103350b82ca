"""Narrations with known regions: words, a pointer's path and what it was meant to show.

Draws no pixel: a teacher with habits speaks phrases and points at regions of an image, and what a
recogniser and an extractor would have made of it comes out, with their errors. Imports nothing from
medpipe, shares no constants with it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Way = NDArray[np.float64]

GESTURES = ("circle", "small circle", "park", "sweep", "underline", "two places", "list", "absent")
HABITS = ("before", "during", "after")
RATE_HZ = 15.0
_SPEAKING_S = 0.33  # a word


@dataclass
class Said:
    """One phrase.

    Attributes:
        first_word: Into the narration's words, as is end_word.
        regions: Boxes (x0, y0, x1, y1), shares of the image, that the teacher meant.
        start_s: True time, as is end_s.
    """

    gesture: str
    first_word: int
    end_word: int
    regions: list[Box]
    start_s: float
    end_s: float

    @property
    def negated(self) -> bool:
        """Whether the sentence says that it is not there."""
        return self.gesture == "absent"


@dataclass
class Narration:
    """What one teacher said and did over one image.

    Attributes:
        habit: Whether the pointer comes before, during or after the words.
        noise_s: Standard deviation of the recogniser's word times.
        shift_s: How much too late all word times are.
        words: (text, start, end) as recognised.
        sentences: (first word, end word).
        trace: (n, 3) seconds, x, y; shares of the image.
        height_per_width: Of the image.
    """

    habit: str
    noise_s: float
    shift_s: float
    height_per_width: float
    duration_s: float
    words: list[tuple[str, float, float]]
    sentences: list[tuple[int, int]]
    phrases: list[Said]
    trace: Way
    seed: int = 0


@dataclass
class _Hand:
    """The pointer while the lecture goes on: knots of a path on a fine clock."""

    rng: np.random.Generator
    tall: float
    at: tuple[float, float] = (0.5, 0.5)
    now_s: float = 0.0
    pieces: list[Way] = field(default_factory=list)

    def go(self, to: tuple[float, float], until_s: float) -> None:
        """Be at a place by a time, along a smooth stroke that starts as late as it can."""
        away = float(np.hypot(to[0] - self.at[0], (to[1] - self.at[1]) * self.tall))
        length_s = min(0.22 + 0.55 * away + self.rng.uniform(0, 0.1), until_s - self.now_s)
        if length_s < 0.08:
            until_s, length_s = self.now_s + 0.12, 0.12
        self.rest(until_s - length_s)
        t = np.linspace(0, 1, max(int(length_s * 60), 2))
        s = 10 * t**3 - 15 * t**4 + 6 * t**5
        bow = self.rng.normal(0, 0.06) * away * np.sin(np.pi * t)
        x = self.at[0] + s * (to[0] - self.at[0]) + bow
        y = self.at[1] + s * (to[1] - self.at[1]) - bow
        self._add(self.now_s + t * length_s, x, y)

    def rest(self, until_s: float) -> None:
        """Stay, with a hand's tremor."""
        length_s = until_s - self.now_s
        if length_s <= 0.02:
            return
        t = np.linspace(0, length_s, max(int(length_s * 30), 2))
        walk = np.cumsum(self.rng.normal(0, 0.0004, (2, len(t))), axis=1)
        self._add(self.now_s + t, self.at[0] + walk[0], self.at[1] + walk[1])

    def follow(self, xy: Way, until_s: float) -> None:
        """Run along points, evenly in time."""
        t = np.linspace(self.now_s, max(until_s, self.now_s + 0.2), len(xy))
        self._add(t, xy[:, 0], xy[:, 1])

    def _add(self, t: Way, x: Way, y: Way) -> None:
        self.pieces.append(np.stack([t, np.clip(x, 0, 1), np.clip(y, 0, 1)], axis=1))
        self.at, self.now_s = (float(x[-1]), float(y[-1])), float(t[-1])


def narration(
    seed: int, *, phrases: int = 12, shift_s: float = 0.0, habit: str | None = None
) -> Narration:
    """Draw one narration.

    Args:
        seed: The only source of chance; another shift brings other errors of the word times, too.
        phrases: How many are pointed at.
        shift_s: Added to all recognised word times.
        habit: One of `HABITS`; drawn if None.
    """
    rng = np.random.default_rng(seed)
    habit = habit or str(rng.choice(HABITS))
    tall = float(rng.choice([0.5625, 0.75, 1.0]))
    noise_s = float(rng.uniform(0.06, 0.2))
    hand = _Hand(rng, tall)
    clock = rng.uniform(1, 3)
    words: list[tuple[str, float, float]] = []
    sentences: list[tuple[int, int]] = []
    said: list[Said] = []
    while len(said) < phrases:
        first = len(words)
        gesture = str(rng.choice(GESTURES))
        many = int(rng.integers(3, 5)) if gesture == "list" else 1
        clock = _speak(words, clock, int(rng.integers(1, 5)), rng)
        for _ in range(many):
            clock = _phrase(gesture, habit, words, said, clock, hand, rng)
        if rng.random() < 0.6:
            clock = _speak(words, clock, int(rng.integers(1, 6)), rng)
        sentences.append((first, len(words)))
        clock += rng.uniform(0.25, 1.4)
        if rng.random() < 0.25:
            clock = _aside(words, sentences, clock, hand, rng)
    hand.rest(clock + 1.0)
    again = np.random.default_rng((seed, 50_000 + round(shift_s * 1000)))
    heard = _recognised(words, noise_s, shift_s, again)
    trace = _extracted(np.concatenate(hand.pieces), rng)
    return Narration(
        habit, noise_s, shift_s, tall, clock + 2.0, heard, sentences, said, trace, seed
    )


def _speak(
    words: list[tuple[str, float, float]], clock: float, count: int, rng: np.random.Generator
) -> float:
    for _ in range(count):
        length_s = _SPEAKING_S * rng.uniform(0.5, 1.5)
        words.append((f"w{len(words)}", clock, clock + length_s))
        clock += length_s + rng.uniform(0.0, 0.08)
    return clock


def _aside(
    words: list[tuple[str, float, float]],
    sentences: list[tuple[int, int]],
    clock: float,
    hand: _Hand,
    rng: np.random.Generator,
) -> float:
    """A sentence without any pointing, while the hand does this or that."""
    first = len(words)
    clock = _speak(words, clock, int(rng.integers(4, 10)), rng)
    sentences.append((first, len(words)))
    if rng.random() < 0.5:
        away = (float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.05, 0.95)))
        hand.go(away, max(clock - 0.5, hand.now_s + 0.4))
    return clock + rng.uniform(0.3, 1.0)


def _phrase(
    gesture: str,
    habit: str,
    words: list[tuple[str, float, float]],
    said: list[Said],
    clock: float,
    hand: _Hand,
    rng: np.random.Generator,
) -> float:
    first, start_s = len(words), clock
    count = {"two places": 4, "list": 2}.get(gesture, int(rng.integers(1, 4)))
    end_s = _speak(words, clock, count, rng)
    spoken = words[-1][2]
    early = {"before": (-0.8, -0.3), "during": (-0.3, 0.0), "after": (0.15, 0.5)}[habit]
    late = {"before": (-0.1, 0.3), "during": (0.1, 0.4), "after": (0.4, 0.9)}[habit]
    comes = max(start_s + rng.uniform(*early), hand.now_s + 0.25)
    goes = max(spoken + rng.uniform(*late), comes + (0.45 if gesture == "list" else 0.7))
    places = 2 if gesture == "two places" else 1
    regions = []
    for k in range(places):
        region = _region(gesture, hand, rng)
        share = comes + (goes - comes) * (k + 1) / places
        _point(gesture, region, comes if k == 0 else hand.now_s + 0.3, share, hand, rng)
        regions.append(region)
    said.append(Said(gesture, first, len(words), regions, start_s, spoken))
    return max(end_s, hand.now_s - rng.uniform(0.3, 0.8))


def _region(gesture: str, hand: _Hand, rng: np.random.Generator) -> Box:
    """A region away from where the hand is."""
    wide, high = rng.uniform(0.1, 0.35), rng.uniform(0.1, 0.35)
    if gesture == "small circle":
        wide, high = rng.uniform(0.03, 0.07), rng.uniform(0.03, 0.07)
    elif gesture in ("sweep", "underline"):
        wide, high = rng.uniform(0.2, 0.45), rng.uniform(0.04, 0.09)
    elif gesture in ("two places", "list"):
        wide, high = rng.uniform(0.06, 0.2), rng.uniform(0.06, 0.2)
    high = min(high / hand.tall, 0.6)
    for _ in range(20):
        x = rng.uniform(wide / 2 + 0.03, 0.97 - wide / 2)
        y = rng.uniform(high / 2 + 0.03, 0.97 - high / 2)
        if np.hypot(x - hand.at[0], (y - hand.at[1]) * hand.tall) > 0.15 + wide / 2:
            break
    return (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)


def _point(
    gesture: str, region: Box, comes: float, goes: float, hand: _Hand, rng: np.random.Generator
) -> None:
    x0, y0, x1, y1 = region
    wide, high = x1 - x0, y1 - y0
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    if gesture == "park":
        spot = rng.uniform(-0.25, 0.25, 2)
        hand.go((middle[0] + spot[0] * wide, middle[1] + spot[1] * high), comes)
        hand.rest(goes)
        return
    if gesture in ("sweep", "underline"):
        level = middle[1] if gesture == "sweep" else y1 + 0.01 / hand.tall
        runs = max(round((goes - comes) / 0.9), 1)
        s = np.linspace(0, runs, 40 * runs)
        to = 0.5 - 0.5 * np.cos(np.pi * s)
        sway = rng.normal(0, 0.006, 2)
        xy = np.stack([x0 + to * wide, level + sway[0] * np.sin(3 * s) + sway[1]], axis=1)
    else:
        loops = max((goes - comes) / rng.uniform(0.6, 1.1), 1.05)
        turn = np.linspace(0, 2 * np.pi * loops, int(50 * loops)) * rng.choice([-1, 1])
        turn += rng.uniform(0, 2 * np.pi)
        size = rng.uniform(0.88, 1.08) + 0.06 * np.sin(0.37 * turn + rng.uniform(0, 6))
        xy = np.stack(
            [
                middle[0] + 0.5 * wide * size * np.cos(turn),
                middle[1] + 0.5 * high * size * np.sin(turn),
            ],
            axis=1,
        )
    hand.go((float(xy[0, 0]), float(xy[0, 1])), comes)
    hand.follow(xy, goes)


def _recognised(
    words: list[tuple[str, float, float]], noise_s: float, shift_s: float, rng: np.random.Generator
) -> list[tuple[str, float, float]]:
    heard = []
    last = 0.0
    for text, start, end in words:
        a = max(start + rng.normal(0, noise_s) + shift_s, last, 0.0)
        b = max(end + rng.normal(0, noise_s) + shift_s, a + 0.04)
        heard.append((text, a, b))
        last = a
    return heard


def _extracted(path: Way, rng: np.random.Generator) -> Way:
    """Sample a path as an extractor would: noise, a few wrong points, gaps."""
    keep = np.concatenate([[True], np.diff(path[:, 0]) > 1e-9])
    path = path[keep]
    t = np.arange(path[0, 0], path[-1, 0], 1 / RATE_HZ)
    t = t + rng.uniform(0, 0.01, len(t))
    x, y = (np.interp(t, path[:, 0], path[:, k]) for k in (1, 2))
    x, y = (np.clip(v + rng.normal(0, 0.0015, len(t)), 0, 1) for v in (x, y))
    wrong = rng.random(len(t)) < 0.005
    x[wrong], y[wrong] = rng.random(wrong.sum()), rng.random(wrong.sum())
    seen = np.ones(len(t), bool)
    for start in np.flatnonzero(rng.random(len(t)) < 0.012):
        seen[start : start + int(rng.integers(2, 9))] = False
    return np.stack([t, x, y], axis=1)[seen]
