"""Turns records into rows of the tables; nothing is computed here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medpipe.dataset.schema import SCHEMA_VERSION
from medpipe.records import Drop, Item, Narration, Scene, Trace, Transcript, Video


@dataclass(frozen=True, slots=True)
class Provenance:
    """What every row says of where it came from and what made it."""

    item: Item
    generation: int
    config_hash: str
    medpipe_version: str
    models: Mapping[str, str]
    url: str | None = None
    source_sha256: str | None = None
    fetched_at: datetime | None = None

    def columns(self) -> dict[str, Any]:
        """The columns that all tables share."""
        return {
            "source": self.item.source,
            "url": self.url,
            "licence": self.item.licence,
            "source_sha256": self.source_sha256,
            "fetched_at": self.fetched_at,
            "generation": self.generation,
            "config_hash": self.config_hash,
            "medpipe_version": self.medpipe_version,
            "schema_version": SCHEMA_VERSION,
            "models": [{"stage": s, "model": m} for s, m in sorted(self.models.items())],
        }


@dataclass(frozen=True, slots=True)
class SampleDraft:
    """One image with all that was said about it, before it is a row.

    Attributes:
        index: Place among the item's samples.
        scenes: Where the image was shown; narrations name them by `Scene.index`.
        part_of: Place of the sample that it was cut out of, or None.
        parts: How many pictures were cut out of it.
        masks_px: (x0, y0, x1, y1) of what was taken out of it for somebody's privacy.
    """

    index: int
    image: bytes
    suffix: str
    sha256: str
    phash: str
    contrast: float
    sharpness: float
    scenes: Sequence[Scene]
    narrations: Sequence[Narration]
    part_of: int | None = None
    parts: int = 0
    masks_px: tuple[tuple[int, int, int, int], ...] = ()


def sample_id(item_id: str, index: int) -> str:
    """Id of an item's sample: `file:...#000`."""
    return f"{item_id}#{index:03d}"


def sample_row(draft: SampleDraft, siblings: Sequence[str], origin: Provenance) -> dict[str, Any]:
    """The row of one sample."""
    first = draft.scenes[0]
    place = {scene.index: n for n, scene in enumerate(draft.scenes)}
    return {
        "id": sample_id(origin.item.id, draft.index),
        "item_id": origin.item.id,
        "index": draft.index,
        "image": {"bytes": draft.image, "path": f"{draft.sha256[:16]}.{draft.suffix}"},
        "width_px": first.width_px,
        "height_px": first.height_px,
        "sha256": draft.sha256,
        "phash": draft.phash,
        "scenes": [
            {"start_s": s.start_s, "end_s": s.end_s, "box_px": list(s.box_px)} for s in draft.scenes
        ],
        "domains": [],
        "unrecovered_px": first.unrecovered_px,
        "quality": {"contrast": draft.contrast, "sharpness": draft.sharpness},
        "flags": _flags(draft),
        "narrations": [narration_row(n, place[n.scene]) for n in draft.narrations],
        "siblings": list(siblings),
        "part_of": None if draft.part_of is None else sample_id(origin.item.id, draft.part_of),
        "parts": draft.parts,
        "duplicate_of": None,
        "title": origin.item.title,
        "channel": origin.item.channel,
        **origin.columns(),
    }


def _flags(draft: SampleDraft) -> list[str]:
    told = {"unrecovered": draft.scenes[0].unrecovered_px > 0, "masked_text": bool(draft.masks_px)}
    return [flag for flag, holds in told.items() if holds]


def narration_row(narration: Narration, scene: int) -> dict[str, Any]:
    """A narration as the struct of the `narrations` column."""
    return {
        "kind": narration.kind,
        "text": narration.text,
        "raw_text": narration.raw_text,
        "start_s": narration.start_s,
        "end_s": narration.end_s,
        "scene": scene,
        "words": [
            {
                "text": w.text,
                "start_s": w.start_s,
                "end_s": w.end_s,
                "probability": w.probability,
                "first_point": points[0],
                "end_point": points[1],
            }
            for w, points in zip(narration.words, _points(narration), strict=True)
        ],
        "negated": narration.negated,
        "deictic": narration.deictic,
        "concepts": [],
        "trace": trace_row(narration.trace),
        "boxes": [
            {
                "xyxy": [b.x0, b.y0, b.x1, b.y1],
                "score": b.score,
                "area": b.area,
                "n_points": b.n_points,
                "method": b.method,
                "negated": b.negated,
            }
            for b in narration.boxes
        ],
        "hedged": narration.hedged,
    }


def _points(narration: Narration) -> Sequence[tuple[int | None, int | None]]:
    return narration.word_points or [(None, None)] * len(narration.words)


def trace_row(trace: Trace) -> dict[str, Any]:
    """A trace as five parallel lists."""
    return {
        "t_s": trace.t_s.tolist(),
        "x": trace.x.tolist(),
        "y": trace.y.tolist(),
        "confidence": trace.confidence.tolist(),
        "kind": trace.kind.tolist(),
    }


def transcript_row(transcript: Transcript, origin: Provenance) -> dict[str, Any]:
    """The row of one transcript; corrections stay empty until a refiner makes some."""
    return {
        "item_id": origin.item.id,
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "duration_s": transcript.duration_s,
        "speech_s": transcript.speech_s,
        "text": " ".join(w.text for w in transcript.words if w.suspect is None),
        "words": [w.model_dump() for w in transcript.words],
        "segments": [s.model_dump() for s in transcript.segments],
        "corrections": [],
        **origin.columns(),
    }


@dataclass(frozen=True, slots=True)
class ClipDraft:
    """A clip in the store, before it is a row.

    Attributes:
        sample: Id of the sample whose image it shows.
        phrases: What was pointed at in it, each with its place among the sample's narrations.
        text: All that is said in it, as heard.
        file: Columns that say what the clip is: `key`, `start_s`, `end_s`, `sha256`,
            `size_bytes`, `video_codec`, `audio_codec`, `how`.
    """

    sample: str
    phrases: Sequence[tuple[int, Narration]]
    text: str
    file: Mapping[str, Any]


def clip_rows(drafts: Iterable[ClipDraft], origin: Provenance) -> list[dict[str, Any]]:
    """A row for each clip."""
    return [
        {
            "id": f"{origin.item.id}@{index:03d}",
            "item_id": origin.item.id,
            "sample_id": draft.sample,
            "text": draft.text,
            "phrases": [
                {"text": n.text, "start_s": n.start_s, "end_s": n.end_s, "narration": place}
                for place, n in draft.phrases
            ],
            "title": origin.item.title,
            "channel": origin.item.channel,
            **draft.file,
            **origin.columns(),
        }
        for index, draft in enumerate(drafts)
    ]


def reject_rows(drops: Iterable[Drop], origin: Provenance) -> list[dict[str, Any]]:
    """A row for each thing that was dropped."""
    return [
        {
            "item_id": origin.item.id,
            "stage": drop.stage,
            "kind": drop.kind,
            "code": drop.code,
            "detail": drop.detail,
            "start_s": drop.start_s,
            "end_s": drop.end_s,
            "evidence": drop.evidence,
            **origin.columns(),
        }
        for drop in drops
    ]


def item_row(
    origin: Provenance,
    *,
    video: Video | None,
    language: str | None,
    rejection: tuple[str, str] | None,
    counts: Mapping[str, int],
    trace: Trace,
    cpu_s: Mapping[str, float],
    wall_s: Mapping[str, float],
    cost_usd: float | None = None,
    word_shift_s: float | None = None,
) -> dict[str, Any]:
    """The row of one item, finished or rejected.

    Args:
        origin: Provenance.
        video: What was fetched, or None if nothing was.
        language: Of the transcript.
        rejection: Reason code and detail, or None for a good item.
        counts: What the item gave.
        trace: Of the whole video, shares of the decoded frame.
        cpu_s: By stage.
        wall_s: By stage.
        cost_usd: What it cost, or None without prices.
        word_shift_s: What was added to word times, or None without evidence for any shift.
    """
    code, detail = rejection or (None, None)
    return {
        "id": origin.item.id,
        "title": origin.item.title,
        "channel": origin.item.channel,
        "verdict": "done" if rejection is None else "rejected",
        "reason": code,
        "detail": detail,
        "duration_s": video and video.duration_s,
        "size_bytes": video and video.size_bytes,
        "width_px": video and video.width_px,
        "height_px": video and video.height_px,
        "frame_rate": video and video.frame_rate,
        "video_codec": video and video.video_codec,
        "audio_codec": video and video.audio_codec,
        "language": language,
        "counts": dict(counts),
        "word_shift_s": word_shift_s,
        "trace": trace_row(trace),
        "timings": [
            {"stage": stage, "cpu_s": cpu_s[stage], "wall_s": wall_s.get(stage, 0.0)}
            for stage in sorted(cpu_s)
        ],
        "cost_usd": cost_usd,
        **origin.columns(),
    }
