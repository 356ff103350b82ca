"""The walk of one item as a value, and its steps as functions; runs in process without Ray."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import medpipe
from medpipe import faults
from medpipe.config import MedpipeConfig
from medpipe.dataset import Manifest, encode_image, write_item
from medpipe.dataset.images import decode_image
from medpipe.dataset.manifest import clip_prefix
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
from medpipe.drafts import (
    drafts_of,
    hide_identifiers,
    kept_scenes,
    private_spans,
    with_parts,
)
from medpipe.errors import Rejected
from medpipe.media.audio import audio_blocks
from medpipe.records import (
    AudioBlock,
    Drop,
    Extraction,
    Item,
    Scene,
    Trace,
    Transcript,
    Video,
)
from medpipe.scheduling import Step
from medpipe.secrets import mask
from medpipe.stages.acquire import acquire
from medpipe.stages.align import align
from medpipe.stages.classify import READER, judge
from medpipe.stages.clips import Clip, Event, cut_clips, events_of, said_between
from medpipe.stages.extract import extract
from medpipe.stages.refine import METHOD as REFINER
from medpipe.stages.refine import refine
from medpipe.stages.transcribe import Transcriber
from medpipe.storage import ObjectStore
from medpipe.telemetry import Timings

Span = tuple[float, float]
Cutter = Callable[[str, Sequence[Span]], Sequence[Clip | Drop]]

# The worker that fetched the file extracts from it and serves its sound; listening goes on beside.
VIDEO_WALK = (
    Step("acquire", pool="extract", holds_until=("extract", "transcribe"), lane="fetch"),
    Step("extract", pool="extract", needs=("acquire",), on="acquire"),
    Step("transcribe", pool="transcribe", needs=("acquire",)),
    Step("write", pool="write", needs=("extract", "transcribe"), stores=True),
)
# With clips the file is still needed while the rows are written: the writer asks for the cuts.
CLIPPED_WALK = (replace(VIDEO_WALK[0], holds_until=("write",)), *VIDEO_WALK[1:])
RECORD_REJECTION = Step("record", pool="write", stores=True)


def video_walk(config: MedpipeConfig) -> tuple[Step, ...]:
    """The steps of a video."""
    return CLIPPED_WALK if config.clips.enabled else VIDEO_WALK


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What a decode pass gave, ready to leave the machine that holds the file.

    Attributes:
        extraction: Scenes and traces; `Scene.image_path` means nothing elsewhere.
        images: The clean image of each scene, encoded once as the dataset keeps it.
    """

    extraction: Extraction
    images: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ticket:
    """Under what name an attempt writes: the item and the generation of its rows."""

    item: Item
    generation: int


def fetch(item: Item, scratch_dir: Path, config: MedpipeConfig) -> Video:
    """Step 1: bring the item's media to this machine's disk."""
    faults.at("acquire", item.id)
    return faults.given("acquire.gives", item.id, acquire(item, scratch_dir, config.acquiring))


def watch(video: Video, scratch_dir: Path, config: MedpipeConfig) -> Watched:
    """Step 3: one decode pass; then encode each clean image once."""
    faults.at("extract", video.item.id)
    images_dir = scratch_dir / "images"
    images_dir.mkdir(parents=True, exist_ok=True)
    extraction = extract(video.path, images_dir, config.extract)
    images = []
    for scene in extraction.scenes:
        path = Path(scene.image_path)
        images.append(encode_image(decode_image(path.read_bytes()), config.image))
        path.unlink()
    return faults.given("extract.gives", video.item.id, Watched(extraction, tuple(images)))


def sound(video: Video, config: MedpipeConfig) -> Iterator[AudioBlock]:
    """The video's sound in blocks cut at silence."""
    faults.at("sound", video.item.id)
    yield from audio_blocks(video.path, max_block_s=config.runtime.audio_block_s)


def listen(item_id: str, blocks: Iterable[AudioBlock], transcriber: Transcriber) -> Transcript:
    """Step 2: words with their times, one block of sound after the other."""
    faults.at("transcribe", item_id)
    return faults.given("transcribe.gives", item_id, transcriber.transcribe(blocks))


def cut(
    video: Video, prefix: str, spans_s: Sequence[Span], store: ObjectStore, config: MedpipeConfig
) -> list[Clip | Drop]:
    """Cut clips where the file is, and put them into the store before any row names them."""
    faults.at("clips", video.item.id)
    return cut_clips(Path(video.path), spans_s, store, prefix, config.clips)


def write(
    ticket: Ticket,
    video: Video,
    watched: Watched,
    transcript: Transcript,
    timings: Timings,
    store: ObjectStore,
    config: MedpipeConfig,
    cutter: Cutter,
) -> Manifest:
    """Steps 4 to 7: judge, read, align, and write the item's files and manifest.

    Args:
        ticket: Under what name.
        video: What was fetched.
        watched: What was seen.
        transcript: What was heard.
        timings: Of the steps so far; those of this one are added.
        store: The dataset's.
        config: All settings.
        cutter: Cuts clips on the machine that holds the file; called once, if clips are wanted.

    Returns:
        The manifest that stands for this generation of the item.
    """
    faults.at("write", ticket.item.id)
    with timings.stage("classify"):
        judged = judge((decode_image(data) for data in watched.images), config.classify)
    scenes, drops = kept_scenes(watched.extraction.scenes, judged)
    with timings.stage("refine"):
        reading = refine(transcript, config.refine)
    with timings.stage("align"):
        aligned = align(reading, transcript, scenes, config.align)
    whole = list(drafts_of(scenes, judged, watched.images, aligned, config.image.suffix))
    with timings.stage("classify"):
        shown, hidden, private = hide_identifiers(whole, config.classify, config.image)
        drafts, parts = with_parts(shown, config.classify, config.image)
    clips, uncut = _clips(drafts, scenes, private, ticket, video, timings, config, cutter)
    drops += [*_damage(watched.extraction), *reading.drops, *aligned.drops, *hidden, *uncut]
    origin = provenance(ticket, config, video)
    item = item_row(
        origin,
        video=video,
        language=transcript.language,
        rejection=None,
        counts=_counts(scenes, drafts, transcript, drops, clips, parts),
        trace=watched.extraction.points,
        cpu_s=timings.cpu_s,
        wall_s=timings.wall_s,
        cost_usd=config.prices.cost_usd(timings),
        word_shift_s=aligned.shift_s,
    )
    rows: dict[str, Iterable[dict[str, Any]]] = {
        "samples": _sample_rows(drafts, parts, origin),
        "transcripts": [transcript_row(transcript, origin)],
        "clips": clip_rows(clips, origin),
        "rejects": reject_rows(drops, origin),
        "items": [item],
    }
    return _put(store, ticket, origin, rows)


def _sample_rows(
    drafts: Sequence[SampleDraft], parts: Sequence[SampleDraft], origin: Provenance
) -> Iterator[dict[str, Any]]:
    siblings = [sample_id(origin.item.id, draft.index) for draft in drafts]
    for draft in [*drafts, *parts]:
        yield sample_row(draft, siblings, origin)


def _put(
    store: ObjectStore,
    ticket: Ticket,
    origin: Provenance,
    rows: Mapping[str, Iterable[dict[str, Any]]],
) -> Manifest:
    manifest = write_item(
        store,
        rows,
        item_id=ticket.item.id,
        generation=ticket.generation,
        config_hash=origin.config_hash,
        verdict="done",
    )
    return faults.given("write.gives", ticket.item.id, manifest)


def record_rejection(
    ticket: Ticket,
    rejection: Drop,
    video: Video | None,
    store: ObjectStore,
    config: MedpipeConfig,
) -> Manifest:
    """Write an item's rejection as its rows; it is data like any other outcome."""
    faults.at("record", ticket.item.id)
    origin = provenance(ticket, config, video)
    item = item_row(
        origin,
        video=video,
        language=None,
        rejection=(rejection.code, rejection.detail),
        counts={"drops": 1},
        trace=Trace.empty(),
        cpu_s={},
        wall_s={},
    )
    return write_item(
        store,
        {"rejects": reject_rows([rejection], origin), "items": [item]},
        item_id=ticket.item.id,
        generation=ticket.generation,
        config_hash=origin.config_hash,
        verdict="rejected",
        reason=rejection.code,
    )


def run_item(
    item: Item,
    store: ObjectStore,
    config: MedpipeConfig,
    transcriber: Transcriber,
    *,
    generation: int = 1,
) -> Manifest:
    """Walk one item in this process and write its files; the caller commits the manifest.

    Args:
        item: What to curate.
        store: Where the dataset lies.
        config: All settings.
        transcriber: Opened by the caller, so that its model serves many items.
        generation: One more than that of the item's rows that are in, if any are.

    Raises:
        Transient: The world failed; try again later.
    """
    ticket, timings, video, stage = Ticket(item, generation), Timings(), None, "acquire"
    with tempfile.TemporaryDirectory(dir=config.runtime.scratch_dir, prefix="medpipe-") as folder:
        scratch_dir = Path(folder)
        try:
            with timings.stage("acquire"):
                video = fetch(item, scratch_dir, config)
            ticket, stage = Ticket(video.item, generation), "extract"
            with timings.stage("extract"):
                watched = watch(video, scratch_dir, config)
            stage = "transcribe"
            with timings.stage(stage, time.process_time):
                transcript = listen(video.item.id, sound(video, config), transcriber)
        except Rejected as error:
            drop = Drop(stage=stage, kind="item", code=error.code, detail=error.detail)
            return record_rejection(ticket, drop, video, store, config)
        cutter = partial(_cut_here, video, store, config)
        return write(ticket, video, watched, transcript, timings, store, config, cutter)


def _cut_here(
    video: Video, store: ObjectStore, config: MedpipeConfig, prefix: str, spans_s: Sequence[Span]
) -> list[Clip | Drop]:
    return cut(video, prefix, spans_s, store, config)


def provenance(ticket: Ticket, config: MedpipeConfig, video: Video | None) -> Provenance:
    """Where the rows of this attempt come from."""
    return Provenance(
        item=ticket.item,
        generation=ticket.generation,
        config_hash=config.rows_hash(),
        medpipe_version=medpipe.__version__,
        models=_models(config),
        url=_public_url(ticket.item.uri if video is None else video.url),
        source_sha256=video.sha256 if video else None,
        fetched_at=video.fetched_at if video else None,
    )


def _models(config: MedpipeConfig) -> dict[str, str]:
    models = {"transcribe": config.transcribe.model, "refine": REFINER}
    return models if config.classify.identifiers == "keep" else models | {"classify": READER}


def _public_url(uri: str | None) -> str | None:
    """A web address as a row may keep it, without what signs it; None for a local file."""
    return mask(uri) if uri and uri.startswith(("http://", "https://")) else None


def _damage(extraction: Extraction) -> list[Drop]:
    """What a damaged file kept from being seen."""
    if not extraction.broken:
        return []
    told = f"{extraction.broken} pictures of {extraction.frames} decode in part or not at all"
    return [Drop(stage="extract", kind="trace", code="damaged_file", detail=told)]


def _clips(
    drafts: Sequence[SampleDraft],
    scenes: Sequence[Scene],
    private: Sequence[Scene],
    ticket: Ticket,
    video: Video,
    timings: Timings,
    config: MedpipeConfig,
    cutter: Cutter,
) -> tuple[list[ClipDraft], list[Drop]]:
    """The clips of an item, which are in the store by then, and those that could not be cut."""
    if not config.clips.enabled:
        return [], []
    said = [n for draft in drafts for n in draft.narrations]
    closed = private_spans(scenes, private)
    events, drops = [], list[Drop]()
    for event in events_of(said, video.duration_s, config.clips):
        if _is_closed(event, closed, config.clips.slack_s):
            drops.append(_private(event))
        else:
            events.append(event)
    prefix = clip_prefix(ticket.item.id, ticket.generation)
    with timings.stage("clips"):
        answers = cutter(prefix, [(event.start_s, event.end_s) for event in events])
    places = {id(n): (draft, k) for draft in drafts for k, n in enumerate(draft.narrations)}
    clips = []
    for event, answer in zip(events, answers, strict=True):
        if isinstance(answer, Drop):
            drops.append(answer)
            continue
        draft = places[id(event.phrases[0])][0]
        text = said_between(said, answer.start_s, answer.end_s)
        phrases = [(places[id(n)][1], n) for n in event.phrases]
        sample = sample_id(ticket.item.id, draft.index)
        clips.append(ClipDraft(sample, phrases, text, answer.model_dump()))
    return clips, drops


def _private(event: Event) -> Drop:
    return Drop(
        stage="clips",
        kind="clip",
        code="privacy",
        detail="it shows what was taken out of an image",
        start_s=event.start_s,
        end_s=event.end_s,
    )


def _is_closed(event: Event, closed: Sequence[Span], slack_s: float) -> bool:
    """Whether a clip of an event, which may be longer by the slack, reaches into a closed span."""
    return any(
        start_s < event.end_s + slack_s and event.start_s - slack_s < end_s
        for start_s, end_s in closed
    )


def _counts(
    scenes: Sequence[Scene],
    drafts: Sequence[SampleDraft],
    transcript: Transcript,
    drops: Sequence[Drop],
    clips: Sequence[ClipDraft],
    parts: Sequence[SampleDraft],
) -> dict[str, int]:
    narrations = [n for draft in drafts for n in draft.narrations]
    return {
        "scenes": len(scenes),
        "samples": len(drafts),
        "narrations": len(narrations),
        "boxes": sum(len(n.boxes) for n in narrations),
        "words": sum(word.suspect is None for word in transcript.words),
        "trace_points": sum(len(scene.trace) for scene in scenes),
        "drops": len(drops),
        "clips": len(clips),
        "parts": len(parts),
    }
