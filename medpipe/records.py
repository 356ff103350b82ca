"""The contracts between rooms: what an item, a video, a transcript, a scene and a trace are.

Time is seconds from the start of the video, by presentation stamps. Places are shares of the
clean image's width and height, origin top left, unless a name ends in `_px`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

ItemId = Annotated[str, Field(pattern=r"^(yt|pmc|http|file):[A-Za-z0-9_.-]{1,128}$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Numbers = Sequence[float] | NDArray[Any]


class Record(BaseModel):
    """Base of every record and every config: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Domain(StrEnum):
    """The twelve medical domains of the benchmark, and the rest."""

    XRAY = "xray"
    CT = "ct"
    MRI = "mri"
    ULTRASOUND = "ultrasound"
    HISTOPATHOLOGY = "histopathology"
    DERMATOLOGY = "dermatology"
    MAMMOGRAPHY = "mammography"
    ENDOSCOPY = "endoscopy"
    OPHTHALMOLOGY = "ophthalmology"
    SURGERY = "surgery"
    DENTAL = "dental"
    GENERAL = "general"
    OTHER = "other"


class PointerKind(IntEnum):
    """What drew a point of a trace; stored as int8."""

    UNKNOWN = 0
    ARROW = 1
    HAND = 2
    CROSS = 3
    TEXT_CURSOR = 4
    LASER = 5
    HALO = 6
    PEN = 7


class Item(Record):
    """One thing to curate: a video or an article, named by an id that no path leaks into.

    Attributes:
        id: `yt:<video id>`, `pmc:<id>`, `http:<hash of the URL>` or `file:<sha256 of it>`.
        uri: Where to fetch it: an absolute path or a URL.
        title: As the source names it, or None where it says nothing.
        channel: Who published it, or None.
        licence: As the source states it, or None.
    """

    id: ItemId
    uri: str = Field(min_length=1, max_length=4096)
    title: str | None = None
    channel: str | None = None
    licence: str | None = None

    @property
    def source(self) -> str:
        """The id's prefix: `yt`, `pmc`, `http` or `file`."""
        return self.id.split(":", 1)[0]


class Video(Record):
    """A fetched video on this worker's disk, probed and decoded a little.

    Attributes:
        item: What it was fetched for, with title, channel and licence filled in.
        path: Absolute path on the worker that fetched it; means nothing elsewhere.
        url: Public address it came from, or None for a local file.
        sha256: Of the file's bytes, 64 hex characters.
        fetched_at: UTC; kept out of every comparison of rows.
        duration_s: Of the longest stream.
        width_px: Of a decoded frame, before rotation and pixel aspect; as is height_px.
        frame_rate: Average frames a second as the container says; never used to tell time.
    """

    item: Item
    path: str
    url: str | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    fetched_at: datetime
    duration_s: Seconds
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    frame_rate: float = Field(gt=0)
    video_codec: str
    audio_codec: str


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A stretch of mono sound, cut at silence where there is one.

    Attributes:
        samples: (n,) int16, 16 kHz, mono.
        start_s: Presentation time of the first sample, seconds from the video's start.
    """

    SAMPLE_RATE_HZ: ClassVar[int] = 16_000

    samples: NDArray[np.int16]
    start_s: float

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.int16:
            raise ValueError(f"samples must be (n,) int16, got {self.samples.shape}")
        if not self.start_s >= 0:
            raise ValueError(f"start_s must be >= 0, got {self.start_s}")

    @property
    def duration_s(self) -> float:
        """Seconds of sound in the block."""
        return len(self.samples) / self.SAMPLE_RATE_HZ


class Word(Record):
    """One spoken word with its real time.

    Attributes:
        text: As heard, without surrounding blanks.
        start_s: Seconds from the video's start; as is end_s.
        probability: The recogniser's own, in [0, 1].
        suspect: Why the word is doubtful (`no_speech`, `loop`, `outside_vad`, ...), or None.
            A suspect word is kept for the record and never reaches a sample.
    """

    text: str
    start_s: Seconds
    end_s: Seconds
    probability: Share
    suspect: str | None = None


class Segment(Record):
    """A run of words as the recogniser grouped them: `words[first_word:end_word]`."""

    start_s: Seconds
    end_s: Seconds
    text: str
    first_word: int = Field(ge=0)
    end_word: int = Field(ge=0)


class Transcript(Record):
    """What was said in a video, as heard; nothing corrected.

    Attributes:
        language: ISO 639-1 code, or `und` when nothing was said.
        duration_s: Seconds of sound that were listened to.
        speech_s: Seconds of it that the voice detector called speech.
        model: Name and compute type of the recogniser.
        words: In order of time, suspect ones included.
        segments: Cover the words in order.
    """

    language: str
    language_probability: Share = 1.0
    duration_s: Seconds
    speech_s: Seconds
    model: str
    words: tuple[Word, ...]
    segments: tuple[Segment, ...]


class Box(Record):
    """An axis-parallel box in shares of the clean image, origin top left."""

    x0: Share
    y0: Share
    x1: Share
    y1: Share

    @model_validator(mode="after")
    def _ordered(self) -> "Box":
        if self.x1 < self.x0 or self.y1 < self.y0:
            raise ValueError(f"box corners out of order: {self}")
        return self

    @property
    def area(self) -> float:
        """Share of the image that the box covers."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The path of a pointer's tip, as five arrays of one length n.

    Attributes:
        t_s: (n,) float32, rising; seconds from the start of the scene or the video it is of.
        x: (n,) float32 in [0, 1], share of the width.
        y: (n,) float32 in [0, 1], share of the height.
        confidence: (n,) float32 in [0, 1].
        kind: (n,) int8, values of `PointerKind`.
    """

    t_s: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    confidence: NDArray[np.float32]
    kind: NDArray[np.int8]

    def __post_init__(self) -> None:
        n = len(self.t_s)
        for name in ("t_s", "x", "y", "confidence", "kind"):
            array = getattr(self, name)
            want = np.int8 if name == "kind" else np.float32
            if array.shape != (n,) or array.dtype != want:
                raise ValueError(f"{name} must be ({n},) {want.__name__}, got {array.shape}")
        if n and not (np.diff(self.t_s) >= 0).all():
            raise ValueError("t_s must not fall")
        for name, array in (("x", self.x), ("y", self.y), ("confidence", self.confidence)):
            if not ((array >= 0) & (array <= 1)).all():
                raise ValueError(f"{name} must lie in [0, 1]")

    def __len__(self) -> int:
        return len(self.t_s)

    @classmethod
    def empty(cls) -> "Trace":
        """A trace without points."""
        return cls.of([], [], [], [], [])

    @classmethod
    def of(
        cls, t_s: Numbers, x: Numbers, y: Numbers, confidence: Numbers, kind: Numbers
    ) -> "Trace":
        """Build a trace from anything that numpy can turn into five arrays of one length."""
        return cls(
            np.asarray(t_s, np.float32),
            np.asarray(x, np.float32),
            np.asarray(y, np.float32),
            np.asarray(confidence, np.float32),
            np.asarray(kind, np.int8),
        )

    def between(self, start_s: float, end_s: float) -> "Trace":
        """The points with `start_s <= t_s <= end_s`, on the same clock."""
        low = np.searchsorted(self.t_s, np.float32(start_s), side="left")
        high = np.searchsorted(self.t_s, np.float32(end_s), side="right")
        part = slice(int(low), int(high))
        return Trace(
            self.t_s[part], self.x[part], self.y[part], self.confidence[part], self.kind[part]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A stretch of video in which the picture rests, with its clean image.

    Attributes:
        index: Place in the video's list of scenes, from 0.
        start_s: Seconds from the video's start; as is end_s.
        image_path: PNG of the clean image (no pointer) on this worker's disk.
        width_px: Of the clean image; as is height_px.
        box_px: (x0, y0, x1, y1), the clean image's place in the decoded frame, pixels.
        unrecovered_px: Pixels that were under the pointer all the time and had to be guessed.
        trace: t_s from the scene's start, places as shares of the clean image.
    """

    index: int
    start_s: float
    end_s: float
    image_path: str
    width_px: int
    height_px: int
    box_px: tuple[int, int, int, int]
    unrecovered_px: int
    trace: Trace


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """All that one decode pass saw.

    Attributes:
        width_px: Of a decoded frame, before rotation and pixel aspect; as is height_px.
        duration_s: Presentation time of the last frame's end.
        frames: Decoded, by the codec that `decoder` names.
        points: The whole video's trace, t_s from the video's start, shares of the decoded frame;
            at least 10 a second while a pointer is visible, gaps over 0.25 s mean unseen.
        scenes: In order of time, not overlapping.
        others: As `points`, of pointers seen beside that one, which moves most and is the scenes'.
        broken: Coded pictures that could not be decoded, or only in part: the file is damaged.
    """

    width_px: int
    height_px: int
    duration_s: float
    frames: int
    decoder: str
    points: Trace
    scenes: tuple[Scene, ...]
    broken: int = 0
    others: tuple[Trace, ...] = ()


class Drop(Record):
    """Something that was dropped on the way, kept as a row of `rejects`.

    Attributes:
        stage: The room that dropped it.
        kind: What was dropped: `item`, `image`, `text` (in an image), `phrase`, `trace` or `clip`.
        code: Reason code; `detail` is one sentence for a person, `evidence` JSON or None.
        start_s: Where in the video, or None; as is end_s.
    """

    stage: str
    kind: str = Field(pattern="^(item|image|text|phrase|trace|clip)$")
    code: str
    detail: str = ""
    evidence: str | None = None
    start_s: float | None = None
    end_s: float | None = None


class Phrase(Record):
    """A noun phrase that a pointer may have shown: `transcript.words[first_word:end_word]`.

    Attributes:
        text: Refined text.
        raw_text: The words as heard, joined by blanks.
        negated: The sentence says that it is not there.
        deictic: It points ("here", "this", "that area").
        hedged: It is not vouched for: possible, or of another time, person or condition.
    """

    text: str
    raw_text: str
    first_word: int = Field(ge=0)
    end_word: int = Field(gt=0)
    start_s: Seconds
    end_s: Seconds
    negated: bool = False
    deictic: bool = False
    hedged: bool = False


class Sentence(Record):
    """One spoken sentence with the phrases in it; suspect words are left out.

    Attributes:
        text: Refined text.
        raw_text: The words as heard, joined by blanks.
        phrases: In order of time.
    """

    text: str
    raw_text: str
    first_word: int = Field(ge=0)
    end_word: int = Field(gt=0)
    start_s: Seconds
    end_s: Seconds
    negated: bool = False
    hedged: bool = False
    phrases: tuple[Phrase, ...] = ()


class Reading(Record):
    """What the refiner (`method`, such as `rules-2`) made of a transcript, and what it left out."""

    method: str
    sentences: tuple[Sentence, ...]
    drops: tuple[Drop, ...] = ()


class ScoredBox(Box):
    """A box that a trace drew while a phrase was said.

    Attributes:
        score: How far to trust it, in [0, 1].
        n_points: Points of the trace inside the phrase's window.
        method: `dwell`, `point` (a parked pointer: small fixed box), `loop` or `kmeans`.
        negated: It shows where something was looked for and is no evidence that it is there.
    """

    score: Share
    n_points: int = Field(ge=1)
    method: str
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Narration:
    """Something said about one scene's image, and where the pointer was meanwhile.

    Attributes:
        scene: Index of the scene.
        kind: `medical` (a sentence) or `roi` (a phrase that was pointed at or could be);
            articles add `caption` and `mention`.
        text: Refined text.
        raw_text: As heard.
        start_s: Seconds from the video's start; as is end_s.
        words: With their times, same clock.
        negated: The text says that it is not there.
        deictic: The text points ("here").
        trace: t_s from the scene's start; the points of its window (words plus lead and lag).
        boxes: Best first; empty when the pointer was not seen or drew nothing that holds.
        word_points: (first, end) of each word's own part of the trace, or empty.
        hedged: It is not vouched for: possible, or of another time, person or condition.
    """

    scene: int
    kind: str
    text: str
    raw_text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...]
    negated: bool
    deictic: bool
    trace: Trace
    boxes: tuple[ScoredBox, ...]
    word_points: tuple[tuple[int, int], ...] = ()
    hedged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """All narrations of an item, in order of scene and time, and what could not be placed.

    Attributes:
        shift_s: Added to word times to make them agree with the trace; None without evidence.
    """

    narrations: tuple[Narration, ...]
    drops: tuple[Drop, ...]
    shift_s: float | None = None
