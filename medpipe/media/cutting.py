"""Cuts a short piece out of a video: packets as they are where a key frame allows, else encoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from medpipe.errors import Rejected
from medpipe.media.containers import open_media, packets_of
from medpipe.media.soundtrack import copied_sound, encoded_sound, start_of

# What MP4 takes as it is and players know.
_COPIED = frozenset({"h264", "hevc", "vp9", "av1"})
_NEAR_S = 1e-4
_LOOK_AHEAD_S = 2.0
# MPEG-TS goes to any packet near a time; so does what has no index.
_BACK_S = (0.0, 4.0, 16.0, 1e6)
_ENCODER = {"preset": "veryfast", "threads": "1"}


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut.

    Attributes:
        start_s: When the first frame is shown, seconds from the video's start.
        end_s: When the last one ends, same clock.
        copied: The picture's packets were copied; False: decoded and encoded again.
        video_codec: Of the clip, by FFmpeg's name.
        audio_codec: The same, or None where the video is silent.
    """

    start_s: float
    end_s: float
    copied: bool
    video_codec: str
    audio_codec: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """The picture's packets around a clip, in decode order, beginning with a key frame.

    Attributes:
        shown_s: (n,) seconds from the video's start at which each one's frame is shown.
        key: (n,) whether decoding may begin there.
        ends_s: When the last frame of all ends.
    """

    shown_s: NDArray[np.float64]
    key: NDArray[np.bool_]
    ends_s: float


def cut_clip(
    source: Path, target: Path, start_s: float, end_s: float, *, slack_s: float | None, crf: int
) -> Cut:
    """Write the frames that are shown from one time to another, with their sound, as MP4.

    Args:
        source: Video on this machine.
        target: File to write.
        start_s: Seconds from the video's start, as is end_s; frames shown before it are left out.
        end_s: Frames shown from then on are left out.
        slack_s: The clip may start so much earlier if it then begins with a key frame and its
            packets can be copied; it then also goes on until the decoder needs no later frame.
            None: never copied.
        crf: Quality of what is encoded, as x264 counts.

    Returns:
        What was cut. Encoded clips hold exactly the frames asked for. The picture is neither
        turned nor scaled; a rotation that the container states is stated again.

    Raises:
        Rejected: `no_stamps` or `no_frame`: nothing can be cut here.
        OSError: A file cannot be read or written.
    """
    index = _index(source, start_s - (slack_s or 0.0), end_s)
    first = _key_before(index, start_s)
    inside = index.shown_s[(index.shown_s >= start_s - _NEAR_S) & (index.shown_s < end_s - _NEAR_S)]
    if not len(inside):
        raise Rejected("no_frame", f"no frame is shown from {start_s:.3f} to {end_s:.3f} s")
    with open_media(source) as container:
        stream = _picture_of(container)
        copied = (
            slack_s is not None
            and stream.codec_context.codec.canonical_name in _COPIED
            and index.shown_s[first] >= start_s - slack_s - _NEAR_S
        )
        options = {"movflags": "faststart"}
        with av.open(str(target), "w", format="mp4", options=options) as out:
            if copied:
                return _copy(source, container, stream, out, (index, first, end_s))
            span = (float(inside.min()), _end_of(index, float(inside.max())))
            return _encode(source, container, stream, out, (index, first, *span, crf))


def _index(source: Path, from_s: float, end_s: float) -> _Index:
    """Read the packets from the key frame before a time on, undecoded."""
    with open_media(source) as container:
        stream = _picture_of(container)
        start = start_of(container)
        shown, key, ends_s = [], [], 0.0
        for packet in _packets(container, stream, from_s):
            if packet.pts is None or packet.time_base is None:
                raise Rejected("no_stamps", "the picture's packets do not say when they are shown")
            shown_s = float(packet.pts * packet.time_base) - start
            shown.append(shown_s)
            key.append(packet.is_keyframe)
            ends_s = max(ends_s, shown_s + float((packet.duration or 0) * packet.time_base))
            if packet.is_keyframe and shown_s > end_s + _LOOK_AHEAD_S:
                break
    if not any(key):
        raise Rejected("no_frame", "no key frame is there to begin with")
    return _Index(np.array(shown), np.array(key), ends_s)


def _packets(
    container: InputContainer, stream: VideoStream, from_s: float
) -> "Iterator[Packet[VideoStream]]":
    """Packets from the last key frame before a time on, or from the first one of all."""
    start = start_of(container)
    for back_s in _BACK_S:
        try:
            container.seek(int((start + from_s - back_s) * av.time_base))
        except FFmpegError:
            container.seek(0)
        packets = (packet for packet in packets_of(container, stream) if packet.size)
        first = next((packet for packet in packets if packet.is_keyframe), None)
        if first is not None and (back_s == _BACK_S[-1] or _is_by(first, start + from_s)):
            yield first
            yield from packets
            return


def _is_by(packet: "Packet[VideoStream]", at_s: float) -> bool:
    if packet.pts is None or packet.time_base is None:
        return True
    return float(packet.pts * packet.time_base) <= at_s + _NEAR_S


def _key_before(index: _Index, start_s: float) -> int:
    """The last packet at or before a time at which decoding may begin, or the first such."""
    keys = np.flatnonzero(index.key)
    before = keys[index.shown_s[keys] <= start_s + _NEAR_S]
    return int(before[-1] if len(before) else keys[0])


def _end_of(index: _Index, shown_s: float) -> float:
    """When the frame that is shown at a time ends: as the next one is shown."""
    later = index.shown_s[index.shown_s > shown_s + _NEAR_S]
    return float(later.min()) if len(later) else max(index.ends_s, shown_s)


def _copy(
    source: Path,
    container: InputContainer,
    stream: VideoStream,
    out: OutputContainer,
    what: tuple[_Index, int, float],
) -> Cut:
    index, first, end_s = what
    start_s = float(index.shown_s[first])
    end = _complete(index, first, end_s)
    last_s = float(index.shown_s[first:end].max())
    cut_end_s = _end_of(index, last_s)
    picture = out.add_stream_from_template(stream)
    sound = copied_sound(source, out, start_s, cut_end_s)
    base = start_of(container)
    tick = _tick(stream)
    zero = round((start_s + base) / tick)
    taken = 0
    for packet in _packets(container, stream, start_s + _NEAR_S):
        shown_s = float((packet.pts or 0) * tick) - base
        if taken == 0 and not (packet.is_keyframe and abs(shown_s - start_s) < _NEAR_S):
            continue
        if taken == end - first:
            break
        taken += 1
        if shown_s < start_s - _NEAR_S:
            continue  # shown before the key frame: needs frames that are not here
        packet.pts = (packet.pts or 0) - zero
        packet.dts = None if packet.dts is None else packet.dts - zero
        packet.stream = picture
        out.mux(packet)
    sound.write()
    codec = stream.codec_context.codec.canonical_name
    return Cut(start_s, cut_end_s, True, codec, sound.codec)


def _complete(index: _Index, first: int, end_s: float) -> int:
    """End of the shortest run of packets that shows every frame before a time, without a gap."""
    shown = index.shown_s
    latest = np.array(list(accumulate(shown, max)))
    rest = np.append(np.minimum.accumulate(shown[::-1])[::-1], np.inf)
    for end in range(first + 1, len(shown) + 1):
        if rest[end] >= end_s - _NEAR_S and latest[end - 1] < rest[end]:
            return end
    return len(shown)


def _encode(
    source: Path,
    container: InputContainer,
    stream: VideoStream,
    out: OutputContainer,
    what: tuple[_Index, int, float, float, int],
) -> Cut:
    index, first, start_s, end_s, crf = what
    tick = _tick(stream)
    base = start_of(container)
    zero = round((start_s + base) / tick)
    stream.codec_context.thread_count = 1
    picture: VideoStream | None = None
    sound = None
    for frame in _decoded(container, stream, float(index.shown_s[first])):
        shown_s = float((frame.pts or 0) * tick) - base
        if shown_s >= end_s - _NEAR_S:
            break
        if shown_s < start_s - _NEAR_S:
            continue
        if picture is None:
            picture = _encoder(out, stream, frame, crf)
            sound = encoded_sound(source, out, start_s, end_s)
        out.mux(picture.encode(_for_encoder(frame, picture, zero)))
    if picture is None or sound is None:
        raise Rejected("no_frame", f"no frame can be decoded from {start_s:.3f} s on")
    out.mux(picture.encode(None))
    sound.write()
    return Cut(start_s, end_s, False, "h264", sound.codec)


def _decoded(container: InputContainer, stream: VideoStream, key_s: float) -> Iterator[VideoFrame]:
    """Frames from a key frame on, in order; what is broken is left out."""
    for packet in _packets(container, stream, key_s + _NEAR_S):
        try:
            yield from packet.decode()
        except FFmpegError:
            continue
    yield from stream.decode(None)


def _encoder(out: OutputContainer, stream: VideoStream, frame: VideoFrame, crf: int) -> VideoStream:
    """An H.264 stream for frames like this one, on the source's clock."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    picture = out.add_stream("libx264", rate=rate, options={**_ENCODER, "crf": str(crf)})
    # 4:2:0 has colour for every second row and column only.
    picture.width, picture.height = max(frame.width // 2 * 2, 2), max(frame.height // 2 * 2, 2)
    picture.pix_fmt = "yuv420p"
    context = picture.codec_context
    context.time_base = _tick(stream)
    if stream.sample_aspect_ratio:
        context.sample_aspect_ratio = stream.sample_aspect_ratio
    context.color_range = frame.color_range
    context.colorspace = frame.colorspace
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc
    if frame.rotation:
        picture.set_display_rotation(frame.rotation)
    return picture


def _for_encoder(frame: VideoFrame, picture: VideoStream, zero: int) -> VideoFrame:
    pts = (frame.pts or 0) - zero
    ready = frame.reformat(width=picture.width, height=picture.height, format="yuv420p")
    ready.pts, ready.time_base = pts, picture.codec_context.time_base
    ready.pict_type = 0  # the encoder chooses, whatever the frame was
    return ready


def _tick(stream: VideoStream) -> Fraction:
    if stream.time_base is None:
        raise Rejected("no_stamps", "the picture has no clock")
    return stream.time_base


def _picture_of(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise Rejected("no_frame", "the file holds no moving picture")
