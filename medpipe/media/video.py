"""Read a video's frames in order, each with its exact presentation time."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from medpipe.errors import Rejected
from medpipe.media.clock import Clock
from medpipe.media.containers import open_media, packets_of
from medpipe.media.sparing import Sparer

_PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})
_LUMA_FIRST = _PLANAR_420 | {"yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"}
_MOST_BROKEN_IN_A_ROW = 10_000


class Frame:
    """One decoded frame; its planes are views that live as long as the frame does.

    Attributes:
        time_s: Presentation time, seconds from the start of the video.
    """

    __slots__ = ("_frame", "time_s")

    def __init__(self, frame: VideoFrame, time_s: float) -> None:
        self._frame = frame
        self.time_s = time_s

    @property
    def quarter_turns(self) -> int:
        """Turns by 90 degrees, counter-clockwise, that show the frame upright."""
        return round(self._frame.rotation / 90) % 4

    def luma(self) -> NDArray[np.uint8]:
        """Brightness.

        Returns:
            (h, w) uint8; a view into the decoder's own buffer where the format allows it.
        """
        if self._frame.format.name not in _LUMA_FIRST:
            self._frame = self._frame.reformat(format="yuv420p")
        return _plane(self._frame, 0)

    def chroma(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The two colour differences.

        Returns:
            U and V, each (ceil(h / 2), ceil(w / 2)) uint8, 128 for grey.
        """
        if self._frame.format.name not in _PLANAR_420:
            self._frame = self._frame.reformat(format="yuv420p")
        return _plane(self._frame, 1), _plane(self._frame, 2)

    def bgr(self, part: tuple[slice, slice] | None = None) -> NDArray[np.uint8]:
        """The frame in colour, by the matrix and range that the stream states.

        Args:
            part: Rows and columns, with start and stop; None for all. The rest is not converted.

        Returns:
            (h, w, 3) uint8, blue first; of a part the same to the bit as of the whole.
        """
        frame = self._frame
        if part is None:
            return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        rows, columns = (slice(each.start & ~1, (each.stop + 1) & ~1) for each in part)
        fits = rows.stop <= frame.height and columns.stop <= frame.width
        if not fits or frame.format.name not in _PLANAR_420:
            return self.bgr()[part]
        half = tuple(slice(each.start // 2, each.stop // 2) for each in (rows, columns))
        luma, *colours = (_plane(frame, k)[half if k else (rows, columns)] for k in range(3))
        packed = np.concatenate([luma.ravel(), *(each.ravel() for each in colours)])
        crop = VideoFrame.from_ndarray(packed.reshape(-1, luma.shape[1]), format=frame.format.name)
        crop.colorspace, crop.color_range = frame.colorspace, frame.color_range
        inside = tuple(
            slice(each.start - even.start, each.stop - even.start)
            for each, even in zip(part, (rows, columns), strict=True)
        )
        return np.asarray(crop.to_ndarray(format="bgr24")[inside], np.uint8)


class VideoReader:
    """An open video, read once from its start to its end.

    Attributes:
        decoder: Name of the codec that decodes.
        width_px: Of every frame, before rotation and pixel aspect.
        height_px: Of every frame, before rotation and pixel aspect.
        frame_rate: Average frames a second as the container says, or 0; never used to tell time
            where a stamp is there.
        duration_s: As the container says, or 0; after reading, the end of the last frame.
        frames: Seen so far, with those that were left out.
        broken: Packets that could not be decoded, and frames that were only in part, so far.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, threads: int, gap_s: float
    ) -> None:
        self._container = container
        self._stream = stream
        context = stream.codec_context
        context.thread_count = threads
        context.thread_type = ThreadType.NONE if threads == 1 else ThreadType.AUTO
        self.decoder = context.name
        self.width_px = context.width
        self.height_px = context.height
        self.frame_rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.duration_s = (container.duration or 0) / av.time_base
        self.frames = 0
        self.broken = 0
        self._start_s = _start_s(container, stream)
        self._spared_to_s = 0.0
        self._sparer: Sparer | None = None
        if gap_s and context.name == "h264":
            self._sparer = Sparer(context.extradata, gap_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Decode on, skipping what is broken.

        Yields:
            Frames in order of presentation, times strictly rising.

        Raises:
            Rejected: `corrupt_video`, when the whole stream gave no frame.
        """
        usual_s = 1 / self.frame_rate if self.frame_rate else 0.04
        clock = Clock(usual_s)
        for frame, stamp_s, next_s in self._with_next():
            time_s = clock.tell(stamp_s, next_s)
            self.frames += 1
            step_s = clock.step_s if self._sparer is None else usual_s
            self.duration_s = max(time_s, self._spared_to_s) + step_s
            yield Frame(self._sized(frame), time_s)
        if not self.frames:
            detail = f"no frame of {self.broken} broken packets could be decoded"
            raise Rejected("corrupt_video", detail)

    def _with_next(self) -> Iterator[tuple[VideoFrame, float | None, float | None]]:
        """Frames with their own stamps and those of the frames after them, seconds."""
        held: tuple[VideoFrame, float | None] | None = None
        for frame in self._decoded():
            stamp_s = self._stamp_s(frame)
            if held is not None:
                yield *held, stamp_s
            held = frame, stamp_s
        if held is not None:
            yield *held, None

    def _decoded(self) -> Iterator[VideoFrame]:
        packets = packets_of(self._container, self._stream)
        in_a_row = 0
        while in_a_row < _MOST_BROKEN_IN_A_ROW:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if self._is_spared(packet):
                    continue
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.broken += 1
                in_a_row += 1
                continue
            in_a_row = 0
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    self.broken += frame.is_corrupt
                    yield frame

    def _is_spared(self, packet: "Packet[VideoStream]") -> bool:
        if self._sparer is None or packet.pts is None or not packet.size:
            return False
        time_s = float(packet.pts * packet.time_base) - self._start_s
        if packet.is_corrupt or not self._sparer.spares(memoryview(packet), time_s):
            return False
        self.frames += 1
        self._spared_to_s = max(self._spared_to_s, time_s)
        return True

    def _stamp_s(self, frame: VideoFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return max(float(frame.pts * frame.time_base) - self._start_s, 0.0)

    def _sized(self, frame: VideoFrame) -> VideoFrame:
        if not (self.width_px and self.height_px):
            self.width_px, self.height_px = frame.width, frame.height
        if (frame.width, frame.height) == (self.width_px, self.height_px):
            return frame
        return frame.reformat(width=self.width_px, height=self.height_px)


def open_video(path: str | Path, *, threads: int = 1, gap_s: float = 0.0) -> VideoReader:
    """Open a video for one read; use it as a context manager.

    Args:
        path: File on this machine.
        threads: Of the decoder; 1 keeps its cost predictable and its order fixed.
        gap_s: Frames that cost nothing to leave out are, while those that are given lie no
            farther apart than this; 0 gives every frame.

    Returns:
        The reader.

    Raises:
        Rejected: `not_a_video` when no container is recognised, `no_video` when it holds no
            moving picture.
        OSError: The file is not there or cannot be read.
    """
    container = open_media(path)
    for stream in container.streams.video:
        if not _is_cover(stream) and stream.codec_context is not None:
            return VideoReader(container, stream, threads, gap_s)
    container.close()
    raise Rejected("no_video", "the file holds no moving picture")


def plain_decode_cpu_s(path: str | Path, *, threads: int = 1) -> float:
    """Decode a whole video and do nothing with it.

    Args:
        path: File on this machine.
        threads: As for `open_video`.

    Returns:
        CPU seconds that the process spent on it.
    """
    start_s = time.process_time()
    with open_video(path, threads=threads) as reader:
        for _ in reader:
            pass
    return time.process_time() - start_s


def _plane(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return np.asarray(rows[:, : plane.width])


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _start_s(container: InputContainer, stream: VideoStream) -> float:
    if container.start_time is not None:
        return container.start_time / av.time_base
    if stream.start_time is not None and stream.time_base is not None:
        return float(stream.start_time * stream.time_base)
    return 0.0
