"""Reads a dataset that medpipe made as a test set: captions, or phrases with boxes and traces."""

from collections.abc import Iterator
from typing import Any

from medpipe.dataset import Dataset
from medpipe.genmedclip.judging.boxes import to_share_boxes
from medpipe.genmedclip.judging.contract import Example, Region
from medpipe.genmedclip.judging.places import Place
from medpipe.genmedclip.judging.registry import DatasetSpec, MedpipeSource
from medpipe.genmedclip.judging.rows import Dropped
from medpipe.storage import StorageConfig, open_store

_COLUMNS = ["id", "item_id", "image", "narrations", "part_of"]


def read(
    place: Place, spec: DatasetSpec, source: MedpipeSource, storage: StorageConfig | None
) -> Iterator[Example | Dropped]:
    """Whole images with what was said about them; negated narrations are left out."""
    dataset = Dataset(open_store(f"{place.store.uri}/{place.key}", storage))
    for row in dataset.batches("samples", _COLUMNS):
        if row["part_of"] is not None:
            continue
        data = (row["image"] or {}).get("bytes")
        if not data:
            yield Dropped(row["id"], "missing_image", "the sample holds no picture")
            continue
        said = [
            n
            for n in row["narrations"] or ()
            if n["kind"] in source.kinds and not n["negated"] and n["text"]
        ]
        regions = tuple(_region(n) for n in said) if spec.task == "grounding" else ()
        yield Example(
            row["id"],
            data,
            texts=tuple(n["text"] for n in said),
            regions=tuple(region for region in regions if region.boxes),
            group=row["item_id"],
        )


def _region(narration: dict[str, Any]) -> Region:
    trace = narration["trace"] or {}
    points = zip(trace.get("x") or (), trace.get("y") or (), strict=True)
    boxes = to_share_boxes([b["xyxy"] for b in narration["boxes"] or ()], "xyxy", None)
    return Region(narration["text"], boxes, tuple(points))
