"""When everything happens: lines, words, phrases, slides, slices."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.slides import Painter
from benchmarks.lectures.spec import Box, LectureSpec, Line, MarkedPhrase, read_line
from benchmarks.lectures.speech import RATE_HZ, Spoken, speak

SCROLL_STEP_S = 0.16


@dataclass(frozen=True)
class Word:
    """A word and when it is heard, seconds from the start of the video."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Phrase:
    """A pointed phrase and the box of what it points at, frame pixels."""

    text: str
    start_s: float
    end_s: float
    box_px: Box
    gesture: str
    negated: bool


@dataclass(frozen=True)
class Said:
    """One line in time."""

    line: Line
    slide: int
    start_s: float
    end_s: float
    phrases: tuple[Phrase, ...]
    rolled_until_s: float | None = None


@dataclass(frozen=True)
class Shown:
    """From `start_s` on, a slide and slice are on the screen; a fade takes the first `fade_s`."""

    start_s: float
    slide: int
    at_slice: int
    fade_s: float = 0.0


@dataclass
class Timeline:
    """A lecture laid out in time."""

    said: list[Said] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    text: str = ""
    aligned: bool = True
    duration_s: float = 0.0
    sound: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))


def lay_out(spec: LectureSpec, painter: Painter) -> Timeline:
    """Speak the script and place every line, word, phrase and slide change in time."""
    lines = [(index, line) for index, slide in enumerate(spec.slides) for line in slide.lines]
    read = [read_line(line.text) for _, line in lines]
    spoken = speak([(text, words) for text, words, _ in read], spec.speech, spec.seed)
    out = Timeline(text=" ".join(text for text, _, _ in read))
    out.aligned = all(each.aligned for each in spoken)
    at, here, at_slice = spec.lead_in_s, -1, 0
    for (index, line), (_, words, marks), voice in zip(lines, read, spoken, strict=True):
        if index != here:
            at, at_slice = _change(out, spec, index, at), 0
            here = index
        rolled_until_s = None
        if line.scroll_to is not None:
            rolled_until_s = _scroll(out, index, at_slice, line.scroll_to, at)
            at_slice = line.scroll_to
        times = [(at + start, at + end) for start, end in voice.words]
        out.words += [Word(w, *span) for w, span in zip(words, times, strict=True)]
        boxes = [painter.region_px(index, at_slice, mark.region) for mark in marks]
        phrases = tuple(map(_placed, marks, boxes, [times] * len(marks)))
        out.said.append(Said(line, index, times[0][0], times[-1][1], phrases, rolled_until_s))
        at = max(at, (rolled_until_s or 0) - len(voice.samples) / RATE_HZ)
        at += len(voice.samples) / RATE_HZ + line.pause_s
    out.duration_s = at + spec.tail_s
    out.sound = _mixed(out, spoken)
    return out


def _placed(mark: MarkedPhrase, box_px: Box, times: list[tuple[float, float]]) -> Phrase:
    """Put a marked phrase in time."""
    start_s, end_s = times[mark.first_word][0], times[mark.last_word][1]
    return Phrase(mark.text, start_s, end_s, box_px, mark.gesture, mark.negated)


def _change(out: Timeline, spec: LectureSpec, index: int, at: float) -> float:
    """Put a slide change at `at`; return when its first line may start."""
    if not out.shown:
        out.shown.append(Shown(0.0, index, 0))
        return at
    fade = spec.fade_s if spec.slides[index].enter == "fade" else 0.0
    out.shown.append(Shown(at, index, 0, fade))
    return at + fade + 0.6


def _scroll(out: Timeline, index: int, first: int, last: int, at: float) -> float:
    """Roll from one slice to another, one a step, from shortly after `at`; return the end."""
    way = 1 if last > first else -1
    for k, at_slice in enumerate(range(first + way, last + way, way)):
        out.shown.append(Shown(at + 0.3 + k * SCROLL_STEP_S, index, at_slice))
    return at + 0.3 + abs(last - first) * SCROLL_STEP_S


def _mixed(out: Timeline, spoken: list[Spoken]) -> NDArray[np.int16]:
    """Return the sound of the whole lecture."""
    sound = np.zeros(round(out.duration_s * RATE_HZ), np.int16)
    for said, voice in zip(out.said, spoken, strict=True):
        first = round((said.start_s - voice.words[0][0]) * RATE_HZ)
        sound[first : first + len(voice.samples)] = voice.samples
    return sound
