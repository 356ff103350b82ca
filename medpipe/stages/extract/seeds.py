"""Find a common pointer in a few pictures of a chunk before anything of it is learnt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.cursors import COLOURS, SHAPES, Drawing, draw
from medpipe.stages.extract.grid import Chunk, Gray, Replay, shrink, soften
from medpipe.stages.extract.template import SHARP_PX, Template, scores_over

_PICTURES = 6
_SIZES_PX = (12.5, 15.5, 19.0, 23.0, 28.0, 34.0, 42.0)
_ROUGH_SIZE_PX = 9.0
_FINER_SIZES = (0.91, 1.0, 1.1)
_ALONE = 0.76
_SURELY_ALONE = 0.7
_SURE_ALONE = 0.65
_SURE_LIKE = 0.2
_LIKE = 0.4
_PROMISING = 6
_REACH_PX = 5
_APART_PX = 12
_BOUND = 34.0

Floats = NDArray[np.float32]
Key = tuple[int, float, int]


@dataclass(frozen=True, slots=True)
class _Find:
    """The best place of a drawing in a picture.

    Attributes:
        alone: RMS over that of the second best place.
        like: Share of the patch's own variance that the drawing leaves.
        x: Left of the drawing, picture pixels.
        y: Top of the drawing, picture pixels.
    """

    alone: float
    like: float
    x: float
    y: float


def seed(chunk: Chunk, samples: Sequence[int]) -> Template | None:
    """Look for a drawn pointer that stands out, surely so or at more places than one.

    Args:
        chunk: The samples.
        samples: Those to pick a few from, in order.

    Returns:
        The drawing that stands out most, or None.
    """
    finds: dict[Key, list[_Find]] = {}
    for picked in _picked(samples):
        replay = Replay(chunk)
        for sample in picked:
            for key, find in _finds(replay.at(sample)):
                finds.setdefault(key, []).append(find)
        good = {key: each for key, each in finds.items() if _is_pointer(each)}
        if good:
            best = min(good, key=lambda key: sum(f.alone - 1 for f in finds[key]))
            return draw(*best[:2]).template(*COLOURS[best[2]], _BOUND)
        if not finds:
            return None
    return None


def _picked(samples: Sequence[int]) -> Iterator[list[int]]:
    """A few samples spread evenly, then those half way between them."""
    spread = np.linspace(0, len(samples) - 1, 2 * _PICTURES + 1).round().astype(int)
    for start in (1, 0):
        yield [samples[k] for k in np.unique(spread[start::2]).tolist()]


def _is_pointer(finds: Sequence[_Find]) -> bool:
    if any(find.alone < _SURE_ALONE and find.like < _SURE_LIKE for find in finds):
        return True
    if min(find.alone for find in finds) > _SURELY_ALONE:
        return False
    first = finds[0]
    return any(np.hypot(f.x - first.x, f.y - first.y) > _APART_PX for f in finds[1:])


def _finds(picture: Gray) -> Iterator[tuple[Key, _Find]]:
    sharp = soften(picture, SHARP_PX)
    for size in _SIZES_PX:
        scale = max(size / _ROUGH_SIZE_PX, 1.0)
        small = (round(picture.shape[1] / scale), round(picture.shape[0] / scale))
        rough = soften(shrink(picture, small), SHARP_PX)
        for shape in range(SHAPES):
            drawing = draw(shape, size / scale)
            height, width = drawing.cover.shape
            if rough.shape[0] < 3 * height or rough.shape[1] < 3 * width:
                continue
            for colour, scores in enumerate(_rough_scores(drawing, rough)):
                spots = _lowest(scores, height, width)
                for finer in _FINER_SIZES:
                    find = _fine(sharp, spots, scale, draw(shape, size * finer), colour)
                    if find.alone < _ALONE and find.like < _LIKE:
                        yield (shape, size * finer, colour), find


def _rough_scores(drawing: Drawing, rough: Gray) -> Iterator[Floats]:
    """As `scores_over` in each colour; what they share is worked out once."""
    where = (drawing.cover > 0).astype(np.float32)
    clear = (1 - drawing.cover) * where
    shown = rough.astype(np.float32)
    inner = cv2.matchTemplate(shown, drawing.inner, cv2.TM_CCORR)
    rim = cv2.matchTemplate(shown, drawing.rim, cv2.TM_CCORR)
    through = cv2.matchTemplate(shown, clear, cv2.TM_CCORR)
    power = cv2.matchTemplate(shown * shown, where, cv2.TM_CCORR)
    mass = np.float32(max(float((clear * clear).sum()), 1e-3))
    for inside, outside in COLOURS:
        drawn = inside * drawing.inner + outside * drawing.rim
        left = power - np.float32(2 * inside) * inner - np.float32(2 * outside) * rim
        left += np.float32((drawn * drawn).sum())
        gap = through - np.float32((drawn * clear).sum())
        grey = np.clip(gap / mass, 0, 255)
        left += grey * (grey * mass - 2 * gap)
        yield np.asarray(np.maximum(left, 0) / np.float32(where.sum()), np.float32)


def _lowest(scores: Floats, height: int, width: int) -> list[tuple[int, int]]:
    """Places (x, y) of the lowest scores that do not overlap, best first."""
    left, spots = scores.copy(), []
    for _ in range(_PROMISING):
        _, _, (x, y), _ = cv2.minMaxLoc(left)
        spots.append((x, y))
        rows = slice(max(y - height // 2, 0), y + height // 2 + 1)
        left[rows, max(x - width // 2, 0) : x + width // 2 + 1] = np.inf
    return spots


def _fine(
    picture: Gray, spots: list[tuple[int, int]], scale: float, drawing: Drawing, colour: int
) -> _Find:
    look = drawing.template(*COLOURS[colour], _BOUND)
    height, width = drawing.cover.shape
    found: list[tuple[float, float, int, int]] = []
    for x, y in spots:
        x0, y0 = max(round(x * scale) - _REACH_PX, 0), max(round(y * scale) - _REACH_PX, 0)
        rows = slice(y0, y0 + height + 2 * _REACH_PX)
        part = picture[rows, x0 : x0 + width + 2 * _REACH_PX]
        if part.shape[0] < height or part.shape[1] < width:
            continue
        scores = scores_over(look.look, drawing.cover, part)
        low, _, (dx, dy), _ = cv2.minMaxLoc(scores)
        spread = float(part[dy : dy + height, dx : dx + width][drawing.cover > 0.5].var())
        found.append((low, low / max(spread, 1.0), x0 + dx, y0 + dy))
    found.sort()
    if len(found) < 2:
        return _Find(1.0, 1.0, 0, 0)
    (low, like, x, y), second = found[0], found[1][0]
    return _Find(float(np.sqrt(low / max(second, 1e-6))), like, x, y)
