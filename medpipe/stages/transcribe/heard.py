"""What a recogniser says, before it is judged; times in seconds from the block's start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a block, seconds from the block's start."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word as the model places it."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model made of one window.

    Attributes:
        span: The window.
        words: In order.
        log_probability: Mean over the tokens.
        no_speech: The model's own probability that nobody speaks.
        compression: Length of the text over its zipped length.
    """

    span: Span
    words: tuple[HeardWord, ...]
    log_probability: float
    no_speech: float
    compression: float


class Recogniser(Protocol):
    """A speech model that is loaded."""

    name: str

    def speech(self, sound: Sound) -> list[Span]:
        """Find the stretches of a block in which somebody speaks, in order, not overlapping."""

    def language(self, sound: Sound) -> tuple[str, float]:
        """Name the language of at most 30 s of speech, and how sure that is."""

    def decode(
        self, sound: Sound, windows: Sequence[Span], language: str, *, careful: bool
    ) -> list[Heard]:
        """Hear every window of a block; `careful` forbids repeated runs of words."""

    def close(self) -> None:
        """Free the model."""
