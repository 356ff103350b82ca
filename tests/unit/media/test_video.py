import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from medpipe.errors import Rejected
from medpipe.media.video import open_video, plain_decode_cpu_s
from tests.support.damage import damage


def write_video(
    path: Path,
    times_ms: list[int],
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k, time_ms in enumerate(times_ms):
            image = np.full((size[1], size[0], 3), 40 + 20 * (k % 8), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_noise(
    path: Path, frames: int = 40, size: tuple[int, int] = (64, 48), pixels: str = "yuv420p"
) -> Path:
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        (stream.width, stream.height), stream.pix_fmt = size, pixels
        for _ in range(frames):
            image = rng.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def test_times_come_from_the_stamps_and_not_from_the_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40, 400, 440, 1300])

    with open_video(path) as reader:
        times = [frame.time_s for frame in reader]

    assert times == pytest.approx([0, 0.04, 0.4, 0.44, 1.3], abs=0.002)
    assert reader.frames == 5


def test_time_counts_from_the_start_of_the_container(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [5000, 5040, 5080], codec="mpeg4")

    with open_video(path) as reader:
        times = [frame.time_s for frame in reader]

    assert times == pytest.approx([0, 0.04, 0.08], abs=0.002)


def test_luma_is_a_view_into_the_decoders_buffer(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40])

    with open_video(path) as reader:
        frame = next(iter(reader))
        luma, (blue, red) = frame.luma(), frame.chroma()

    assert luma.shape == (48, 64)
    assert luma.dtype == np.uint8
    assert not luma.flags.owndata
    assert blue.shape == red.shape == (24, 32)
    assert frame.bgr().shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", "yuv444p"])
def test_a_part_in_colour_is_that_of_the_whole(
    tmp_path: Path, pixels: str, size: tuple[int, int]
) -> None:
    if pixels != "yuv444p" and size[0] % 2:
        pytest.skip("the encoder wants even sides")
    path = write_noise(tmp_path / "a.mp4", 3, size, pixels)

    with open_video(path) as reader:
        frames = list(reader)

    for rows, columns in [(0, 12), (7, 30)], [(11, 12), (5, 6)], [(20, size[1]), (33, size[0])]:
        part = slice(*rows), slice(*columns)
        assert (frames[1].bgr(part) == frames[1].bgr()[part]).all()


@pytest.mark.parametrize("pixels", ["yuv444p", "yuv420p10le", "rgb24"])
def test_other_pixel_formats_give_eight_bit_luma_too(tmp_path: Path, pixels: str) -> None:
    codec = "libx264rgb" if pixels == "rgb24" else "libx264"
    path = write_video(tmp_path / "a.mp4", [0, 40], codec=codec, pixels=pixels)

    with open_video(path) as reader:
        luma = next(iter(reader)).luma()

    assert luma.shape == (48, 64)
    assert abs(float(luma.mean()) - 45) < 8


def test_broken_packets_are_skipped_and_counted(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mkv", list(range(0, 4000, 40)), codec="mjpeg", pixels="yuvj420p"
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 900] = bytes(900)
    path.write_bytes(data)

    with open_video(path) as reader:
        times = [frame.time_s for frame in reader]

    assert 90 <= len(times) < 100
    assert reader.broken >= 1
    assert all(b > a for a, b in itertools.pairwise(times))


def test_pictures_decoded_only_in_part_are_given_and_counted(tmp_path: Path) -> None:
    whole = write_noise(tmp_path / "whole.mp4")
    damaged = damage(whole, tmp_path / "damaged.mp4", picture=20)

    counts = []
    for path in (whole, damaged):
        with open_video(path) as reader:
            counts.append((sum(1 for _ in reader), reader.broken))

    assert counts[0] == (40, 0)
    assert counts[1][0] == 40
    assert 1 <= counts[1][1] <= 40


def test_a_file_that_is_no_video_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"these are no pictures" * 50)

    with pytest.raises(Rejected, match="not_a_video"):
        open_video(path)


def test_sound_alone_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    with pytest.raises(Rejected, match="no_video"):
        open_video(path)


def test_a_missing_file_is_not_the_items_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_video(tmp_path / "nothing.mp4")


def test_a_plain_decode_costs_some_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", list(range(0, 2000, 40)))

    assert plain_decode_cpu_s(path) > 0
