"""What a media file holds, and whether it can be decoded from one end to the other."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from pydantic import Field

from medpipe.errors import Rejected
from medpipe.media.containers import S, is_cut_short, open_media, packets_of
from medpipe.records import Record, Seconds

_MAX_PIXELS = 8192 * 8192
_MAX_BAD_PACKETS = 50
_AUDIO_FRAMES = 5


class Probe(Record):
    """What a container says about itself, checked against one decoded frame.

    Attributes:
        container: FFmpeg's name of the format.
        start_s: Presentation time of the earliest stream.
        duration_s: Of the longest stream.
        width_px: Of a decoded frame, before rotation and pixel aspect.
        height_px: Of a decoded frame, before rotation and pixel aspect.
        frame_rate: Average frames a second.
        rotation_deg: How far to turn a decoded frame counter-clockwise for display.
        audio_codec: None where there is no sound.
        audio_rate_hz: None where there is no sound.
    """

    container: str
    size_bytes: int = Field(gt=0)
    start_s: float
    duration_s: Seconds
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    frame_rate: float = Field(gt=0)
    rotation_deg: int
    video_codec: str
    audio_codec: str | None
    audio_rate_hz: int | None
    audio_channels: int | None


def probe(path: Path) -> Probe:
    """Return what a video file holds, after decoding its first frame.

    Raises:
        Rejected: `empty_file`, `not_a_video`, `truncated`, `no_video`, `too_large` (a frame of
            more than 67 million pixels) or `undecodable`.
    """
    if is_cut_short(path):
        raise Rejected("truncated", "the file ends before its media data does")
    with open_media(path) as container:
        video = _picture(container)
        audio = _sound(container)
        duration_s = _duration_s(path, container)
        first = _frames(container, video, 1)
        if not first:
            _check_end(path, duration_s)
            raise Rejected("undecodable", f"no frame of the {video.name} picture can be decoded")
        frame = first[0]
        return Probe(
            container=container.format.name,
            size_bytes=path.stat().st_size,
            start_s=(container.start_time or 0) / av.time_base,
            duration_s=duration_s,
            width_px=frame.width,
            height_px=frame.height,
            frame_rate=_frame_rate(video, duration_s),
            rotation_deg=int(frame.rotation),
            video_codec=video.codec_context.name,
            audio_codec=audio.codec_context.name if audio else None,
            audio_rate_hz=audio.codec_context.sample_rate if audio else None,
            audio_channels=audio.codec_context.channels if audio else None,
        )


def decode_check(path: Path) -> None:
    """Decode a little at the start, in the middle and near the end of a file, sound included.

    Reads the packets behind the last key frame without decoding them, so that media data that
    ends early shows. Takes milliseconds; a fault between the places it looks at stays unseen.

    Raises:
        Rejected: `truncated` or `undecodable`, and what `probe` raises.
    """
    with open_media(path) as container:
        length_s = (container.duration or 0) / av.time_base
    _check_end(path, length_s)
    with open_media(path) as container:
        video = _picture(container)
        audio = _sound(container)
        if audio is not None and not _hears(container, audio):
            raise Rejected("undecodable", f"no sound of the {audio.name} stream can be decoded")
        for place_s in (0, length_s / 2, max(0, length_s - 1)):
            _seek(container, place_s)
            if not _frames(container, video, 2):
                raise Rejected("undecodable", f"no picture can be decoded at {place_s:.1f} s")


def _picture(container: InputContainer) -> VideoStream:
    """Return the first stream of moving pictures; cover art is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise Rejected("undecodable", "nothing here can decode the picture's codec")
            if stream.codec_context.width * stream.codec_context.height > _MAX_PIXELS:
                raise Rejected("too_large", "a frame has more than 67 million pixels")
            stream.codec_context.thread_count = 1
            return stream
    raise Rejected("no_video", "the file holds no moving picture")


def _sound(container: InputContainer) -> AudioStream | None:
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            return stream
    return None


def _frames(container: InputContainer, video: VideoStream, wanted: int) -> list[VideoFrame]:
    """Decode on from where the container stands until enough frames or too many faults."""
    frames: list[VideoFrame] = []
    faults = 0
    for packet in _readable(container, video):
        try:
            frames += packet.decode()
        except FFmpegError:
            faults += 1
        if len(frames) >= wanted or faults > _MAX_BAD_PACKETS:
            break
    return frames[:wanted]


def _readable(container: InputContainer, stream: S) -> "Iterator[Packet[S]]":
    """The packets of a stream up to where the file cannot be read on."""
    try:
        yield from packets_of(container, stream)
    except FFmpegError:
        return


def _hears(container: InputContainer, audio: AudioStream) -> bool:
    heard = faults = 0
    for packet in _readable(container, audio):
        try:
            heard += sum(1 for _ in packet.decode())
        except FFmpegError:
            faults += 1
        if heard >= _AUDIO_FRAMES or faults > _MAX_BAD_PACKETS:
            break
    return heard > 0


def _seek(container: InputContainer, place_s: float) -> None:
    """Go to the key frame before a place; a container that cannot seek goes on from where it is."""
    start = container.start_time or 0
    try:
        container.seek(start + int(place_s * av.time_base))
    except FFmpegError:
        return


def _check_end(path: Path, length_s: float) -> None:
    """Compare the last packet with the duration that the header promises.

    Looks behind the last key frame first, and at the whole file (packets only) before it says no.
    """
    allowed_s = length_s - max(1.0, 0.02 * length_s)
    end_s = allowed_s
    for place_s in (max(0.0, length_s - 1), 0.0):
        with open_media(path) as container:
            _seek(container, place_s)
            end_s = _last_stamp_s(container)
        if end_s >= allowed_s:
            return
    raise Rejected(
        "truncated", f"the header promises {length_s:.1f} s, the data ends at {end_s:.1f} s"
    )


def _last_stamp_s(container: InputContainer) -> float:
    """Return when the last packet from here on ends, seconds from the start of the file."""
    start_s = (container.start_time or 0) / av.time_base
    last_s = start_s
    begun_s: dict[int, float] = {}
    try:
        for packet in packets_of(container, *container.streams):
            if packet.pts is None or packet.time_base is None:
                continue
            stamp_s = float(packet.pts * packet.time_base)
            lasts_s = float((packet.duration or 0) * packet.time_base)
            before_s = begun_s.get(packet.stream_index, stamp_s)
            begun_s[packet.stream_index] = stamp_s
            last_s = max(last_s, stamp_s + (lasts_s or abs(stamp_s - before_s)))
    except FFmpegError as error:
        raise Rejected("truncated", f"the data breaks off at {last_s - start_s:.1f} s") from error
    return last_s - start_s


def _duration_s(path: Path, container: InputContainer) -> float:
    """Return the header's duration, or the last packet's end where it has none."""
    if container.duration:
        return float(container.duration / av.time_base)
    with open_media(path) as again:
        return max(0.0, _last_stamp_s(again))


def _frame_rate(video: VideoStream, duration_s: float) -> float:
    for rate in (video.average_rate, video.guessed_rate, video.base_rate):
        if rate is not None and 0 < rate < 1000:
            return float(rate)
    return max(1.0, video.frames / duration_s) if duration_s else 1.0
