"""The sound of a clip: AAC as it is, or decoded, trimmed to the sample and encoded as AAC."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from medpipe.media.containers import open_media, packets_of

_FRAME = 1024
_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A stream that stands in a clip's header, and how its packets are written behind it.

    Attributes:
        codec: FFmpeg's name, or None where there is no sound.
        write: Writes all packets; called once, after the picture's first packet.
    """

    codec: str | None
    write: Callable[[], None]


def start_of(container: InputContainer) -> float:
    """The container's own time at which the video starts, seconds."""
    if container.start_time is not None:
        return container.start_time / av.time_base
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0


def copied_sound(source: Path, out: OutputContainer, start_s: float, end_s: float) -> Sound:
    """Add the sound between two times to a clip; AAC packets go in as they are.

    Args:
        source: Video on this machine.
        out: The clip; nothing was written to it yet.
        start_s: Seconds from the video's start; the clip's own time zero.
        end_s: Same clock.
    """
    with open_media(source) as container:
        stream = _sound_of(container)
        if stream is None:
            return Sound(None, lambda: None)
        if stream.codec_context.codec.canonical_name != "aac":
            return encoded_sound(source, out, start_s, end_s)
        track = out.add_stream_from_template(stream)

    def write() -> None:
        with open_media(source) as container:
            stream = _sound_of(container)
            assert stream is not None, "it was there when the header was made"
            zero_s = start_s + start_of(container)
            _seek(container, zero_s)
            for packet in packets_of(container, stream):
                if packet.pts is None or packet.time_base is None:
                    continue
                at_s = float(packet.pts * packet.time_base)
                if at_s >= zero_s + end_s - start_s:
                    break
                if at_s >= zero_s:
                    zero = round(zero_s / packet.time_base)
                    packet.pts -= zero
                    packet.dts = packet.pts
                    packet.stream = track
                    out.mux(packet)

    return Sound("aac", write)


def encoded_sound(source: Path, out: OutputContainer, start_s: float, end_s: float) -> Sound:
    """Add the sound between two times to a clip, encoded as AAC; arguments as `copied_sound`."""
    with open_media(source) as container:
        stream = _sound_of(container)
        if stream is None:
            return Sound(None, lambda: None)
        context = stream.codec_context
        rate_hz = next((r for r in _RATES_HZ if r <= context.sample_rate), _RATES_HZ[-1])
        layout = "mono" if context.channels == 1 else "stereo"
    track = out.add_stream("aac", rate=rate_hz, layout=layout)

    def write() -> None:
        samples = _samples(source, (start_s, end_s), rate_hz, layout)
        for first in range(0, samples.shape[1], _FRAME):
            block = np.ascontiguousarray(samples[:, first : first + _FRAME])
            frame = AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, Fraction(1, rate_hz)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))

    return Sound("aac", write)


def _samples(
    source: Path, span_s: tuple[float, float], rate_hz: int, layout: str
) -> NDArray[np.float32]:
    """Decode the sound of a span; where there is none it is silent.

    Returns:
        (channels, n) float32.
    """
    length = max(round((span_s[1] - span_s[0]) * rate_hz), 1)
    out = np.zeros((1 if layout == "mono" else 2, length), np.float32)
    with open_media(source) as container:
        stream = _sound_of(container)
        assert stream is not None, "it was there when the header was made"
        zero_s = span_s[0] + start_of(container)
        _seek(container, zero_s)
        resampler = AudioResampler(format="fltp", layout=layout, rate=rate_hz)
        for frame in _decoded(container, stream):
            if frame.pts is None or frame.time_base is None:
                continue
            at = round((float(frame.pts * frame.time_base) - zero_s) * rate_hz)
            if at >= length:
                break
            for part in resampler.resample(frame):
                block = part.to_ndarray()
                low, high = max(at, 0), min(at + block.shape[1], length)
                if high > low:
                    out[:, low:high] = block[:, low - at : high - at]
                at += block.shape[1]
    return out


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Frames in order; what is broken is left out."""
    stream.codec_context.thread_count = 1
    for packet in packets_of(container, stream):
        try:
            yield from packet.decode()
        except FFmpegError:
            continue


def _sound_of(container: InputContainer) -> AudioStream | None:
    return next((s for s in container.streams.audio if s.codec_context is not None), None)


def _seek(container: InputContainer, at_s: float) -> None:
    """Go somewhere before a time on the container's own clock."""
    try:
        container.seek(int(at_s * av.time_base))
    except FFmpegError:
        container.seek(0)
