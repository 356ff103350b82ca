"""Sentences with marks: what a reader of a teacher's speech should find in them."""

import re
from dataclasses import dataclass
from pathlib import Path

from medpipe.records import Transcript, Word

HERE = Path(__file__).parent
_MARK = re.compile(r"\{(?P<kind>[-+?])(?P<said>[^}]+)\}|\[(?P<pointed>[^]]+)\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """Words `first:end` of a sentence.

    Attributes:
        kind: `+` there, `-` absent, `?` possible or of another time, person or condition, or
            nothing where all that counts is that a pointer may show it.
        noun: What "here" stands for, or nothing.
    """

    first: int
    end: int
    kind: str = ""
    noun: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A sentence without its marks, and the marks."""

    text: str
    marks: tuple[Mark, ...]


def marked_sentences(path: Path) -> list[Marked]:
    """Read a file of marked sentences, one a line; lines that start with `#` are notes."""
    lines = path.read_text("utf-8").splitlines()
    return [_marked(line) for line in lines if line and not line.startswith("#")]


def talk(path: Path) -> list[tuple[str, str]]:
    """Read lines of a code and a sentence parted by a tab; `teach` is no small talk."""
    lines = path.read_text("utf-8").splitlines()
    return [(code, said) for code, said in (line.split("\t") for line in lines)]


def transcript(text: str) -> Transcript:
    """A text as if heard at two words a second."""
    words = tuple(
        Word(text=each, start_s=k / 2, end_s=k / 2 + 0.25, probability=0.9)
        for k, each in enumerate(text.split())
    )
    length_s = len(words) / 2
    return Transcript(
        language="en", duration_s=length_s, speech_s=length_s, model="typed", words=words,
        segments=(),
    )  # fmt: skip


def _marked(line: str) -> Marked:
    text, marks, at = "", [], 0
    for match in _MARK.finditer(line):
        text += line[at : match.start()]
        said, _, noun = (match["said"] or match["pointed"]).partition("=")
        first = len(text.split())
        text += said
        marks.append(Mark(first, len(text.split()), match["kind"] or "", noun))
        at = match.end()
    return Marked(text + line[at:], tuple(marks))
