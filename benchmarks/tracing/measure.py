"""Make a clip, extract it, run the peers on it, and score everything."""

import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures import make_lecture, random_spec
from benchmarks.tracing.catalogue import clip
from benchmarks.tracing.make import make_clip
from benchmarks.tracing.peers import run_peers
from benchmarks.tracing.score import (
    RADIUS_SHARE,
    Found,
    at_time,
    dwell_row,
    pointer_row,
    scene_row,
    track_off_px,
)
from benchmarks.tracing.spec import ClipSpec, Pointer
from medpipe.media.video import plain_decode_cpu_s
from medpipe.records import Extraction
from medpipe.stages.extract import ExtractConfig, extract

OURS = "medpipe"
# (width, height, frames a second, CRF) of the spoken lectures, one a seed in turn.
_SHAPES = ((1280, 720, 25, 30), (854, 480, 15, 34), (1280, 720, 30, 38), (640, 360, 25, 32))


@dataclass
class Moment:
    """A moment at which the extractor is wrong.

    Attributes:
        wrong_s: How long it stays wrong.
        text: Clip, time, what is wrong.
        bgr: (h, w, 3) uint8, the frame.
        true: Where the pointer is, None if there is none.
        found: Where it is said to be, None if nowhere.
    """

    wrong_s: float
    text: str
    bgr: NDArray[np.uint8]
    true: tuple[float, float] | None
    found: tuple[float, float] | None


@dataclass
class Outcome:
    """All figures of one clip.

    Attributes:
        row: `clip`, `kind`, facts of the file, and for each method its figures, ready for JSON.
        worst: The longest stretch at which the extractor is wrong.
        sure: (n, 2): confidence of each found point, and whether it is right.
    """

    row: dict[str, Any]
    worst: Moment | None = None
    sure: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))


def measure(kind: str, seed: int, seconds: float | None, *, peers: Sequence[str]) -> Outcome:
    """Make and score a clip of a kind beside some peers; `seconds` shortens it."""
    spec = clip(kind, seed)
    if seconds is not None and spec.seconds > seconds and kind not in {"parked", "pen"}:
        spec = clip(kind, seed, seconds=seconds)
    return measure_spec(spec, peers=peers)


def measure_spec(spec: ClipSpec, *, peers: Sequence[str]) -> Outcome:
    """Make and score a clip."""
    scale = spec.form.height_px / spec.screen_px[1]
    if spec.form.rotation_deg % 180:
        scale = spec.form.width_px / spec.screen_px[1]
    with tempfile.TemporaryDirectory() as name:
        made = make_clip(spec, Path(name))
        truth = json.loads(made.truth.read_text("utf-8"))
        return _scored(made.video, truth, spec.pointer, scale, peers)


def measure_lecture(seed: int, *, peers: Sequence[str]) -> Outcome:
    """Make and score a lecture of the other simulator, silent, 40 s."""
    wide, tall, fps, crf = _SHAPES[seed % len(_SHAPES)]
    spec = random_spec(
        seed, width_px=wide, height_px=tall, fps=fps, crf=crf, duration_s=40, speech="none"
    )
    with tempfile.TemporaryDirectory() as name:
        made = make_lecture(spec, Path(name))
        truth = json.loads(made.truth.read_text("utf-8"))
        truth["kind"], truth["title"] = "lecture", f"lecture-{seed}"
        truth["video"]["codec"] = "h264"
        truth["pointer"]["other_x_px"] = []
        first = spec.slides[0].cursor
        pointer = Pointer("arrow", "black" if first.colour == "black" else "white", first.size_px)
        return _scored(made.video, truth, pointer, 1.0, peers)


def found_by(extraction: Extraction) -> Found:
    """The pointer of an extraction, in pixels of the frame."""
    points = extraction.points
    return Found(
        points.t_s.astype(np.float64),
        points.x.astype(np.float64) * extraction.width_px,
        points.y.astype(np.float64) * extraction.height_px,
    )


def run_ours(video: Path, folder: Path) -> tuple[Extraction, float, float]:
    """Extract a file; also CPU seconds of a plain decode and of the extraction."""
    decode_s = plain_decode_cpu_s(video)
    start_s = time.process_time()
    extraction = extract(video, folder, ExtractConfig())
    return extraction, decode_s, time.process_time() - start_s


def _scored(
    video: Path, truth: dict[str, Any], pointer: Pointer | None, scale: float, peers: Sequence[str]
) -> Outcome:
    images = video.parent / "images"
    images.mkdir()
    extraction, decode_s, cpu_s = run_ours(video, images)
    found = found_by(extraction)
    scenes = extraction.scenes
    spans = [{"start_s": s.start_s, "end_s": s.end_s} for s in scenes]
    shown = [(s.start_s, s.end_s, Path(s.image_path), s.box_px) for s in scenes]
    frames = max(len(truth["pointer"]["t_s"]), 1)
    methods = {
        OURS: {
            **pointer_row(truth, found),
            **scene_row(truth, spans),
            **dwell_row(truth, video.parent, shown),
            "cpu_over_decode": cpu_s / decode_s,
            "ms_a_frame": cpu_s / frames * 1000,
        }
    }
    for name, (peer, peer_s) in run_peers(video, pointer, scale, peers).items():
        methods[name] = {
            **pointer_row(truth, peer),
            "cpu_over_decode": peer_s / decode_s,
            "ms_a_frame": peer_s / frames * 1000,
        }
    rounded = {name: {k: _short(v) for k, v in row.items()} for name, row in methods.items()}
    row = {"clip": truth["title"], "kind": truth["kind"], **truth["video"], "methods": rounded}
    return Outcome(row, _worst(video, truth, found), _sure(truth, found, extraction))


def _short(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _sure(truth: dict[str, Any], found: Found, extraction: Extraction) -> NDArray[np.float64]:
    """Confidence of each point, and whether it lies on a pointer."""
    pointer, video = truth["pointer"], truth["video"]
    t_s = np.array(pointer["t_s"])
    known = np.array([pointer["x_px"], pointer["y_px"]], np.float64)
    if not len(found.t_s):
        return np.zeros((0, 2))
    n = np.clip(np.searchsorted(t_s, found.t_s - 1e-3), 0, len(t_s) - 1)
    off = np.hypot(known[0, n] - found.x_px, known[1, n] - found.y_px)
    right = off <= RADIUS_SHARE * math.hypot(video["width_px"], video["height_px"])
    return np.stack([extraction.points.confidence.astype(np.float64), right], 1)


def _worst(video: Path, truth: dict[str, Any], found: Found) -> Moment | None:
    """The longest stretch of frames that are wrong, at its middle."""
    t_s = np.array(truth["pointer"]["t_s"])
    wrong = np.concatenate([[False], track_off_px(truth, found) > 1, [False]])
    starts, ends = (np.flatnonzero(np.diff(wrong.astype(int)) == way) for way in (1, -1))
    if not len(starts):
        return None
    last = np.minimum(ends, len(t_s) - 1)
    k = int(np.argmax(t_s[last] - t_s[starts]))
    n = int((starts[k] + ends[k]) // 2)
    wrong_s = float(t_s[last[k]] - t_s[starts[k]])
    x, y = truth["pointer"]["x_px"][n], truth["pointer"]["y_px"][n]
    place = at_time(found, float(t_s[n]))
    known = None if x is None else (float(x), float(y))
    said = None if math.isnan(place[0]) else place
    what = "false" if known is None else "missed" if said is None else "off"
    text = f"{truth['title']} {t_s[n]:.1f} s, {what} for {wrong_s:.1f} s"
    return Moment(wrong_s, text, _frame(video, n), known, said)


def _frame(video: Path, number: int) -> NDArray[np.uint8]:
    """One frame of a file by its number."""
    with av.open(str(video)) as file:
        frame = next(islice(file.decode(video=0), number, None))
        return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
