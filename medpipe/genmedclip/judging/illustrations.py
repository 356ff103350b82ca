"""Pictures for the report: what was confused, and where a model looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from medpipe.genmedclip.judging.contract import Embedder, Image, Region
from medpipe.genmedclip.judging.embeddings import pictures_of
from medpipe.genmedclip.judging.heat import heat_of
from medpipe.genmedclip.judging.pictures import jpeg, overlay, within
from medpipe.genmedclip.judging.results import Judged
from medpipe.genmedclip.judging.tasks import Task

_SIDE_PX = 320
_CONFUSED_PX = 160
_HEATED = 4
_CONFUSIONS = 3
_BOX = (0, 255, 120)
_TRACE = (90, 200, 255)


@dataclass(frozen=True, slots=True)
class Illustration:
    """A picture with what it shows.

    Attributes:
        caption: Plain text; may hold anything a source wrote.
        jpeg: Encoded picture.
    """

    model: str
    dataset: str
    kind: Literal["confusion", "heat"]
    caption: str
    jpeg: bytes


def illustrate(
    task: Task, models: Sequence[Embedder], judged: Sequence[Judged]
) -> list[Illustration]:
    """Pictures of a test set, read in one more pass that decodes only what is shown.

    Raises:
        Rejected: The files cannot be read any more.
    """
    match task.test.spec.task:
        case "zero_shot":
            return _confused(task, judged)
        case "grounding":
            return _heated(task, models)
        case _:
            return []


def _confused(task: Task, judged: Sequence[Judged]) -> list[Illustration]:
    shown = [
        (row.model, f"{c.true} taken for {c.given}", example)
        for row in judged
        for c in row.confusions[:_CONFUSIONS]
        for example in c.examples
    ]
    images = _pictures(task, {example for _, _, example in shown})
    return [
        Illustration(
            model,
            task.test.spec.name,
            "confusion",
            f"{caption} ({example})",
            jpeg(images[example], _CONFUSED_PX),
        )
        for model, caption, example in shown
    ]


def _heated(task: Task, models: Sequence[Embedder]) -> list[Illustration]:
    with_regions = [
        f.example for f in (task.embedded.facts[i] for i in task.kept) if f.example.regions
    ]
    spread = np.unique(np.linspace(0, len(with_regions) - 1, _HEATED).astype(int))
    chosen = [with_regions[i] for i in spread]
    images = _pictures(task, {example.id for example in chosen})
    pairs = [(images[example.id], example.regions[0]) for example in chosen]
    return [
        Illustration(
            model.name,
            task.test.spec.name,
            "heat",
            f"“{region.text}”",
            jpeg(_drawn(image, region, heat), _SIDE_PX),
        )
        for model in models
        for (image, region), heat in zip(pairs, heat_of(model, pairs), strict=True)
    ]


def _drawn(
    image: Image, region: Region, heat: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> Image:
    """The picture under its heat map, with boxes and the pointer's way."""
    canvas = np.ascontiguousarray(overlay(within(image, _SIDE_PX), heat.astype(np.float64)))
    height, width = canvas.shape[:2]
    for x0, y0, x1, y1 in region.boxes:
        corners = [
            (round(x * (width - 1)), round(y * (height - 1))) for x, y in ((x0, y0), (x1, y1))
        ]
        cv2.rectangle(canvas, corners[0], corners[1], _BOX, 2)
    if len(region.trace) > 1:
        way = np.array(region.trace) * (width - 1, height - 1)
        cv2.polylines(canvas, [np.round(way).astype(np.int32)], False, _TRACE, 1, cv2.LINE_AA)
    return canvas


def _pictures(task: Task, wanted: set[str]) -> dict[str, Image]:
    if not wanted:
        return {}
    found: dict[str, Image] = {}
    for example, image in pictures_of(task.test, task.test.spec.source.split, wanted):
        found[example] = within(image, _SIDE_PX)
        if len(found) == len(wanted):
            break
    return found
