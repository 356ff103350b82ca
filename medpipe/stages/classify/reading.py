"""Reads the text in pictures, by RapidOCR and the models that it ships."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.classify.identifiers import Names, Text

READER: Final = "rapidocr-ppocrv6-small"

# RapidOCR enlarges thinner pictures until they are 30 pixels high, however wide they become.
_LEAST_PX = 12


def read_text(
    image: NDArray[np.uint8], *, long_sides_px: Sequence[int], min_score: float
) -> list[Text]:
    """Read the lines of text in a picture.

    Args:
        image: (h, w, 3) uint8, blue first, of any size.
        long_sides_px: At which sizes; a picture is never enlarged. Small letters are found in
            large copies, large or thin ones in small copies.
        min_score: Lines of which the reader is less sure are left out.

    Returns:
        What was read, places in the picture's own pixels; a line found at two sizes is there
        twice.
    """
    longest = max(image.shape[:2])
    if min(image.shape[:2]) < _LEAST_PX:
        return []
    sides = sorted({min(side, longest) for side in long_sides_px}, reverse=True)
    return [text for side in sides for text in _read_at(image, side / longest, min_score)]


def _read_at(image: NDArray[np.uint8], scale: float, min_score: float) -> Iterator[Text]:
    tall, wide = image.shape[:2]
    size = max(round(wide * scale), 1), max(round(tall * scale), 1)
    shown = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    found = _engine()(np.ascontiguousarray(shown))
    if found.boxes is None or found.txts is None:
        return
    for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
        if score < min_score or not text.strip():
            continue
        low = np.floor(corners.min(axis=0) / scale).astype(int)
        high = np.ceil(corners.max(axis=0) / scale).astype(int)
        box = (
            max(int(low[0]), 0),
            max(int(low[1]), 0),
            min(int(high[0]), wide),
            min(int(high[1]), tall),
        )
        yield Text(str(text), float(score), box)


@lru_cache(maxsize=1)
def known_names() -> Names:
    """Names of the US census of 1990: 5,163 given ones, 88,799 of families."""
    folder = files("names")

    def listed(*lists: str) -> frozenset[str]:
        texts = [(folder / name).read_text("utf-8") for name in lists]
        return frozenset(line.split()[0].lower() for text in texts for line in text.splitlines())

    return Names(listed("dist.female.first", "dist.male.first"), listed("dist.all.last"))


@lru_cache(maxsize=1)
def _engine() -> Any:
    """The process's one reader; loading it takes half a second, so it waits for a picture."""
    from rapidocr import RapidOCR

    one_thread = {
        f"EngineConfig.onnxruntime.{pool}_op_num_threads": 1 for pool in ("intra", "inter")
    }
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Global.max_side_len": 1 << 16,
            "Det.limit_side_len": 1 << 16,
            "Det.limit_type": "max",
            **one_thread,
        }
    )
