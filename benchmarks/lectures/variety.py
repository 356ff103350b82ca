"""Random short lectures for tests: other pictures, cursors and colours than the bundled ones."""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.lectures.pictures import picture
from benchmarks.lectures.spec import Box, Cursor, LectureSpec, Line, Slide, read_line
from benchmarks.lectures.speech import RATE_HZ, silent

PICTURES = ("head_ct", "echo", "node", "cell", "stroma", "fundus_macula")
CURSORS = (
    ("arrow", "white"),
    ("arrow", "black"),
    ("hand", "white"),
    ("hand", "black"),
    ("cross", "white"),
    ("cross", "black"),
    ("laser", "red"),
    ("laser", "green"),
)
_POINTED = (
    "Here is {the bright area|R|G}.",
    "Look at {this dark spot|R|G}.",
    "We can see {a thin border|R|G}.",
    "There is {no sign of fluid|R|G!}.",
    "Follow {the outer wall|R|G} around.",
    "Compare it with {the normal tissue|R|G} beside it.",
)
_HIDDEN = (
    "Take a moment to look.",
    "We come back to this later.",
    "Think of the age of the patient.",
)
_BRIEF = "See {this spot|R|G}."
_ROLL = "Now we go through the images."
_LEAD_S, _END_S, _CHANGE_S = 0.8, 0.6, 0.6


@dataclass
class _Draft:
    """Slides so far and the time they take."""

    left_s: float
    slides: list[Slide] = field(default_factory=list)
    lines: int = 0


def random_spec(
    seed: int,
    *,
    width_px: int = 640,
    height_px: int = 360,
    fps: int = 25,
    duration_s: float = 12.0,
    speech: str = "none",
    crf: int | None = None,
    preset: str = "veryfast",
    pictures: tuple[str, ...] = PICTURES,
    cursors: tuple[tuple[str, str], ...] = CURSORS,
) -> LectureSpec:
    """Draw a varied lecture.

    `duration_s` (at least 3) is exact with `speech="none"` and about right with "piper". `pictures`
    are names of the registry, `cursors` pairs of kind and colour to draw from; `crf` is drawn from
    26 to 34 if None. About a quarter of the lines is said without pointer.
    """
    rng = np.random.default_rng([seed, 7919])
    bar_px = 2 * round(0.035 * height_px) if rng.random() < 0.25 else 0
    fade_s = float(rng.choice([0.4, 0.6, 1.0]))
    slides, left_s = _slides(rng, duration_s, fade_s, pictures, cursors, height_px)
    return LectureSpec(
        name=f"random-{seed}",
        title=f"Random lecture {seed}",
        slides=slides,
        seed=seed + 1000,
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        crf=int(rng.integers(26, 35)) if crf is None else crf,
        preset=preset,
        letterbox_px=bar_px,
        speech=speech,
        lead_in_s=_LEAD_S,
        fade_s=fade_s,
        tail_s=max(left_s, 0.0) + _END_S,
    )


def _slides(
    rng: np.random.Generator,
    duration_s: float,
    fade_s: float,
    pictures: tuple[str, ...],
    cursors: tuple[tuple[str, str], ...],
    height_px: int,
) -> tuple[tuple[Slide, ...], float]:
    """Draw slides until the time is up; return them and the seconds left."""
    if duration_s < 3:
        raise ValueError(f"a lecture needs 3 s, not {duration_s}")
    draft = _Draft(duration_s - _LEAD_S - _END_S)
    last = ""
    while not draft.slides or draft.left_s > 3.2 + fade_s:
        name = str(rng.choice([each for each in pictures if each != last] or list(pictures)))
        cursor = _cursor(rng, cursors, height_px)
        draft.slides.append(_slide(draft, name, cursor, fade_s, rng))
        last = name
    return tuple(draft.slides), draft.left_s


def _cursor(
    rng: np.random.Generator, cursors: tuple[tuple[str, str], ...], height_px: int
) -> Cursor:
    """Draw a cursor; sizes 16 to 48 px at 720 lines, never under 16."""
    kind, colour = cursors[int(rng.integers(len(cursors)))]
    size = float(rng.uniform(16, 48)) * max(height_px / 720, 0.6)
    return Cursor(kind, colour, round(max(size, 16.0), 1))


def _slide(
    draft: _Draft, name: str, cursor: Cursor, fade_s: float, rng: np.random.Generator
) -> Slide:
    """Draw one slide and take its time from the draft."""
    enter = "fade" if draft.slides and rng.random() < 0.5 else "cut"
    if draft.slides:
        draft.left_s -= _CHANGE_S + (fade_s if enter == "fade" else 0)
    titled = bool(rng.random() < 0.6)
    left = float(rng.choice([0.03, 0.25, 0.38]))
    return Slide(
        picture=name,
        place=(left, 0.14 if titled else 0.04, left + 0.58, 0.97),
        lines=_lines(draft, name, rng),
        title=name.replace("_", " ").capitalize() if titled else "",
        notes=("First", "Second") if left < 0.1 else (),
        notes_at=(0.7, 0.4),
        background=str(rng.choice(["white", "dark", "textured"])),
        enter=enter,
        cursor=cursor,
    )


def _lines(draft: _Draft, name: str, rng: np.random.Generator) -> tuple[Line, ...]:
    """Draw lines until the slide is full or the time is up; the first is always pointed."""
    lines: list[Line] = []
    wanted, slices, at_slice = int(rng.integers(2, 5)), picture(name).slices, 0
    for k in range(wanted):
        pause_s = round(float(rng.uniform(0.3, 0.8)), 2)
        if slices > 1 and k % 2 and at_slice + 8 < slices:
            at_slice += int(rng.integers(5, 9))
            line = Line(_ROLL, scroll_to=at_slice, pause_s=pause_s)
        elif k and (draft.lines + k) % 4 == 2:
            line = Line(str(rng.choice(_HIDDEN)), pointer=False, pause_s=pause_s)
        else:
            line = Line(_pointed(rng, str(rng.choice(_POINTED))), pause_s=pause_s)
        if _takes_s(line) > draft.left_s:
            if lines:
                break
            line = Line(_pointed(rng, _BRIEF), pause_s=0.3)
        draft.left_s -= _takes_s(line)
        lines.append(line)
    draft.lines += len(lines)
    return tuple(lines)


def _takes_s(line: Line) -> float:
    _, words, _ = read_line(line.text)
    return len(silent(words).samples) / RATE_HZ + line.pause_s


def _pointed(rng: np.random.Generator, text: str) -> str:
    """Give a pointed line a region and a gesture."""
    gesture = "circle" if rng.random() < 0.7 else "dwell"
    wide, tall = rng.uniform(0.2, 0.45, 2) if gesture == "circle" else (0.11, 0.11)
    x, y = rng.uniform(0.04, 0.96 - wide), rng.uniform(0.04, 0.96 - tall)
    box: Box = (x, y, x + wide, y + tall)
    region = ",".join(f"{edge:.3f}" for edge in box)
    return text.replace("|R|", f"|{region}|").replace("|G", f"|{gesture}")
