"""Write frames and sound to an H.264 + AAC mp4, redrawing only what the pointer touches."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.cursors import draw, reach_px
from benchmarks.lectures.spec import Cursor, LectureSpec
from benchmarks.lectures.speech import RATE_HZ

I420 = NDArray[np.uint8]


class Still:
    """A frame without pointer, kept both ways.

    Attributes:
        rgb: (h, w, 3) uint8.
        i420: (h * 3 / 2, w) uint8: the planes Y, U, V one below the other (BT.601, limited).
    """

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self.rgb = rgb
        self.i420: I420 = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), np.uint8)


def with_cursor(still: Still, cursor: Cursor, x_px: float, y_px: float) -> I420:
    """Return the planes of a still with a pointer on it; only the patch under it is redrawn."""
    height, width = still.rgb.shape[:2]
    reach = reach_px(cursor)
    x0, y0 = max(int(x_px) - reach, 0) & ~1, max(int(y_px) - reach, 0) & ~1
    x1 = min((int(x_px) + reach + 1) | 1, width - 1) + 1
    y1 = min((int(y_px) + reach + 1) | 1, height - 1) + 1
    patch = still.rgb[y0:y1, x0:x1].copy()
    out = still.i420.copy()
    if draw(patch, cursor, x_px - x0, y_px - y0) is None:
        return out
    planes = cv2.cvtColor(patch, cv2.COLOR_RGB2YUV_I420)
    tall, wide = patch.shape[:2]
    out[y0:y1, x0:x1] = planes[:tall]
    quarter = height * width // 4
    chroma = out.reshape(-1)[height * width :]
    small = planes.reshape(-1)[tall * wide :]
    for k in range(2):
        whole = chroma[k * quarter : (k + 1) * quarter].reshape(height // 2, width // 2)
        part = small[k * tall * wide // 4 : (k + 1) * tall * wide // 4]
        whole[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = part.reshape(tall // 2, wide // 2)
    return out


class VideoWriter:
    """An open mp4; use as a context manager."""

    def __init__(self, path: Path, spec: LectureSpec) -> None:
        self._file = av.open(str(path), "w", options={"fflags": "+bitexact"})
        self._video = self._file.add_stream("libx264", rate=spec.fps)
        self._video.width, self._video.height = spec.width_px, spec.height_px
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.thread_count = 1
        self._video.options = {
            "crf": str(spec.crf),
            "preset": spec.preset,
            "g": str(spec.fps * 10),
            "threads": "1",
        }
        self._audio = self._file.add_stream("aac", rate=RATE_HZ, layout="mono")
        self._audio.bit_rate = 40_000
        self._frames = 0
        self._fps = spec.fps
        self._samples = 0

    def __enter__(self) -> "VideoWriter":
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
            self._file.mux(self._video.encode(None))
            self._file.mux(self._audio.encode(None))
        self._file.close()

    def add_frame(self, planes: I420) -> None:
        """Append one frame."""
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = self._frames, Fraction(1, self._fps)
        self._frames += 1
        self._file.mux(self._video.encode(frame))

    def add_sound(self, samples: NDArray[np.int16]) -> None:
        """Append sound: (n,) int16 at 22,050 Hz."""
        for first in range(0, len(samples), 1024):
            part = samples[first : first + 1024].astype(np.float32)[None] / 32768
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            frame.pts, frame.time_base = self._samples, Fraction(1, RATE_HZ)
            self._samples += part.shape[1]
            self._file.mux(self._audio.encode(frame))
