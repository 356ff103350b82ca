"""Tell how much closer one picture shows what another shows, and size a look accordingly."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from medpipe.stages.extract.grid import Gray, shrink
from medpipe.stages.extract.template import Template

_THUMB_PX = 192
_STEP = 1.05
_FINER = (0.96, 0.98, 1.0, 1.02, 1.04)
_CLOSEST = 2.7
_LEAST_ALIKE = 0.85
_SAME_ALIKE = 0.97
_SAME_RATIO = 1.04


def zoom_between(before: Gray, after: Gray) -> float:
    """Measure a zoom, as of a recorder that closes in on what is pointed at.

    Args:
        before: (h, w) uint8.
        after: (h, w) uint8.

    Returns:
        How many times larger `after` shows things; 1 where it is no enlarged part of `before`,
        nor the other way round.
    """
    height = max(round(_THUMB_PX * before.shape[0] / before.shape[1]), 1)
    wide, close = (shrink(picture, (_THUMB_PX, height)) for picture in (before, after))
    if _alike(wide, close, 1.0) > _SAME_ALIKE:
        return 1.0
    closer, wider = _closest(wide, close), _closest(close, wide)
    alike, ratio = max(closer, wider)
    if alike < _LEAST_ALIKE:
        return 1.0
    return ratio if closer >= wider else 1 / ratio


def _closest(wide: Gray, close: Gray) -> tuple[float, float]:
    """How alike the pictures are at the best ratio, and that ratio, over 1."""
    count = int(np.log(_CLOSEST) / np.log(_STEP))
    ratios = [_STEP**k for k in range(2, count + 1)]
    _, rough = max((_alike(wide, close, ratio), ratio) for ratio in ratios)
    return max((_alike(wide, close, rough * finer), rough * finer) for finer in _FINER)


def _alike(wide: Gray, close: Gray, ratio: float) -> float:
    """How well `close` is a part of `wide` that is shown `ratio` times larger; 1 at best."""
    size = (round(close.shape[1] / ratio), round(close.shape[0] / ratio))
    small = np.asarray(cv2.resize(close, size, interpolation=cv2.INTER_AREA), np.uint8)
    if small.std() < 1:
        return 0.0
    return float(cv2.matchTemplate(wide, small, cv2.TM_CCOEFF_NORMED).max())


def sizes(pictures: Sequence[Gray]) -> Iterator[float]:
    """How much larger each picture shows things than the first does."""
    size = 1.0
    for index, picture in enumerate(pictures):
        if index:
            size *= zoom_between(pictures[index - 1], picture)
        yield size


def is_same_size(a: float, b: float) -> bool:
    """Whether a look of one size serves for another."""
    return max(a, b) <= _SAME_RATIO * min(a, b)


def sized(template: Template, ratio: float) -> Template:
    """A look as it is when all that the screen shows is enlarged."""
    height, width = template.look.shape
    size = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    x, y = ((each + 0.5) * ratio - 0.5 for each in template.tip)
    return replace(template.shrunk(size), tip=(x, y))
