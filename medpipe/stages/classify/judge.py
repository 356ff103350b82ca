"""Judges the clean images of one item from their pixels alone."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.media.phash import perceptual_hash
from medpipe.stages.classify.config import ClassifyConfig

_THUMB_PX = 64


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the pixels of one image say.

    Attributes:
        phash: 16 hex characters: signs of the 8 x 8 lowest DCT coefficients of a 32 x 32 luma.
        contrast: Standard deviation of luma, 0..255.
        sharpness: Variance of the Laplacian of luma.
        blank: There is nothing to see.
        same_as: Position of the first image of this item that shows the same, or None.
    """

    phash: str
    contrast: float
    sharpness: float
    blank: bool
    same_as: int | None


def judge(images: Iterable[NDArray[np.uint8]], config: ClassifyConfig) -> list[Judgement]:
    """Judge the images of one item, in order.

    Args:
        images: (h, w, 3) uint8 each, blue first; read once, one at a time.
        config: Limits.
    """
    judged: list[Judgement] = []
    seen: list[tuple[int, tuple[int, ...], int, NDArray[np.int16]]] = []
    for index, image in enumerate(images):
        luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        bits = perceptual_hash(np.asarray(luma, np.uint8))
        thumb = cv2.resize(luma, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
        thumb16 = thumb.astype(np.int16)
        same = _first_same(seen, image.shape, bits, thumb16, config)
        contrast = float(luma.std())
        blank = contrast < config.min_contrast
        if same is None and not blank:
            seen.append((index, image.shape, bits, thumb16))
        judged.append(
            Judgement(
                phash=f"{bits:016x}",
                contrast=contrast,
                sharpness=float(cv2.Laplacian(luma, cv2.CV_32F).var()),
                blank=blank,
                same_as=same,
            )
        )
    return judged


def _first_same(
    seen: list[tuple[int, tuple[int, ...], int, NDArray[np.int16]]],
    shape: tuple[int, ...],
    bits: int,
    thumb: NDArray[np.int16],
    config: ClassifyConfig,
) -> int | None:
    for index, other_shape, other_bits, other_thumb in seen:
        if (
            shape == other_shape
            and (bits ^ other_bits).bit_count() <= config.same_hash_bits
            and np.abs(thumb - other_thumb).mean() <= config.same_mean_difference
        ):
            return index
    return None
