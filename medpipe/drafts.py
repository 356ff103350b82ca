"""Groups what the rooms found into samples: whole images, and the pictures cut out of them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from medpipe.dataset import ImageConfig, encode_image
from medpipe.dataset.images import decode_image
from medpipe.dataset.rows import SampleDraft
from medpipe.records import Alignment, Box, Drop, Narration, Scene
from medpipe.stages.align import within
from medpipe.stages.classify import ClassifyConfig, Judgement, Searched, judge, parts_of, search

_SNAP_PX = 4

BoxPx = tuple[int, int, int, int]


def kept_scenes(
    scenes: Sequence[Scene], judged: Sequence[Judgement]
) -> tuple[list[Scene], list[Drop]]:
    """Scenes that show something, and the blank ones as drops."""
    kept, drops = [], []
    for scene, verdict in zip(scenes, judged, strict=True):
        if verdict.blank:
            drops.append(
                Drop(
                    stage="classify",
                    kind="image",
                    code="blank_image",
                    detail=f"contrast {verdict.contrast:.1f}",
                    start_s=scene.start_s,
                    end_s=scene.end_s,
                )
            )
        else:
            kept.append(scene)
    return kept, drops


def drafts_of(
    scenes: Sequence[Scene],
    judged: Sequence[Judgement],
    images: Sequence[bytes],
    aligned: Alignment,
    suffix: str,
) -> Iterator[SampleDraft]:
    """One draft for each distinct image; scenes that show it again add their narrations."""
    groups: dict[int, list[Scene]] = {}
    for scene in scenes:
        first = judged[scene.index].same_as
        groups.setdefault(scene.index if first is None else first, []).append(scene)
    for index, (first, shown) in enumerate(groups.items()):
        places = {scene.index for scene in shown}
        yield SampleDraft(
            index=index,
            image=images[first],
            suffix=suffix,
            sha256=hashlib.sha256(images[first]).hexdigest(),
            phash=judged[first].phash,
            contrast=judged[first].contrast,
            sharpness=judged[first].sharpness,
            scenes=shown,
            narrations=[n for n in aligned.narrations if n.scene in places],
        )


def hide_identifiers(
    drafts: Sequence[SampleDraft], config: ClassifyConfig, image: ImageConfig
) -> tuple[list[SampleDraft], list[Drop], list[Scene]]:
    """Take what identifies a person out of an item's images, before they are stored or cut.

    Args:
        drafts: Whole images.
        config: What to do with it.
        image: How an image is encoded that was changed.

    Returns:
        The drafts, numbered anew where some are rejected; a row for each image in which something
        was found, which says where but not what; and the scenes that show it.
    """
    kept, drops, private = list[SampleDraft](), list[Drop](), list[Scene]()
    for draft in drafts:
        found = search(decode_image(draft.image), config)
        if found.boxes_px:
            drops.append(_found(draft, found))
            private += draft.scenes
        if found.image is None:
            continue
        whole = replace(draft, index=len(kept), masks_px=found.boxes_px)
        kept.append(_redrawn(whole, found.image, config, image) if found.boxes_px else whole)
    return kept, drops, private


def _found(draft: SampleDraft, found: Searched) -> Drop:
    rejected = found.image is None
    counts = Counter(found.kinds)
    return Drop(
        stage="classify",
        kind="image" if rejected else "text",
        code="burned_in_identifiers" if rejected else "identifiers_masked",
        detail=", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)),
        evidence=json.dumps({"sha256": draft.sha256, "boxes_px": found.boxes_px}),
        start_s=draft.scenes[0].start_s,
        end_s=draft.scenes[0].end_s,
    )


def _redrawn(
    draft: SampleDraft, pixels: NDArray[np.uint8], config: ClassifyConfig, image: ImageConfig
) -> SampleDraft:
    data = encode_image(pixels, image)
    (verdict,) = judge((pixels,), config)
    return replace(
        draft,
        image=data,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=verdict.phash,
        contrast=verdict.contrast,
        sharpness=verdict.sharpness,
    )


def private_spans(scenes: Sequence[Scene], private: Sequence[Scene]) -> list[tuple[float, float]]:
    """When a video may show what was taken out of its images.

    Args:
        scenes: All that show something, in order of time.
        private: Those of them in which something was found.

    Returns:
        (start, end) in seconds from the video's start: of each private scene, with the time
        before and after it up to the next scene in which nothing was found.
    """
    indices = {scene.index for scene in private}
    spans = []
    for place, scene in enumerate(scenes):
        if scene.index in indices:
            before = scenes[place - 1].end_s if place else 0.0
            after = scenes[place + 1].start_s if place + 1 < len(scenes) else float("inf")
            spans.append((before, after))
    return spans


@dataclass(slots=True)
class _Part:
    """A picture within one or more of an item's images.

    Attributes:
        part_of: Place of the first sample that shows it.
        pixels: (h, w, 3) uint8, as that sample shows it.
        scenes: Where it was shown, each with its place in the frame.
        narrations: Of all of them.
        masks_px: What was taken out of it, in its own pixels.
    """

    part_of: int
    pixels: NDArray[np.uint8]
    masks_px: tuple[BoxPx, ...] = ()
    scenes: list[Scene] = field(default_factory=list)
    narrations: list[Narration] = field(default_factory=list)


def with_parts(
    drafts: Sequence[SampleDraft], config: ClassifyConfig, image: ImageConfig
) -> tuple[list[SampleDraft], list[SampleDraft]]:
    """Cut the pictures out of an item's images.

    Args:
        drafts: Whole images.
        config: What is a part.
        image: How it is encoded.

    Returns:
        The drafts with the numbers of their parts, and the parts as samples numbered after them. A
        picture that several images show, as beside a growing list, is one part.
    """
    counted, found = [], list[_Part]()
    boxes: list[BoxPx] = []
    for draft in drafts:
        pixels = decode_image(draft.image)
        mine = [_snapped(box, boxes) for box in parts_of(pixels, config)]
        boxes += mine
        for box in mine:
            found.append(_cut(draft, pixels, box, alone=len(mine) == 1))
        counted.append(replace(draft, parts=len(mine)))
    judged = judge((part.pixels for part in found), config)
    for part, verdict in zip(found, judged, strict=True):
        if verdict.same_as is not None:
            first = found[verdict.same_as]
            first.scenes += part.scenes
            first.narrations += part.narrations
    own = [
        (part, verdict)
        for part, verdict in zip(found, judged, strict=True)
        if verdict.same_as is None and not verdict.blank
    ]
    parts = [
        _drafted(len(counted) + place, part, verdict, image)
        for place, (part, verdict) in enumerate(own)
    ]
    return counted, parts


def _snapped(box: BoxPx, known: Sequence[BoxPx]) -> BoxPx:
    """The box of an earlier image that is the same but for a few pixels, or the box itself."""
    for other in known:
        if max(abs(a - b) for a, b in zip(box, other, strict=True)) <= _SNAP_PX:
            return other
    return box


def _cut(draft: SampleDraft, pixels: NDArray[np.uint8], box: BoxPx, *, alone: bool) -> _Part:
    tall, wide = pixels.shape[:2]
    x0, y0, x1, y1 = box[0], box[1], min(box[2], wide), min(box[3], tall)
    share = Box(x0=x0 / wide, y0=y0 / tall, x1=x1 / wide, y1=y1 / tall)
    scenes = [
        replace(
            scene,
            width_px=x1 - x0,
            height_px=y1 - y0,
            box_px=(
                scene.box_px[0] + x0,
                scene.box_px[1] + y0,
                scene.box_px[0] + x1,
                scene.box_px[1] + y1,
            ),
        )
        for scene in draft.scenes
    ]
    cut = np.ascontiguousarray(pixels[y0:y1, x0:x1])
    masks = tuple(
        (max(a, x0) - x0, max(b, y0) - y0, min(c, x1) - x0, min(d, y1) - y0)
        for a, b, c, d in draft.masks_px
        if a < x1 and b < y1 and c > x0 and d > y0
    )
    return _Part(draft.index, cut, masks, scenes, within(draft.narrations, share, alone=alone))


def _drafted(index: int, part: _Part, verdict: Judgement, image: ImageConfig) -> SampleDraft:
    data = encode_image(part.pixels, image)
    return SampleDraft(
        index=index,
        image=data,
        suffix=image.suffix,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=verdict.phash,
        contrast=verdict.contrast,
        sharpness=verdict.sharpness,
        scenes=part.scenes,
        narrations=part.narrations,
        part_of=part.part_of,
        masks_px=part.masks_px,
    )
