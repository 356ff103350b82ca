"""Images with burned-in names on their way into a dataset."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from medpipe import Dataset, open_store
from medpipe.config import MedpipeConfig, load_config
from medpipe.dataset import Committer, ImageConfig, encode_image
from medpipe.dataset.images import decode_image
from medpipe.drafts import hide_identifiers, private_spans, with_parts
from medpipe.pipeline import Ticket, Watched, write
from medpipe.records import Drop, Extraction, Item, Scene, Trace, Transcript, Video, Word
from medpipe.stages.classify import ClassifyConfig
from medpipe.stages.classify.reading import read_text
from medpipe.stages.clips import Clip
from medpipe.telemetry import Timings
from tests.support.pictures import page, tissue
from tests.unit.test_drafts import draft

PNG = ImageConfig(format="png")


def named(pixels: NDArray[np.uint8], x: int = 12, y: int = 8) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    pen.rectangle((x - 4, y - 2, x + 130, y + 26), "black")
    pen.text((x, y), "DOE, JANE", "white", ImageFont.load_default(22))
    return np.array(image)


def read(data: bytes) -> str:
    texts = read_text(decode_image(data), long_sides_px=(1280, 640), min_score=0.3)
    return " ".join(text.text for text in texts)


def test_a_part_is_cut_from_the_masked_image_and_says_so() -> None:
    pixels = named(page(255, [(30, 60, 430, 460)]), 50, 80)
    whole, found, _ = hide_identifiers([draft(0, pixels)], ClassifyConfig(), PNG)
    (whole_after,), (part,) = with_parts(whole, ClassifyConfig(), PNG)

    assert [drop.code for drop in found] == ["identifiers_masked"]
    assert "JANE" in read(encode_image(pixels, PNG))
    assert "JANE" not in read(whole_after.image) + read(part.image)
    assert whole_after.masks_px
    assert part.masks_px
    assert whole_after.sha256 == hashlib.sha256(whole_after.image).hexdigest()


def test_a_row_says_where_something_stood_and_never_what() -> None:
    first = draft(0, named(tissue(640, 360, 1)))
    _, (found,), private = hide_identifiers([first], ClassifyConfig(), PNG)

    assert (found.kind, found.detail) == ("text", "1 name")
    assert found.evidence is not None
    evidence = json.loads(found.evidence)
    assert evidence["sha256"] == first.sha256
    assert len(evidence["boxes_px"]) == 1
    assert "JANE" not in found.model_dump_json().upper()
    assert [scene.index for scene in private] == [0]


def test_a_rejected_image_leaves_the_others_numbered_without_a_gap() -> None:
    drafts = [draft(0, named(tissue(640, 360, 1))), draft(1, tissue(640, 360, 2))]
    kept, (drop,), _ = hide_identifiers(drafts, ClassifyConfig(identifiers="reject"), PNG)

    assert [(each.index, each.sha256) for each in kept] == [(0, drafts[1].sha256)]
    assert (drop.kind, drop.code) == ("image", "burned_in_identifiers")


def test_a_private_span_reaches_to_the_next_clean_scene() -> None:
    empty = draft(0, tissue(640, 360, 1)).scenes[0]
    scenes = [replace(empty, index=k, start_s=10.0 * k, end_s=10.0 * k + 6) for k in range(4)]

    assert private_spans(scenes, [scenes[1]]) == [(6.0, 20.0)]
    assert private_spans(scenes, [scenes[0], scenes[3]]) == [(0.0, 10.0), (26.0, float("inf"))]
    assert private_spans(scenes, []) == []


def watched(images: Sequence[NDArray[np.uint8]]) -> Watched:
    """Scenes of ten seconds, in each of which a pointer goes round a place from second 2 to 4."""
    t_s = np.arange(0, 9.0, 0.1)
    turn = np.clip(t_s - 2, 0, 2) * np.pi
    trace = Trace.of(
        t_s, 0.5 + 0.12 * np.cos(turn), 0.5 + 0.12 * np.sin(turn), 0 * t_s + 0.9, 0 * t_s + 1
    )
    tall, wide = images[0].shape[:2]
    scenes = tuple(
        Scene(k, 10.0 * k, 10.0 * k + 9.5, "", wide, tall, (0, 0, wide, tall), 0, trace)
        for k in range(len(images))
    )
    whole = Extraction(wide, tall, 10.0 * len(images), 100, "h264", Trace.empty(), scenes)
    return Watched(whole, tuple(encode_image(image, ImageConfig()) for image in images))


def heard(scenes: int) -> Transcript:
    said = "Here you see the large lesion of the left lobe."
    words = tuple(
        Word(
            text=text,
            start_s=10 * k + 1.5 + 0.3 * n,
            end_s=10 * k + 1.75 + 0.3 * n,
            probability=0.9,
        )
        for k in range(scenes)
        for n, text in enumerate(said.split())
    )
    return Transcript(
        language="en", duration_s=10.0 * scenes, speech_s=9, model="none", words=words, segments=()
    )


def written(out: Path, config: MedpipeConfig) -> tuple[Dataset, list[tuple[float, float]]]:
    item = Item(id="file:" + "a" * 64, uri="/nowhere.mp4")
    video = Video(
        item=item, path="/nowhere.mp4", sha256="a" * 64, size_bytes=9,
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC), duration_s=40, width_px=640, height_px=360,
        frame_rate=25, video_codec="h264", audio_codec="aac",
    )  # fmt: skip
    images = [tissue(640, 360, k) for k in range(4)]
    images[0] = named(images[0])
    asked: list[tuple[float, float]] = []

    def cutter(_: str, spans_s: Sequence[tuple[float, float]]) -> list[Clip | Drop]:
        asked.extend(spans_s)
        return [Drop(stage="clips", kind="clip", code="cannot_be_cut") for _ in spans_s]

    store = open_store(str(out))
    seen, said = watched(images), heard(4)
    manifest = write(Ticket(item, 1), video, seen, said, Timings(), store, config, cutter)
    Committer(store).commit([manifest])
    return Dataset(store), asked


def test_a_name_is_in_no_stored_byte_and_no_clip_is_cut_that_shows_it(tmp_path: Path) -> None:
    config = load_config("demo", ["clips.enabled=true", "clips.slack_s=0.5"])
    data, asked = written(tmp_path, config)
    samples = sorted(data.rows("samples").to_pylist(), key=lambda row: str(row["id"]))
    rejects = data.rows("rejects").to_pylist()

    assert [("masked_text" in row["flags"]) for row in samples] == [True, False, False, False]
    assert "JANE" not in "".join(read(row["image"]["bytes"]) for row in samples)
    assert {"identifiers_masked", "privacy"} <= {row["code"] for row in rejects}
    assert asked
    assert min(start_s for start_s, _ in asked) > 10
    stored = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"JANE" not in stored.upper()


def test_names_that_are_to_be_kept_are_kept(tmp_path: Path) -> None:
    config = load_config("demo", ["classify.identifiers=keep", "clips.enabled=true"])
    data, asked = written(tmp_path, config)

    assert all(row["flags"] == [] for row in data.rows("samples").to_pylist())
    assert "JANE" in "".join(
        read(row["image"]["bytes"]) for row in data.rows("samples").to_pylist()
    )
    assert min(start_s for start_s, _ in asked) < 10
