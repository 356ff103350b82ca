"""Code frames in many forms: codecs, variable rate, fields, odd pixels, odd stamps."""

import os
import struct
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.spec import Form

os.environ.setdefault("SVT_LOG", "1")
TICKS_HZ = 90_000
_CODERS = {
    "h264": ("libx264", {"preset": "veryfast", "threads": "1"}),
    "hevc": ("libx265", {"preset": "veryfast", "x265-params": "log-level=none:pools=none"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "b": "0", "threads": "1"}),
    "av1": ("libsvtav1", {"preset": "11", "svtav1-params": "lp=1"}),
    "mpeg2": ("mpeg2video", {"threads": "1"}),
}
ENDINGS = {"mp4": ".mp4", "webm": ".webm", "mkv": ".mkv", "ts": ".ts"}
_TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


class Writer:
    """An open video file; use as a context manager."""

    def __init__(self, path: Path, form: Form, seed: int) -> None:
        self._path, self._form = path, form
        self._rng = np.random.default_rng([seed, 51])
        self._file = av.open(str(path), "w", options={"fflags": "+bitexact"})
        name, options = _CODERS[form.codec]
        self._video: Any = self._file.add_stream(
            name, rate=form.fps, options=_options(form, options)
        )
        self._video.width, self._video.height = form.width_px, form.height_px
        self._video.pix_fmt = _pixels(form)
        context = self._video.codec_context
        # MPEG-2 knows a few rates only, and no other clock than the rate's.
        tick = Fraction(1, form.fps if form.codec == "mpeg2" else TICKS_HZ)
        self._video.time_base = context.time_base = tick
        context.thread_count = 1
        context.sample_aspect_ratio = Fraction(*form.pixel_aspect)
        if form.interlaced:
            context.flags |= 0x20000000 | 0x40000

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Code what is left, unless something went wrong, and close the file."""
        if kind is None:
            self._mux(None)
        self._file.close()
        if kind is None and self._form.rotation_deg:
            _turn(self._path, self._form.rotation_deg)

    def add(self, rgb: NDArray[np.uint8], time_s: float) -> None:
        """Append a frame (h, w, 3) at a time."""
        frame = self._frame(rgb)
        frame.pts, frame.time_base = round(time_s * TICKS_HZ), Fraction(1, TICKS_HZ)
        self._mux(frame)

    def _frame(self, rgb: NDArray[np.uint8]) -> av.VideoFrame:
        form = self._form
        if form.alpha:
            clear = np.full((*rgb.shape[:2], 1), 255, np.uint8)
            clear[: rgb.shape[0] // 8] = 120
            rgba = av.VideoFrame.from_ndarray(np.concatenate([rgb, clear], 2), format="rgba")
            return rgba.reformat(format="yuva420p")
        if form.ten_bit:
            return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p10le")
        planes = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), np.uint8)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._video.encode(frame):
            if self._form.stamps == "broken":
                self._break(packet)
            self._file.mux(packet)

    def _break(self, packet: Any) -> None:
        """One stamp in twenty runs backwards, is doubled or is seconds off."""
        tick = Fraction(1, TICKS_HZ) / packet.time_base
        packet.dts = packet.dts - round(9 * TICKS_HZ * tick)
        if self._rng.random() < 0.05 and packet.pts is not None:
            off_s = float(self._rng.choice([-0.12, -0.08, 4.0, 0.0, -1.0]))
            packet.pts = max(packet.pts + round(off_s * TICKS_HZ * tick), packet.dts)


def _options(form: Form, options: dict[str, str]) -> dict[str, str]:
    out = {**options, "g": str(form.fps * 5)}
    if form.codec == "mpeg2":
        return {**out, "qmin": str(form.crf), "qmax": str(form.crf), "g": "15"}
    out["crf"] = str(form.crf)
    if form.stamps == "broken":
        out["bf"] = "0"
    return out


def _pixels(form: Form) -> str:
    if form.alpha:
        return "yuva420p"
    return "yuv420p10le" if form.ten_bit else "yuv420p"


def _turn(path: Path, degrees: int) -> None:
    """Write the matrix of the mp4's track header, as a phone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 40 if data[at] == 0 else 52
    a, b, c, d = _TURNS[degrees]
    one, w = 1 << 16, 1 << 30
    data[at : at + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, w)
    path.write_bytes(bytes(data))
