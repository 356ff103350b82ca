from fractions import Fraction
from pathlib import Path

import av
import pytest

from medpipe.errors import Rejected
from medpipe.media.containers import is_cut_short, looks_like_media
from medpipe.media.probe import decode_check, probe
from tests.support.tiny_videos import cut, tiny_gif, tiny_video

KINDS = {
    "mp4": ("a.mp4", ("libx264", "aac"), None),
    "mkv": ("a.mkv", ("libx264", "aac"), None),
    "webm": ("a.webm", ("libvpx", "libopus"), None),
    "ts": ("a.ts", ("libx264", "aac"), "mpegts"),
    "avi": ("a.avi", ("mpeg4", "mp2"), None),
}


@pytest.mark.parametrize(("name", "codecs", "container"), KINDS.values(), ids=KINDS)
def test_a_whole_video_of_any_kind_passes(
    tmp_path: Path, name: str, codecs: tuple[str, str], container: str | None
) -> None:
    path = tiny_video(tmp_path / name, 3, codecs=codecs, container=container)

    facts = probe(path)
    decode_check(path)

    assert (facts.width_px, facts.height_px) == (160, 120)
    assert facts.duration_s == pytest.approx(3, abs=0.15)
    assert facts.frame_rate == pytest.approx(10, abs=0.1)
    assert (facts.audio_rate_hz, facts.audio_channels, facts.rotation_deg) == (48_000, 1, 0)
    assert facts.size_bytes == path.stat().st_size


def test_a_gif_is_a_video_without_sound(tmp_path: Path) -> None:
    path = tiny_gif(tmp_path / "a.gif")

    facts = probe(path)
    decode_check(path)

    assert (facts.video_codec, facts.audio_codec) == ("gif", None)
    assert facts.duration_s == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("name", ["mp4", "mkv", "webm"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_part_of_a_video_is_truncated(tmp_path: Path, name: str, share: float) -> None:
    file, codecs, container = KINDS[name]
    whole = tiny_video(tmp_path / file, 6, codecs=codecs, container=container)
    part = cut(whole, tmp_path / "part", share)

    with pytest.raises(Rejected) as caught:
        check(part)

    assert caught.value.code == "truncated"


def check(path: Path) -> None:
    probe(path)
    decode_check(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_part_of_an_mp4_with_its_index_first_is_truncated(tmp_path: Path, share: float) -> None:
    part = cut(tiny_video(tmp_path / "a.mp4", index_first=True), tmp_path / "part", share)

    with pytest.raises(Rejected, match="truncated"):
        check(part)


def test_a_file_whose_pictures_are_overwritten_is_undecodable(tmp_path: Path) -> None:
    path = tiny_video(tmp_path / "a.mp4", index_first=True)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    content[start:] = bytes(len(content) - start)
    path.write_bytes(content)

    with pytest.raises(Rejected) as caught:
        check(path)

    assert caught.value.code == "undecodable"


def test_noise_is_no_video(tmp_path: Path) -> None:
    import random

    for seed in range(40):
        path = tmp_path / "noise.mp4"
        path.write_bytes(random.Random(seed).randbytes(30_000))

        with pytest.raises(Rejected, match="not_a_video"):
            check(path)


def test_a_live_recording_without_a_duration_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "live.mkv"
    whole = tiny_video(tmp_path / "a.mkv")
    with av.open(str(whole)) as source, open(path, "wb") as pipe:
        out = av.open(_Pipe(pipe), "w", format="matroska", options={"live": "1"})
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
        out.close()
    with av.open(str(path)) as container:
        assert container.duration is None

    assert probe(path).duration_s == pytest.approx(2, abs=0.2)
    decode_check(path)


class _Pipe:
    """A file that can only be written on, like the pipe of a live recording."""

    def __init__(self, file: object) -> None:
        self.write = file.write  # type: ignore[attr-defined]


def test_containers_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    found = {}
    for head in (
        b"\0\0\0\x18ftypmp42",
        b"\x1aE\xdf\xa3",
        b"GIF89a",
        b"RIFF1234WAVE",
        b"RIFF1234WEBP",
    ):
        path.write_bytes(head.ljust(32, b"\0"))
        found[head[:5]] = looks_like_media(path)

    assert list(found.values())[:3] == [True, True, True]
    assert not is_cut_short(path)


def test_a_box_that_lies_about_its_size_is_no_endless_walk(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0\0\0\x10ftypmp42\0\0\0\0" + b"\0\0\0\x04free" * 100)

    assert is_cut_short(path)


def test_a_slide_show_with_seconds_between_its_pictures_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "slides.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(4):
            frame = av.VideoFrame(160, 120, "yuv420p")
            frame.pts, frame.time_base = number * 8000, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    decode_check(path)

    assert probe(path).duration_s >= 24
