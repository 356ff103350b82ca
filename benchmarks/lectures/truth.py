"""What is known about a lecture, in the shape the scorers read."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.pictures import picture
from benchmarks.lectures.pointing import Pointing
from benchmarks.lectures.slides import Painter
from benchmarks.lectures.spec import LectureSpec
from benchmarks.lectures.timeline import Phrase, Timeline

LICENCE = (
    "Script, drawing and motion: CC0-1.0. Voice: Piper en_US-joe-medium (CC0-1.0 model card). "
    "Pictures: see sources."
)
MIN_SCENE_S = 1.0


def truth_of(
    spec: LectureSpec,
    timeline: Timeline,
    pointing: Pointing,
    t_s: NDArray[np.float64],
    painter: Painter,
) -> dict[str, Any]:
    """Return the truth of a lecture, ready for JSON."""
    used = dict.fromkeys(slide.picture for slide in spec.slides)
    return {
        "version": 1,
        "title": spec.title,
        "licence": LICENCE,
        "sources": [
            {"picture": name, "package": picture(name).package, "licence": picture(name).licence}
            for name in used
        ],
        "video": {
            "width_px": spec.width_px,
            "height_px": spec.height_px,
            "duration_s": round(len(t_s) / spec.fps, 6),
            "frame_rate": spec.fps,
            "crf": spec.crf,
        },
        "pointer": _pointer(spec, timeline, pointing, t_s),
        "scenes": scenes(spec, timeline, len(t_s), painter),
        "word_times": "aligned" if timeline.aligned else "interpolated",
        "words": [
            {"text": w.text, "start_s": round(w.start_s, 4), "end_s": round(w.end_s, 4)}
            for w in timeline.words
        ],
        "text": timeline.text,
        "phrases": [_phrase(phrase) for said in timeline.said for phrase in said.phrases],
    }


def _phrase(phrase: Phrase) -> dict[str, Any]:
    return {
        "phrase": phrase.text,
        "start_s": round(phrase.start_s, 4),
        "end_s": round(phrase.end_s, 4),
        "box_px": [round(edge, 2) for edge in phrase.box_px],
        "negated": phrase.negated,
    }


def slide_at(timeline: Timeline, t_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which entry of `timeline.shown` is on the screen at each time."""
    starts = np.array([each.start_s for each in timeline.shown])
    return np.searchsorted(starts, t_s + 1e-9, side="right") - 1


def scenes(
    spec: LectureSpec, timeline: Timeline, frames: int, painter: Painter
) -> list[dict[str, Any]]:
    """Return the stable intervals of at least a second, on frame times."""
    out = []
    ends = [each.start_s for each in timeline.shown[1:]] + [frames / spec.fps]
    for shown, end in zip(timeline.shown, ends, strict=True):
        first = _next_frame(shown.start_s + shown.fade_s, spec.fps)
        last = _next_frame(end, spec.fps)
        if last - first < MIN_SCENE_S:
            continue
        name = spec.slides[shown.slide].picture
        stacked = picture(name).slices > 1
        out.append(
            {
                "start_s": round(first, 4),
                "end_s": round(last, 4),
                "box_px": list(painter.content_px()),
                "picture": f"{name}[{shown.at_slice}]" if stacked else name,
            }
        )
    return out


def _next_frame(t_s: float, fps: int) -> float:
    """Return the time of the first frame at or after a time."""
    return math.ceil(t_s * fps - 1e-6) / fps


def _pointer(
    spec: LectureSpec, timeline: Timeline, pointing: Pointing, t_s: NDArray[np.float64]
) -> dict[str, Any]:
    on = slide_at(timeline, t_s)
    kinds = [spec.slides[timeline.shown[k].slide].cursor.kind for k in on]
    x, y = pointing.xy_px.T
    seen = pointing.visible
    return {
        "t_s": [round(float(t), 6) for t in t_s],
        "x_px": [float(v) if s else None for v, s in zip(x, seen, strict=True)],
        "y_px": [float(v) if s else None for v, s in zip(y, seen, strict=True)],
        "visible": [bool(s) for s in seen],
        "kind": kinds,
    }
