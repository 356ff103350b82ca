"""Rows of small items, built by the code that builds them in earnest; images are real JPEGs."""

from typing import Any

import cv2
import numpy as np

from medpipe.dataset import ImageConfig, Manifest, encode_image, write_item
from medpipe.dataset.rows import (
    ClipDraft,
    Provenance,
    SampleDraft,
    clip_rows,
    item_row,
    reject_rows,
    sample_id,
    sample_row,
    transcript_row,
)
from medpipe.records import (
    Drop,
    Item,
    Narration,
    Scene,
    ScoredBox,
    Trace,
    Transcript,
    Word,
)
from medpipe.storage import ObjectStore

TRACE = Trace.of([0, 0.25, 0.5], [0.25, 0.5, 0.5], [0.5, 0.5, 0.75], [1, 1, 0.5], [1, 1, 1])
WORDS = (
    Word(text="this", start_s=1.0, end_s=1.25, probability=0.5),
    Word(text="opacity", start_s=1.25, end_s=1.75, probability=1.0),
)


def jpeg(shade: int) -> bytes:
    image = np.full((24, 32, 3), shade, np.uint8)
    cv2.circle(image, (16, 12), 8, (0, 0, 255 - shade), -1)
    return encode_image(image, ImageConfig())


def sample(origin: Provenance, index: int) -> dict[str, Any]:
    scene = Scene(index, 1.0, 9.0, "", 32, 24, (0, 0, 32, 24), 0, TRACE)
    narration = Narration(
        scene=index,
        kind="roi",
        text="this opacity",
        raw_text="this opacity",
        start_s=1.0,
        end_s=1.75,
        words=WORDS,
        negated=False,
        deictic=True,
        trace=TRACE,
        word_points=((0, 1), (1, 3)),
        boxes=(ScoredBox(x0=0.25, y0=0.5, x1=0.5, y1=0.75, score=1, n_points=3, method="dwell"),),
    )
    draft = SampleDraft(
        index=index,
        image=jpeg(40 * (index + 1)),
        suffix="jpg",
        sha256=f"{index:064x}",
        phash=f"{index:016x}",
        contrast=20.0,
        sharpness=30.0,
        scenes=[scene],
        narrations=[narration],
    )
    return sample_row(draft, [sample_id(origin.item.id, index)], origin)


def clip(origin: Provenance) -> ClipDraft:
    file = {
        "key": f"_clips/00/{origin.item.id.replace(':', '-')}/{origin.generation:06d}-aa.mp4",
        "start_s": 0.5,
        "end_s": 3.5,
        "sha256": "a" * 64,
        "size_bytes": 1000,
        "video_codec": "h264",
        "audio_codec": "aac",
        "how": "copied",
    }
    return ClipDraft(sample_id(origin.item.id, 0), [], "this opacity", file)


def rows_of(item_id: str, generation: int = 1, samples: int = 2) -> dict[str, list[dict[str, Any]]]:
    """Rows of an item for every table; none but a reject when it gave no sample."""
    origin = Provenance(
        item=Item(id=item_id, uri="/video.mp4", title="Chest film"),
        generation=generation,
        config_hash=f"config-{generation}",
        medpipe_version="0",
        models={"transcribe": "tiny"},
    )
    transcript = Transcript(
        language="en", duration_s=9, speech_s=2, model="tiny", words=WORDS, segments=()
    )
    item = item_row(
        origin,
        video=None,
        language="en",
        rejection=None if samples else ("no_image", "nothing rests"),
        counts={"samples": samples},
        trace=TRACE,
        cpu_s={"extract": 1.0},
        wall_s={"extract": 2.0},
    )
    drop = Drop(stage="extract", kind="image", code="blank_image", detail="contrast 1.0")
    return {
        "samples": [sample(origin, index) for index in range(samples)],
        "transcripts": [transcript_row(transcript, origin)] if samples else [],
        "clips": clip_rows([clip(origin)], origin) if samples else [],
        "rejects": reject_rows([drop], origin),
        "items": [item],
    }


def put_item(store: ObjectStore, item_id: str, generation: int = 1, samples: int = 2) -> Manifest:
    """Write an item's files and its manifest."""
    return write_item(
        store,
        rows_of(item_id, generation, samples),
        item_id=item_id,
        generation=generation,
        config_hash=f"config-{generation}",
        verdict="done" if samples else "rejected",
        reason=None if samples else "no_image",
    )
