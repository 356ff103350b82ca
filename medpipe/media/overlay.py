"""Draw what was found over the video it was found in: what one debugs an extraction with."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.media.video import VideoReader, open_video
from medpipe.records import Extraction, PointerKind, Scene, Trace

Bgr = NDArray[np.uint8]

_TICKS_HZ = 90_000
_MAX_GAP_S = 0.25
_TRAIL_S = 1.5
_SCENE, _BETWEEN, _HIDDEN = (90, 200, 90), (60, 60, 220), (150, 150, 150)
_COLOURS = {
    PointerKind.ARROW: (40, 200, 255),
    PointerKind.HAND: (255, 170, 60),
    PointerKind.CROSS: (255, 90, 220),
    PointerKind.TEXT_CURSOR: (200, 255, 80),
    PointerKind.LASER: (60, 60, 255),
    PointerKind.HALO: (0, 220, 220),
    PointerKind.PEN: (255, 80, 80),
}


def write_overlay(video: Path, found: Extraction, target: Path) -> int:
    """Write a copy of a video, without its sound, with the findings drawn in.

    The pointer's tip is ringed and named with kind and confidence, its last 1.5 s are a line; the
    rim is green within a scene and red between scenes; a bar above the picture tells time, scene
    and whether a pointer is seen. Every frame keeps its presentation stamp; one frame is in memory
    at a time.

    Args:
        video: The file that was extracted.
        found: What was found in it.
        target: H.264 file to write; its ending names the container.

    Returns:
        How many frames were written.

    Raises:
        Rejected: The video cannot be read, as `open_video` has it.
        OSError: The target cannot be written.
    """
    with open_video(video) as reader, av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", options={"preset": "veryfast", "crf": "20"})
        painter: _Painter | None = None
        for frame in reader:
            if painter is None:
                painter = _Painter(reader, found)
                stream.width, stream.height = painter.size_px
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
            drawn = av.VideoFrame.from_ndarray(painter.drawn(frame.bgr(), frame.time_s), "bgr24")
            drawn.pts, drawn.time_base = round(frame.time_s * _TICKS_HZ), Fraction(1, _TICKS_HZ)
            out.mux(stream.encode(drawn))
        out.mux(stream.encode(None))
        return reader.frames


class _Painter:
    """Draws one frame after the other; sizes follow the frame's height."""

    def __init__(self, reader: VideoReader, found: Extraction) -> None:
        self._points, self._scenes = found.points, found.scenes
        self._width, self._height = reader.width_px, reader.height_px
        self._bar = max(self._height // 18, 18) & ~1
        self._thick = max(self._height // 360, 1)
        self.size_px = (self._width + 1) & ~1, ((self._height + 1) & ~1) + self._bar

    def drawn(self, bgr: Bgr, time_s: float) -> Bgr:
        """Return a frame with a bar above it and the findings of its time."""
        scene = next((s for s in self._scenes if s.start_s <= time_s <= s.end_s), None)
        self._rim(bgr, scene)
        now = self._now(time_s)
        if now is not None:
            self._pointer(bgr, time_s, now)
        wide, tall = self.size_px
        page = np.zeros((tall, wide, 3), np.uint8)
        page[self._bar : self._bar + self._height, : self._width] = bgr
        where = "between scenes" if scene is None else f"scene {scene.index}"
        self._write(page, f"{time_s:8.3f} s  {where}", 4, _BETWEEN if scene is None else _SCENE)
        if now is None:
            self._write(page, "no pointer", wide * 5 // 8, _HIDDEN)
        else:
            kind = PointerKind(int(now.kind[0]))
            text = f"{kind.name.lower()} {float(now.confidence[0]):.2f}"
            self._write(page, text, wide * 5 // 8, _colour(kind))
        return page

    def _now(self, time_s: float) -> Trace | None:
        """The pointer at a time as one point; between two points if they are close in time."""
        points = self._points
        if not len(points):
            return None
        k = int(np.searchsorted(points.t_s, np.float32(time_s)))
        near = min(k, len(points) - 1)
        if k and (k == len(points) or time_s - points.t_s[k - 1] < points.t_s[k] - time_s):
            near = k - 1
        pair = k and k < len(points) and points.t_s[k] - points.t_s[k - 1] <= _MAX_GAP_S
        if not pair and abs(points.t_s[near] - time_s) > _MAX_GAP_S / 2:
            return None
        x, y = points.x[near], points.y[near]
        if pair:
            x, y = (np.interp(time_s, points.t_s[k - 1 : k + 1], v[k - 1 : k + 1])
                    for v in (points.x, points.y))  # fmt: skip
        return Trace.of([time_s], [x], [y], [points.confidence[near]], [points.kind[near]])

    def _pointer(self, bgr: Bgr, time_s: float, now: Trace) -> None:
        recent = self._points.between(time_s - _TRAIL_S, time_s)
        for k in range(1, len(recent)):
            if recent.t_s[k] - recent.t_s[k - 1] <= _MAX_GAP_S:
                ends = self._px(recent, k - 1), self._px(recent, k)
                cv2.line(bgr, *ends, _colour(int(recent.kind[k])), self._thick, cv2.LINE_AA)
        at, colour = self._px(now, 0), _colour(int(now.kind[0]))
        cv2.circle(bgr, at, self._height // 50 + 3, colour, self._thick + 1, cv2.LINE_AA)
        cv2.circle(bgr, at, self._thick, colour, -1)

    def _px(self, trace: Trace, k: int) -> tuple[int, int]:
        return int(trace.x[k] * self._width), int(trace.y[k] * self._height)

    def _rim(self, bgr: Bgr, scene: Scene | None) -> None:
        x0, y0, x1, y1 = (0, 0, self._width, self._height) if scene is None else scene.box_px
        colour = _BETWEEN if scene is None else _SCENE
        cv2.rectangle(bgr, (x0, y0), (x1 - 1, y1 - 1), colour, 2 * self._thick)

    def _write(self, page: Bgr, text: str, x: int, colour: tuple[int, int, int]) -> None:
        size = self._bar / 36
        at = (x, self._bar * 7 // 10)
        cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _colour(kind: int) -> tuple[int, int, int]:
    return _COLOURS.get(PointerKind(kind), (255, 255, 255))
