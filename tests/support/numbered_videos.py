"""Videos whose frames tell their own number, with a flash and a beep at one moment."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 256, 144
SOUND_RATE = 48_000
_BITS, _SIDE = 10, 24


def picture(number: int, *, flash: bool = False) -> NDArray[np.uint8]:
    """A grey ramp with the number as a row of black and white squares; white below on a flash."""
    image = np.tile(np.linspace(60, 180, WIDTH, dtype=np.uint8), (HEIGHT, 1))
    for bit in range(_BITS):
        image[:_SIDE, bit * _SIDE : (bit + 1) * _SIDE] = 255 * (number >> bit & 1)
    image[96:] = 255 if flash else 20
    return np.repeat(image[:, :, None], 3, axis=2)


def number_of(image: NDArray[np.uint8]) -> int:
    """The number that a decoded frame tells."""
    half = _SIDE // 2
    return sum((int(image[half, bit * _SIDE + half].mean()) > 127) << bit for bit in range(_BITS))


def is_flash(image: NDArray[np.uint8]) -> bool:
    """Whether a decoded frame is that of the flash."""
    return float(image[110:].mean()) > 127


def numbered_video(
    path: Path,
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    sound: str = "aac",
    options: dict[str, str] | None = None,
    flash_s: float = -1.0,
    rotation: int = 0,
    offset_s: float = 0.0,
) -> Path:
    """Write frame k at `times_s[k]`; the beep is 0.1 s long and starts with the flash.

    Args:
        path: Its suffix says the container.
        times_s: Of the frames, rising.
        codec: Of the picture.
        sound: Of the sound.
        options: Of the picture's encoder.
        flash_s: When the flash is, to the next frame, and the beep, to the sample.
        rotation: That the container states, degrees.
        offset_s: Of all stamps.
    """
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=30, options=options or {})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        audio = out.add_stream(sound, rate=SOUND_RATE, layout="mono")
        flashed = False
        for number, time_s in enumerate(times_s):
            flash = not flashed and flash_s >= 0 and time_s >= flash_s
            flashed = flashed or flash
            frame = av.VideoFrame.from_ndarray(picture(number, flash=flash), format="rgb24")
            frame.pts, frame.time_base = round((time_s + offset_s) * 1000), Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        clock = np.arange(round((times_s[-1] + 0.5) * SOUND_RATE)) / SOUND_RATE
        loud = (clock >= flash_s) & (clock < flash_s + 0.1) & (flash_s >= 0)
        tone = np.where(loud, np.sin(2 * np.pi * 1000 * clock) * 0.8, 0).astype(np.float32)
        shape = "fltp" if sound == "aac" else "s16"
        if shape == "s16":
            tone = (tone * 32767).astype(np.int16)
        for start in range(0, len(tone), 960):
            block = av.AudioFrame.from_ndarray(
                tone[start : start + 960].reshape(1, -1), format=shape, layout="mono"
            )
            block.sample_rate = SOUND_RATE
            block.pts = start + round(offset_s * SOUND_RATE)
            block.time_base = Fraction(1, SOUND_RATE)
            out.mux(audio.encode(block))
        out.mux(audio.encode(None))
    return path


def frames_of(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """(seconds on the container's clock, picture) of every frame."""
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def beep_s(path: Path) -> float:
    """When the beep begins, seconds on the container's clock."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            block = frame.to_ndarray().astype(np.float64)
            if np.issubdtype(frame.to_ndarray().dtype, np.integer):
                block /= 32768
            loud = np.flatnonzero(np.abs(block).max(axis=0) > 0.2)
            if len(loud):
                return float(frame.pts * frame.time_base) + loud[0] / frame.sample_rate
    raise AssertionError("no beep")
