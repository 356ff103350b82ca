"""Decode a file's sound into blocks of 16 kHz mono, cut at silence, with real times."""

import logging
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from medpipe.errors import Rejected
from medpipe.media.containers import open_media, packets_of
from medpipe.records import AudioBlock

RATE_HZ = AudioBlock.SAMPLE_RATE_HZ
DRIFT_S = 0.06
LONGEST_FILL_S = 2.0
_HOP = RATE_HZ // 50
_SMOOTH_HOPS = 15

logger = logging.getLogger(__name__)


def audio_blocks(
    path: str | Path,
    *,
    max_block_s: float = 120.0,
    min_block_s: float | None = None,
    origin_s: float | None = None,
) -> Iterator[AudioBlock]:
    """Decode the sound of a file, block by block; memory is bounded by one block.

    Args:
        path: Any file that FFmpeg's libraries open.
        max_block_s: No block is longer.
        min_block_s: Blocks are cut at the quietest place between this and `max_block_s`; three
            quarters of `max_block_s` when None. The last block may be shorter.
        origin_s: Presentation time, on the container's clock, that counts as 0. None takes the
            container's start, which is the start of its earliest stream.

    Yields:
        Blocks in order of time. Gaps in the stamps up to 2 s are filled with silence, longer ones
        start a new block; what overlaps or lies before the origin is left out.

    Raises:
        Rejected: `no_audio` when the file has no sound that decodes, `not_a_video` when it
            cannot be opened at all.
        ValueError: The block lengths are out of order.
    """
    low_s = 0.75 * max_block_s if min_block_s is None else min_block_s
    if not 0 < low_s <= max_block_s:
        raise ValueError(f"need 0 < min_block_s <= max_block_s, got {low_s} and {max_block_s}")
    cutter = _Cutter(round(low_s * RATE_HZ), round(max_block_s * RATE_HZ))
    with open_media(path) as container:
        stream = _audio_stream(container, path)
        start_s = (container.start_time or 0) / av.time_base if origin_s is None else origin_s
        for time_s, samples in _placed(container, stream, start_s):
            yield from cutter.push(time_s, samples)
    yield from cutter.finish()
    if not cutter.seen:
        raise Rejected("no_audio", f"nothing in the audio stream of {Path(path).name} decodes")


def quietest_cut(samples: NDArray[np.int16], low: int, high: int) -> int:
    """Find the best place to cut sound in two.

    Args:
        samples: (n,) int16, 16 kHz.
        low: First sample where a cut may be.
        high: Last sample where a cut may be, at most n.

    Returns:
        Index of the first sample of the second part: the middle of the quietest 0.3 s between
        `low` and `high`, the latest of equals.
    """
    hops = (high - low) // _HOP
    if hops <= _SMOOTH_HOPS:
        return high
    part = samples[low : low + hops * _HOP].reshape(hops, _HOP).astype(np.float32)
    loud = np.log10(np.square(part).mean(axis=1) + 1.0)
    smooth = np.convolve(loud, np.ones(_SMOOTH_HOPS) / _SMOOTH_HOPS, mode="valid")
    quiet = np.flatnonzero(smooth <= smooth.min() + 0.05)
    return int(low + (quiet[-1] + _SMOOTH_HOPS // 2) * _HOP)


class _Cutter:
    """Collects placed samples and cuts them into blocks."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high
        self._buffer = np.zeros(high, np.int16)
        self._filled = 0
        self._start = 0
        self.seen = False

    def push(self, time_s: float, samples: NDArray[np.int16]) -> Iterator[AudioBlock]:
        """Take samples whose first one is heard at `time_s`; give the blocks that are full."""
        at = round(time_s * RATE_HZ)
        if not self.seen:
            self._start, self.seen = max(at, 0), True
        missing = at - (self._start + self._filled)
        if missing > LONGEST_FILL_S * RATE_HZ:
            yield from self.finish()
            self._start = at
        elif missing > DRIFT_S * RATE_HZ / 2:
            samples = np.concatenate([np.zeros(missing, np.int16), samples])
        elif missing < -DRIFT_S * RATE_HZ / 2 or at < 0:
            samples = samples[-missing:]
        yield from self._append(samples)

    def _append(self, samples: NDArray[np.int16]) -> Iterator[AudioBlock]:
        while len(samples):
            taken = samples[: self._high - self._filled]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            samples = samples[len(taken) :]
            if self._filled == self._high:
                yield self._cut(quietest_cut(self._buffer, self._low, self._high))

    def _cut(self, end: int) -> AudioBlock:
        block = AudioBlock(self._buffer[:end].copy(), self._start / RATE_HZ)
        rest = self._filled - end
        self._buffer[:rest] = self._buffer[end : self._filled].copy()
        self._start, self._filled = self._start + end, rest
        return block

    def finish(self) -> Iterator[AudioBlock]:
        """Give what is left."""
        if self._filled:
            yield self._cut(self._filled)


def _audio_stream(container: InputContainer, path: str | Path) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise Rejected("no_audio", f"{Path(path).name} has no audio stream")
    stream.codec_context.thread_count = 1
    return stream


def _placed(
    container: InputContainer, stream: AudioStream, origin_s: float
) -> Iterator[tuple[float, NDArray[np.int16]]]:
    """Resampled pieces and the presentation time of each one's first sample, from the origin."""
    resampler = _Resampler()
    for frame in _frames(container, stream):
        stamp = frame.time if frame.pts is not None and frame.time_base else None
        yield from resampler.push(frame, None if stamp is None else stamp - origin_s)
    yield from resampler.flush()


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decoded frames; packets that do not decode are skipped, a torn file ends early."""
    packets = packets_of(container, stream)
    broken = 0
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            logger.warning("sound ends early: %s", error)
            break
        if packet is None:
            break
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            broken += 1
    if broken:
        logger.warning("skipped %d audio packets that do not decode", broken)


class _Resampler:
    """FFmpeg's resampler, begun anew where stamps jump or the format changes."""

    def __init__(self) -> None:
        self._inner: AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._next_in_s = 0.0
        self._next_out_s = 0.0

    def push(
        self, frame: AudioFrame, time_s: float | None
    ) -> Iterator[tuple[float, NDArray[np.int16]]]:
        """Take a frame heard at `time_s` (None: right after the last one)."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        at = self._next_in_s if time_s is None else time_s
        if form != self._form or abs(at - self._next_in_s) > DRIFT_S:
            yield from self.flush()
            self._inner = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
            self._form, self._next_in_s, self._next_out_s = form, at, at
        self._next_in_s += frame.samples / frame.sample_rate
        frame.pts = None
        yield from self._run(frame)

    def flush(self) -> Iterator[tuple[float, NDArray[np.int16]]]:
        """Give what the resampler still holds."""
        if self._inner is not None:
            yield from self._run(None)
            self._inner = None
            self._form = None

    def _run(self, frame: AudioFrame | None) -> Iterator[tuple[float, NDArray[np.int16]]]:
        assert self._inner is not None
        for out in self._inner.resample(frame):
            samples = np.asarray(out.to_ndarray(), np.int16).reshape(-1)
            if len(samples):
                yield self._next_out_s, samples
                self._next_out_s += len(samples) / RATE_HZ
