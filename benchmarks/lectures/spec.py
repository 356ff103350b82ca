"""What a lecture is made of: slides, lines, cursors, and the phrases marked in the lines."""

import re
from dataclasses import dataclass
from typing import Literal

Box = tuple[float, float, float, float]
Gesture = Literal["circle", "dwell"]

_MARK = re.compile(r"\{([^|{}]+)\|([^|{}]+)\|(circle|dwell)(!?)\}")
_EDGE = '.,;:!?"()'


@dataclass(frozen=True)
class Cursor:
    """One pointer: what it looks like and how tall it is.

    Attributes:
        kind: "arrow", "hand", "cross" or "laser".
        colour: "white" or "black" for arrow, hand and cross; "red" or "green" for a laser.
        size_px: Height of the arrow or hand, width of the cross, diameter of the laser's glow.
    """

    kind: str = "arrow"
    colour: str = "white"
    size_px: float = 24.0


@dataclass(frozen=True)
class Line:
    """One sentence of the teacher, with what the pointer does meanwhile.

    Attributes:
        text: The words. A pointed phrase is marked `{words|region|gesture}`: region is a name the
            picture knows or four shares of the picture `x0,y0,x1,y1`; gesture is `circle` (along
            the region's box) or `dwell` (rest at its centre); a trailing `!` says the phrase is
            negated.
        pointer: Whether the pointer is on the screen while the line is said.
        pause_s: Silence after the line.
        scroll_to: Slice of the stack to roll to, from the line's start on.
        park: Where the pointer goes to rest after the line's last phrase, shares of the frame.
    """

    text: str
    pointer: bool = True
    pause_s: float = 0.5
    scroll_to: int | None = None
    park: tuple[float, float] | None = None


@dataclass(frozen=True)
class Slide:
    """One slide: a picture at a place, words round it, and the lines said over it.

    Attributes:
        picture: Name in the picture registry, or path of a picture file.
        place: Where the picture goes, shares of the content area (x0, y0, x1, y1); the picture
            keeps its aspect and is centred in the place.
        lines: What is said.
        title: Words in the title bar, "" for no bar.
        notes: Bullet points, all there from the start.
        notes_at: Top left of the bullets, shares of the content area.
        background: "white", "dark" or "textured".
        enter: "cut", or "fade" for a cross-fade from the slide before.
        cursor: The pointer used on this slide.
    """

    picture: str
    place: Box
    lines: tuple[Line, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    notes_at: tuple[float, float] = (0.6, 0.25)
    background: str = "white"
    enter: str = "cut"
    cursor: Cursor = Cursor()


@dataclass(frozen=True)
class LectureSpec:
    """A whole lecture and how its video is coded.

    Attributes:
        name: Stem of the files.
        title: The lecture's name for people.
        slides: In order.
        seed: Source of all motion noise; also seeds the voice.
        width_px: Frame width, even.
        height_px: Frame height, even.
        fps: Frames per second, constant.
        crf: Constant rate factor of x264.
        preset: Preset of x264.
        letterbox_px: Height of the black bars above and below the content, even.
        speech: "piper", or "none" for silence with made-up word times.
        lead_in_s: Silence before the first line.
        fade_s: Length of a cross-fade.
        tail_s: Silence after the last line.
    """

    name: str
    title: str
    slides: tuple[Slide, ...]
    seed: int = 0
    width_px: int = 1280
    height_px: int = 720
    fps: int = 25
    crf: int = 32
    preset: str = "veryfast"
    letterbox_px: int = 0
    speech: str = "piper"
    lead_in_s: float = 0.8
    fade_s: float = 0.8
    tail_s: float = 0.8

    def __post_init__(self) -> None:
        """Refuse sizes that 4:2:0 video cannot hold."""
        if self.width_px % 2 or self.height_px % 2 or self.letterbox_px % 2:
            raise ValueError("width, height and letterbox must be even")


@dataclass(frozen=True)
class MarkedPhrase:
    """A pointed phrase of one line: its words by index, and what the pointer does.

    Attributes:
        text: The phrase without its mark.
        first_word: Index of its first word in the line.
        last_word: Index of its last word in the line.
        region: Region name, or four shares.
        gesture: "circle" or "dwell".
        negated: Whether the line says the thing is absent.
    """

    text: str
    first_word: int
    last_word: int
    region: str
    gesture: str
    negated: bool


def read_line(marked: str) -> tuple[str, list[str], list[MarkedPhrase]]:
    """Split a marked line.

    Args:
        marked: Text with marks as `Line.text` has them.

    Returns:
        The plain text, its words without punctuation, and the marked phrases in order.
    """
    plain, phrases, at = "", [], 0
    for found in _MARK.finditer(marked):
        plain += marked[at : found.start()]
        first = len(plain.split())
        words, region, gesture, negated = found.groups()
        plain += words
        last = len(plain.split()) - 1
        phrases.append(MarkedPhrase(words, first, last, region, gesture, bool(negated)))
        at = found.end()
    plain += marked[at:]
    if "{" in plain or "}" in plain:
        raise ValueError(f"a mark is not closed or not known in: {marked}")
    return plain, [word.strip(_EDGE) for word in plain.split()], phrases
