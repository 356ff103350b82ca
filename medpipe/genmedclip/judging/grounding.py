"""Asks whether a model looks where the teacher pointed: heat maps against boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from medpipe.genmedclip.judging.contract import Doubles, Floats, Ints, Region
from medpipe.genmedclip.judging.intervals import Outcome
from medpipe.genmedclip.judging.metrics import Flags

RASTER_PX = 112
_THRESHOLDS = np.linspace(0.05, 0.95, 19)
_HALF = int(np.argmin(np.abs(_THRESHOLDS - 0.5)))
# Teachers point near the middle: what a blob there gets, with no look at the picture.
_CENTRE_SIGMA = 0.25


@dataclass(frozen=True, slots=True)
class Pointed:
    """What heat maps say of regions, one row a region.

    Attributes:
        pointing: (n,) chance that the hottest place lies in a box; ties in random order.
        inside: (n,) share of the heat (above the map's coldest) in the boxes.
        iou: (n, thresholds) of what is above each threshold with the boxes.
        area: (n,) share of the picture in the boxes.
    """

    pointing: Doubles
    inside: Doubles
    iou: Doubles
    area: Doubles

    WIDTH: ClassVar[int] = 3 + len(_THRESHOLDS)

    def rows(self) -> Doubles:
        """(n, WIDTH), as stored."""
        columns = np.stack([self.pointing, self.inside, self.area], axis=1)
        return np.concatenate([columns, self.iou], axis=1)

    @classmethod
    def of_rows(cls, rows: Doubles) -> "Pointed":
        """From what `rows` gave."""
        return cls(rows[:, 0], rows[:, 1], rows[:, 3:], rows[:, 2])

    def take(self, chosen: Ints) -> "Pointed":
        """Some regions."""
        return Pointed.of_rows(self.rows()[chosen])


def mask_of(region: Region) -> Flags:
    """(raster, raster) which pixels' centres lie in a box; a tiny box has at least one."""
    centres = (np.arange(RASTER_PX) + 0.5) / RASTER_PX
    mask = np.zeros((RASTER_PX, RASTER_PX), bool)
    for x0, y0, x1, y1 in region.boxes:
        columns = (centres >= x0) & (centres <= x1)
        rows = (centres >= y0) & (centres <= y1)
        columns[min(int((x0 + x1) / 2 * RASTER_PX), RASTER_PX - 1)] = True
        rows[min(int((y0 + y1) / 2 * RASTER_PX), RASTER_PX - 1)] = True
        mask |= rows[:, None] & columns[None, :]
    return mask


def score(heat: Sequence[Floats], masks: Sequence[Flags]) -> Pointed:
    """Compare maps of any size with masks."""
    rows = [_score_one(_raster(h), m) for h, m in zip(heat, masks, strict=True)]
    return Pointed(
        np.array([r[0] for r in rows], np.float64),
        np.array([r[1] for r in rows], np.float64),
        np.array([r[2] for r in rows], np.float64).reshape(-1, len(_THRESHOLDS)),
        np.array([m.mean() for m in masks], np.float64),
    )


def centre_map() -> Floats:
    """The map of one who always looks at the middle."""
    away = ((np.arange(RASTER_PX) + 0.5) / RASTER_PX - 0.5) ** 2
    return np.asarray(np.exp(-(away[:, None] + away[None, :]) / (2 * _CENTRE_SIGMA**2)), np.float32)


def judge_regions(pointed: Pointed, groups: Ints) -> Outcome:
    """Figures of grounding under any weights of the regions.

    `iou_best` takes the one threshold that suits the whole set best, so it flatters a little.
    """
    return Outcome(
        {
            "pointing": lambda w: _mean(w, pointed.pointing),
            "inside_mass": lambda w: _mean(w, pointed.inside),
            "iou_best": lambda w: float(_means(w, pointed.iou).max()),
            "iou_50": lambda w: _mean(w, pointed.iou[:, _HALF]),
        },
        groups,
    )


def best_threshold(pointed: Pointed) -> float:
    """The threshold behind `iou_best`, share between coldest and hottest."""
    return float(_THRESHOLDS[int(np.argmax(pointed.iou.mean(axis=0)))])


def chance_of_grounding(pointed: Pointed) -> dict[str, float]:
    """A random place; heat spread evenly; the whole picture as answer."""
    area = float(pointed.area.mean())
    return {"pointing": area, "inside_mass": area, "iou_best": area, "iou_50": area}


def _raster(heat: Floats) -> Doubles:
    size = (RASTER_PX, RASTER_PX)
    return np.asarray(
        cv2.resize(np.asarray(heat, np.float64), size, interpolation=cv2.INTER_LINEAR)
    )


def _score_one(heat: Doubles, mask: Flags) -> tuple[float, float, Doubles]:
    low, high = float(heat.min()), float(heat.max())
    hottest = heat >= high - 1e-9 * max(1.0, abs(high))
    pointing = float(mask[hottest].mean())
    if high - low <= 1e-12:
        flat = np.zeros(len(_THRESHOLDS))
        return float(mask.mean()), float(mask.mean()), flat + float(mask.mean())
    share = (heat - low) / (high - low)
    inside = float(share[mask].sum() / share.sum())
    above = share[None] >= _THRESHOLDS[:, None, None]
    both = (above & mask).sum(axis=(1, 2))
    either = (above | mask).sum(axis=(1, 2))
    return pointing, inside, both / either


def _mean(weights: Doubles, values: Doubles) -> float:
    total = weights.sum()
    return float(weights @ values / total) if total else float("nan")


def _means(weights: Doubles, values: Doubles) -> Doubles:
    total = weights.sum()
    return np.asarray(weights @ values / total) if total else np.full(values.shape[1], np.nan)
