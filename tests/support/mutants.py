"""Videos in several containers and codecs, and ways to break them, all by seeds."""

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests.support.tiny_videos import tiny_gif, tiny_video

# Name -> container, codecs of picture and sound.
FORMS = {
    "h264.mp4": ("mp4", ("libx264", "aac")),
    "h264.mkv": ("matroska", ("libx264", "aac")),
    "vp9.webm": ("webm", ("libvpx-vp9", "libopus")),
    "mpeg2.ts": ("mpegts", ("mpeg2video", "mp2")),
    "mpeg4.avi": ("avi", ("mpeg4", "mp3")),
    "av1.mp4": ("mp4", ("libsvtav1", "aac")),
    "h264.flv": ("flv", ("libx264", "aac")),
}
_FIELDS = (
    *(b"tkhd", b"mvhd", b"mdhd", b"stts", b"stsz", b"stsc", b"stco", b"ctts", b"stsd", b"avcC"),
    *(b"av1C", b"elst", b"moov", b"\x1a\x45\xdf\xa3", b"\xae", b"\xb0", b"avih", b"strh", b"idx1"),
)

Change = Callable[[bytearray, np.random.Generator], bytearray]


def originals(folder: Path) -> list[Path]:
    """Write one whole video of each form, 3 s long."""
    os.environ.setdefault("SVT_LOG", "1")
    made = [
        tiny_video(folder / name, 3.0, codecs=codecs, container=container)
        for name, (container, codecs) in FORMS.items()
    ]
    return [*made, tiny_gif(folder / "plain.gif", 3.0)]


def mutant(source: Path, target: Path, seed: int) -> str:
    """Write a broken copy of a video; return the name of what was done to it."""
    rng = np.random.default_rng([seed, 23])
    if rng.random() < 0.2 and source.suffix != ".gif":
        return _remuxed(source, target, rng)
    way = str(rng.choice(list(_CHANGES)))
    target.write_bytes(_CHANGES[way](bytearray(source.read_bytes()), rng))
    return way


def _flipped(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Bits turned over, few or many, anywhere."""
    for at in rng.integers(len(data), size=int(10 ** rng.uniform(0, 3))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def _flipped_head(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Bits turned over in the first kilobyte, where headers are."""
    for at in rng.integers(min(1024, len(data)), size=int(rng.integers(1, 20))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    """An end that is missing."""
    return data[: int(rng.integers(1, len(data)))]


def _hole(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A stretch of zeros."""
    at, size = int(rng.integers(len(data))), int(10 ** rng.uniform(1, 4.5))
    data[at : at + size] = bytes(len(data[at : at + size]))
    return data


def _swapped(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Two stretches that changed places."""
    size = int(10 ** rng.uniform(1, 4))
    a, b = sorted(int(v) for v in rng.integers(max(len(data) - size, 1), size=2))
    if b - a >= size:
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


def _doubled(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A stretch that is there twice."""
    at, size = int(rng.integers(len(data))), int(10 ** rng.uniform(1, 4))
    return data[: at + size] + data[at : at + size] + data[at + size :]


def _absurd(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Numbers near the names of a header's fields, as big or as small as they get."""
    places = [p for name in _FIELDS if (p := bytes(data).find(name)) >= 0]
    for _ in range(int(rng.integers(1, 6))):
        at = (int(rng.choice(places)) if places else 0) + int(rng.integers(-4, 96))
        value = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x80\0\0\0", b"\0\1\0\0"]
        at = max(at, 0)
        data[at : at + 4] = value[int(rng.integers(5))][: len(data[at : at + 4])]
    return data


def _noise(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Only the beginning is a video's, the rest is noise."""
    head = int(rng.integers(4, 2000))
    return data[:head] + bytearray(rng.bytes(len(data) - min(head, len(data))))


def _remuxed(source: Path, target: Path, rng: np.random.Generator) -> str:
    """The same packets, out of order or with stamps that run wild, in a container that is whole."""
    way = str(rng.choice(["packets out of order", "stamps run wild", "stamps far away"]))
    with av.open(str(source)) as inp, av.open(str(target), "w", format="matroska") as out:
        video = inp.streams.video[0]
        stream = out.add_stream_from_template(video, opaque=True)
        packets = [p for p in inp.demux(video) if p.size]
        dts = [p.dts if p.dts is not None else k for k, p in enumerate(packets)]
        if way == "packets out of order":
            order = np.argsort(np.arange(len(packets)) + rng.normal(0, 6, len(packets)))
            packets = [packets[int(k)] for k in order]
        for packet, stamp in zip(packets, sorted(dts), strict=True):
            packet.stream = stream
            packet.dts = packet.pts = stamp
            if way == "stamps run wild" and rng.random() < 0.3:
                packet.pts = stamp + int(rng.integers(0, 2**31))
            elif way == "stamps far away":
                packet.dts = packet.pts = stamp + 2**40
            out.mux(packet)
    return way


_CHANGES: dict[str, Change] = {
    "bits": _flipped,
    "bits of the head": _flipped_head,
    "cut": _cut,
    "hole": _hole,
    "swapped": _swapped,
    "doubled": _doubled,
    "absurd numbers": _absurd,
    "noise": _noise,
}
