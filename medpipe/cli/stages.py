"""One stage alone on one file, with the JSON that others script against."""

import time
from pathlib import Path
from typing import Any

from medpipe.config import MedpipeConfig
from medpipe.errors import ConfigError, Rejected
from medpipe.media.audio import audio_blocks
from medpipe.media.overlay import write_overlay
from medpipe.media.video import plain_decode_cpu_s
from medpipe.records import Extraction, PointerKind, Trace
from medpipe.stages.extract import extract
from medpipe.stages.transcribe import Transcriber


def transcribe_file(media: Path, config: MedpipeConfig) -> dict[str, Any]:
    """Listen to one file.

    Returns:
        `language, duration_s, words, segments, timing`, as the design's section 8 has it.

    Raises:
        ConfigError: There is no such file, or it has no sound.
    """
    _check(media)
    transcriber = Transcriber(config.transcribe)
    transcriber.open()
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    blocks = audio_blocks(media, max_block_s=config.runtime.audio_block_s)
    try:
        transcript = transcriber.transcribe(blocks)
    except Rejected as error:
        raise ConfigError(f"{media}: {error}") from error
    finally:
        transcriber.close()
    return {
        "language": transcript.language,
        "duration_s": transcript.duration_s,
        "words": [word.model_dump() for word in transcript.words],
        "segments": [segment.model_dump() for segment in transcript.segments],
        "timing": {
            "cpu_s": time.process_time() - cpu_s,
            "wall_s": time.perf_counter() - wall_s,
            "model": transcript.model,
        },
    }


def extract_file(
    video: Path, images: Path, config: MedpipeConfig, overlay: Path | None = None
) -> dict[str, Any]:
    """Watch one video; with `overlay`, also write a copy with the findings drawn in.

    Returns:
        `video, points, scenes, timing`, as the design's section 8 has it.

    Raises:
        ConfigError: There is no such file, it is no video, or the overlay cannot be written there.
    """
    _check(video)
    _check_overlay(video, overlay)
    images.mkdir(parents=True, exist_ok=True)
    cpu_s = time.process_time()
    try:
        found = extract(video, images, config.extract)
    except Rejected as error:
        raise ConfigError(f"{video}: {error}") from error
    total_s = time.process_time() - cpu_s
    if overlay is not None:
        overlay.parent.mkdir(parents=True, exist_ok=True)
        write_overlay(video, found, overlay)
    timing = {"decode_s": plain_decode_cpu_s(video), "total_s": total_s}
    return {**extraction_json(found), "timing": timing}


def extraction_json(found: Extraction) -> dict[str, Any]:
    """An extraction in the words of the command line: points in pixels, traces in shares."""
    return {
        "video": {
            "width_px": found.width_px,
            "height_px": found.height_px,
            "duration_s": found.duration_s,
            "frames": found.frames,
            "decoder": found.decoder,
            "broken": found.broken,
        },
        "points": _points(found, found.points),
        "others": [_points(found, trace) for trace in found.others],
        "scenes": [
            {
                "start_s": scene.start_s,
                "end_s": scene.end_s,
                "image": Path(scene.image_path).name,
                "box_px": list(scene.box_px),
                "trace": [
                    [float(t), float(x), float(y), float(c)]
                    for t, x, y, c in zip(
                        scene.trace.t_s,
                        scene.trace.x,
                        scene.trace.y,
                        scene.trace.confidence,
                        strict=True,
                    )
                ],
            }
            for scene in found.scenes
        ],
    }


def _points(found: Extraction, trace: Trace) -> list[dict[str, Any]]:
    return [
        {
            "t_s": float(trace.t_s[i]),
            "x_px": float(trace.x[i]) * found.width_px,
            "y_px": float(trace.y[i]) * found.height_px,
            "confidence": float(trace.confidence[i]),
            "kind": PointerKind(int(trace.kind[i])).name.lower(),
        }
        for i in range(len(trace))
    ]


def _check_overlay(video: Path, overlay: Path | None) -> None:
    if overlay is None:
        return
    if overlay.suffix not in {".mp4", ".mkv", ".mov"}:
        raise ConfigError(f"an overlay ends in .mp4, .mkv or .mov, not {overlay.suffix!r}")
    if overlay.resolve() == video.resolve():
        raise ConfigError(f"the overlay would overwrite {video}")


def _check(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
