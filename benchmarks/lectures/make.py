"""Make a lecture: lay it out in time, paint it, write the video and the truth."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.encode import I420, Still, VideoWriter, with_cursor
from benchmarks.lectures.pointing import Pointing, point
from benchmarks.lectures.slides import Painter
from benchmarks.lectures.spec import LectureSpec
from benchmarks.lectures.speech import RATE_HZ
from benchmarks.lectures.timeline import Timeline, lay_out
from benchmarks.lectures.truth import slide_at, truth_of


@dataclass(frozen=True)
class LecturePaths:
    """Where a lecture lies."""

    video: Path
    truth: Path


def make_lecture(spec: LectureSpec, out_dir: Path, clean: bool = False) -> LecturePaths:
    """Write `<name>.mp4` and `<name>.truth.json`.

    Args:
        spec: The lecture.
        out_dir: Folder to write to; made if missing.
        clean: Also write one picture a scene without pointer, `<name>-<k>.png`.

    Returns:
        The paths of the two files.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    video, truth = out_dir / f"{spec.name}.mp4", out_dir / f"{spec.name}.truth.json"
    painter = Painter(spec)
    timeline = lay_out(spec, painter)
    t_s = np.arange(round(timeline.duration_s * spec.fps)) / spec.fps
    pointing = point(spec, timeline, t_s)
    _write_video(video, spec, timeline, pointing, t_s, painter)
    known = truth_of(spec, timeline, pointing, t_s, painter)
    if clean:
        for k, scene in enumerate(known["scenes"]):
            scene["clean"] = f"{spec.name}-{k:02d}.png"
            on = int(slide_at(timeline, np.array([scene["start_s"]]))[0])
            rgb = painter.frame(timeline.shown[on].slide, timeline.shown[on].at_slice)
            path, bgr = str(out_dir / scene["clean"]), rgb[..., ::-1]
            cv2.imwrite(path, bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    truth.write_text(json.dumps(known, separators=(",", ":")) + "\n")
    return LecturePaths(video, truth)


def _write_video(
    path: Path,
    spec: LectureSpec,
    timeline: Timeline,
    pointing: Pointing,
    t_s: NDArray[np.float64],
    painter: Painter,
) -> None:
    """Paint and code every frame, sound beside the frames it belongs to."""
    stills = lru_cache(maxsize=8)(lambda slide, k: Still(painter.frame(slide, k)))
    on = slide_at(timeline, t_s)
    done = 0
    with VideoWriter(path, spec) as writer:
        for n, t in enumerate(t_s):
            shown = timeline.shown[on[n]]
            still = stills(shown.slide, shown.at_slice)
            if t < shown.start_s + shown.fade_s:
                before = timeline.shown[on[n] - 1]
                share = (t - shown.start_s) / shown.fade_s
                still = _faded(stills(before.slide, before.at_slice), still, share)
            planes: I420 = still.i420
            if pointing.visible[n]:
                cursor = spec.slides[shown.slide].cursor
                planes = with_cursor(still, cursor, *pointing.xy_px[n])
            writer.add_frame(planes)
            if (n + 1) % spec.fps == 0:
                until = round((t + 1 / spec.fps) * RATE_HZ) // 1024 * 1024
                writer.add_sound(timeline.sound[done:until])
                done = until
        writer.add_sound(timeline.sound[done:])


def _faded(before: Still, after: Still, share: float) -> Still:
    """Return a mix of two stills."""
    return Still(np.asarray(cv2.addWeighted(before.rgb, 1 - share, after.rgb, share, 0), np.uint8))
