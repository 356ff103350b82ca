"""Videos of a few seconds, made by PyAV: whole, silent, blind, cut, with cover art only."""

from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, RATE = 160, 120, 10
SOUND_RATE = 48_000


def tiny_video(
    path: Path,
    seconds: float = 2.0,
    *,
    picture: bool = True,
    sound: bool = True,
    codecs: tuple[str, str] = ("libx264", "aac"),
    container: str | None = None,
    index_first: bool = False,
    seed: int = 0,
) -> Path:
    """Write a video of noise with a tone; another seed gives other bytes."""
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", format=container, options=options) as out:
        video = out.add_stream(codecs[0], rate=RATE) if picture else None
        audio = out.add_stream(codecs[1], rate=SOUND_RATE) if sound else None
        if video is not None:
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.codec_context.thread_count = 1
            video.codec_context.gop_size = RATE
        if audio is not None:
            audio.layout = "mono"
        if video is not None:
            _write_picture(out, video, seconds, seed)
        if audio is not None:
            _write_sound(out, audio, seconds, seed)
    return path


def _write_picture(
    out: av.container.OutputContainer, stream: av.VideoStream, seconds: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    for number in range(round(seconds * RATE)):
        pixels = random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = number
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _write_sound(
    out: av.container.OutputContainer, stream: av.AudioStream, seconds: float, seed: int
) -> None:
    pitch_hz = 400 + 10 * seed
    clock = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    tone = (np.sin(2 * np.pi * pitch_hz * clock) * 8000).astype(np.int16)
    for start in range(0, len(tone), 960):
        block = tone[start : start + 960].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE, start
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def tiny_gif(path: Path, seconds: float = 2.0) -> Path:
    """Write an animated GIF."""
    with av.open(str(path), "w", format="gif") as out:
        stream = out.add_stream("gif", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb8"
        for number in range(round(seconds * RATE)):
            pixels = np.full((HEIGHT, WIDTH, 3), 10 * number % 255, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="rgb8")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def cut(source: Path, target: Path, share: float = 0.6) -> Path:
    """Write the first part of a file's bytes, as a broken download leaves them."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


def song_with_cover(path: Path, seconds: float = 2.0) -> Path:
    """Write sound whose only picture is its cover art."""
    with av.open(str(path), "w", format="mp4") as out:
        audio = out.add_stream("aac", rate=SOUND_RATE)
        audio.layout = "mono"
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8), format="rgb24")
        frame = frame.reformat(format="yuvj420p")
        frame.pts = 0
        out.mux(cover.encode(frame))
        out.mux(cover.encode(None))
        _write_sound(out, audio, seconds, 0)
    return path
