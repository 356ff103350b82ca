"""Finds identifiers of a person burned into a picture, and takes them out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medpipe.stages.classify.config import ClassifyConfig
from medpipe.stages.classify.identifiers import identifiers
from medpipe.stages.classify.masking import BoxPx, grown, without
from medpipe.stages.classify.reading import known_names, read_text


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """A picture that was searched for identifiers; what they said is not kept.

    Attributes:
        image: (h, w, 3) uint8, blue first, without them; None where the picture is rejected.
        boxes_px: (x0, y0, x1, y1) of each, with a margin.
        kinds: Of each: `name`, `number`, `date`, `place`, `contact`.
    """

    image: NDArray[np.uint8] | None
    boxes_px: tuple[BoxPx, ...]
    kinds: tuple[str, ...]


def search(image: NDArray[np.uint8], config: ClassifyConfig) -> Searched:
    """Search a picture for names, numbers, dates and addresses of people.

    Args:
        image: (h, w, 3) uint8, blue first.
        config: Whether to search, and what to do with what is found.
    """
    if config.identifiers == "keep":
        return Searched(image, (), ())
    texts = read_text(
        image, long_sides_px=config.text_long_sides_px, min_score=config.min_text_score
    )
    found = identifiers(texts, known_names(), (image.shape[1], image.shape[0]))
    boxes = tuple(grown(each.box_px, image.shape) for each in found)
    kinds = tuple(each.kind.value for each in found)
    if not boxes:
        return Searched(image, (), ())
    if config.identifiers == "reject":
        return Searched(None, boxes, kinds)
    return Searched(without(image, boxes, config.identifiers), boxes, kinds)
