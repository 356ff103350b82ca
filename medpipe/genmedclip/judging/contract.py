"""What the judge needs of a model, and what every source of test data gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

# Where CLIP's training clamps its logit scale, and where it ends up in practice.
DEFAULT_LOGIT_SCALE = 100.0


class Embedder(Protocol):
    """A model that puts pictures and texts into one space."""

    @property
    def name(self) -> str:
        """As the report calls it."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights and preprocessing; stored embeddings are found by it."""

    def embed_images(self, images: Sequence[Image]) -> Floats:
        """(h, w, 3) uint8 RGB of any size -> (n, d) float32 unit vectors."""

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Texts -> (n, d) float32 unit vectors."""

    def heat_maps(self, images: Sequence[Image], texts: Sequence[str]) -> list[Floats]:
        """One (h, w) map a pair: how well each place fits the text, over the whole picture."""


@runtime_checkable
class Scaled(Protocol):
    """A model that says by what its cosines are multiplied before a softmax."""

    logit_scale: float


def logit_scale(model: Embedder) -> float:
    """The model's own logit scale, or CLIP's usual one."""
    return float(model.logit_scale) if isinstance(model, Scaled) else DEFAULT_LOGIT_SCALE


@dataclass(frozen=True, slots=True)
class Region:
    """A text that belongs to a part of a picture.

    Attributes:
        text: What was said about the part.
        boxes: (x0, y0, x1, y1) each, shares of the picture, origin top left.
        trace: Pointer positions (x, y) while it was said, shares of the picture; often empty.
    """

    text: str
    boxes: tuple[tuple[float, float, float, float], ...]
    trace: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One picture of a test set with what is true of it.

    Attributes:
        id: Unique within the dataset: a file name, a row number or a key.
        picture: Encoded bytes, or decoded (h, w), (h, w, 1) or (h, w, 3) uint8 RGB.
        labels: Positions of its classes; exactly one for `zero_shot`.
        texts: Captions, for `retrieval`.
        regions: For `grounding`.
        group: What it shares with others that are no independent witnesses: patient or video.
    """

    id: str
    picture: bytes | Image
    labels: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    group: str | None = None
