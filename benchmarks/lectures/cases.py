"""Lectures that show one given picture a slide and point at it while one sentence is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.lectures.spec import Cursor, LectureSpec, Line, Slide
from benchmarks.lectures.variety import CURSORS

_VOICE = 5  # one for all: a sentence that two lectures share is spoken once


@dataclass(frozen=True)
class Case:
    """A picture and what the teacher says about it.

    Attributes:
        picture: Its file.
        sentence: What is said.
        pointed: The words of the sentence during which the pointer is over the picture.
    """

    picture: Path
    sentence: str
    pointed: str


def case_lecture(
    number: int,
    cases: Sequence[Case],
    *,
    width_px: int = 480,
    height_px: int = 360,
    fps: int = 15,
    crf: int = 22,
) -> LectureSpec:
    """A lecture that goes through cases: a cut, a sentence, a short silence.

    Args:
        number: Names the lecture, chooses its pointer and seeds the places.
        cases: In order.
        width_px: Frame width, even.
        height_px: Frame height, even.
        fps: Frames a second.
        crf: Constant rate factor of x264.
    """
    random = np.random.default_rng([number, 4211])
    kind, colour = CURSORS[number % len(CURSORS)]
    cursor = Cursor(kind, colour, round(float(random.uniform(16, 26)), 1))
    return LectureSpec(
        name=f"cases-{number:03d}",
        title=f"Cases {number}",
        slides=tuple(_slide(case, cursor, random) for case in cases),
        seed=_VOICE,
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        crf=crf,
    )


def _slide(case: Case, cursor: Cursor, random: np.random.Generator) -> Slide:
    return Slide(
        picture=str(case.picture),
        place=(0.0, 0.0, 1.0, 1.0),
        lines=(Line(_marked(case, random)),),
        background="dark",
        cursor=cursor,
    )


def _marked(case: Case, random: np.random.Generator) -> str:
    """The sentence with a gesture over a random place of the picture at the pointed words."""
    gesture = "circle" if random.random() < 0.7 else "dwell"
    wide, tall = random.uniform(0.2, 0.45, 2)
    x, y = random.uniform(0.05, 0.95 - wide), random.uniform(0.05, 0.95 - tall)
    region = f"{x:.3f},{y:.3f},{x + wide:.3f},{y + tall:.3f}"
    mark = f"{{{case.pointed}|{region}|{gesture}}}"
    return case.sentence.replace(case.pointed, mark, 1)
