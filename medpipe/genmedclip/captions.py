"""Chooses what is said about a picture in one epoch, and around which box it is cut."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.genmedclip.config import DataConfig

XYXY = tuple[float, float, float, float]
WHOLE: XYXY = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One caption of one sample, with the place that it speaks of.

    Attributes:
        text: The caption.
        crop: What is kept of the picture, xyxy shares.
        phrase: What was said over `box`, or "" when nothing was pointed at.
        box: xyxy shares of the whole picture; `WHOLE` without a phrase.
        trace: (k, 3) float32 of x, y (shares of the whole picture) and seconds spent there;
            empty without a phrase.
    """

    text: str
    crop: XYXY
    phrase: str
    box: XYXY
    trace: NDArray[np.float32]


def choose(narrations: Sequence[Mapping[str, Any]], config: DataConfig, random: Random) -> Choice:
    """Choose a caption by the weights of the kinds, a cut, and a phrase with its place.

    Args:
        narrations: Rows of the `narrations` column, at least one of a kind with weight; without
            `boxes` where nothing is cut around one or learned from it.
        config: Weights, crops.
        random: Of this sample in this epoch; drawn from in a fixed order.
    """
    weights = config.caption_weights()
    usable = [n for n in narrations if config.negated or not n["negated"]]
    # A box shows where something absent was looked for; it is no place to learn it from.
    pointed = [n for n in usable if n["kind"] == "roi" and n.get("boxes") and not n["negated"]]
    told = _drawn([n for n in usable if weights.get(n["kind"], 0) > 0], weights, random)
    shown = _one(pointed, random) if pointed else None
    cut = random.random()
    if shown is not None and cut < config.crop_share:
        return _around(shown, config.crop_margin)
    crop = _random_crop(config.min_scale, random)
    if shown is None:
        return Choice(told["text"], crop, "", WHOLE, np.zeros((0, 3), np.float32))
    return Choice(told["text"], crop, shown["text"], _box(shown), _dwell(shown["trace"]))


def whole(narrations: Sequence[Mapping[str, Any]], config: DataConfig) -> Choice:
    """The whole picture with its first caption of the heaviest kind; what validation sees."""
    weights = config.caption_weights()
    usable = [n for n in narrations if config.negated or not n["negated"]]
    told = max(usable, key=lambda n: weights.get(n["kind"], 0))
    return Choice(told["text"], WHOLE, "", WHOLE, np.zeros((0, 3), np.float32))


def _drawn(
    narrations: Sequence[Mapping[str, Any]],
    weights: Mapping[str, float],
    random: Random,
) -> Mapping[str, Any]:
    """First a kind by its weight, then one of that kind, so that many phrases do not drown one."""
    kinds = sorted({n["kind"] for n in narrations})
    bounds = list(accumulate(weights[kind] for kind in kinds))
    kind = kinds[bisect_right(bounds, random.random() * bounds[-1])]
    return _one([n for n in narrations if n["kind"] == kind], random)


def _one(some: Sequence[Mapping[str, Any]], random: Random) -> Mapping[str, Any]:
    return some[int(random.random() * len(some))]


def _around(shown: Mapping[str, Any], margin: float) -> Choice:
    """The picture cut to a square-ish part around the phrase's box, with the phrase as caption."""
    x0, y0, x1, y1 = _box(shown)
    reach = margin * max(x1 - x0, y1 - y0, 0.1)
    crop = max(0.0, x0 - reach), max(0.0, y0 - reach), min(1.0, x1 + reach), min(1.0, y1 + reach)
    return Choice(shown["text"], crop, shown["text"], (x0, y0, x1, y1), _dwell(shown["trace"]))


def _random_crop(min_scale: float, random: Random) -> XYXY:
    """A rectangle of at least `min_scale` of the area, sides at most 3:4 apart."""
    area = min_scale + (1 - min_scale) * random.random()
    ratio = (4 / 3) ** (2 * random.random() - 1) if min_scale < 1 else 1.0
    width, height = min(1.0, (area * ratio) ** 0.5), min(1.0, (area / ratio) ** 0.5)
    x0, y0 = (1 - width) * random.random(), (1 - height) * random.random()
    return x0, y0, x0 + width, y0 + height


def _box(narration: Mapping[str, Any]) -> XYXY:
    x0, y0, x1, y1 = narration["boxes"][0]["xyxy"]
    return x0, y0, x1, y1


def _dwell(trace: Mapping[str, Sequence[float]]) -> NDArray[np.float32]:
    """Places of a trace with the seconds that the pointer spent at each."""
    t_s = np.asarray(trace["t_s"], np.float32)
    if not len(t_s):
        return np.zeros((0, 3), np.float32)
    gaps = np.minimum(np.diff(t_s, append=t_s[-1]), 0.25)
    seconds = np.maximum(gaps, 0.02) * np.asarray(trace["confidence"], np.float32)
    x, y = np.asarray(trace["x"], np.float32), np.asarray(trace["y"], np.float32)
    return np.stack([x, y, seconds], axis=1)


def relative(box: XYXY, crop: XYXY) -> XYXY:
    """A box of the whole picture as shares of the cut, clipped to it."""
    width, height = crop[2] - crop[0], crop[3] - crop[1]
    x0, x1 = ((min(max(x, crop[0]), crop[2]) - crop[0]) / width for x in (box[0], box[2]))
    y0, y1 = ((min(max(y, crop[1]), crop[3]) - crop[1]) / height for y in (box[1], box[3]))
    return x0, y0, x1, y1
