"""Pictures that nothing else needs are left out, and nothing else changes."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.media.sparing import Sparer
from medpipe.media.video import open_video

REFERRED, DISPOSABLE = b"\0\0\0\1\x41rest", b"\0\0\0\1\x01rest"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spared") / "a.mp4"
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (120, 400, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"x264-params": "bframes=3:b-adapt=0"}
        for k in range(60):
            image = np.ascontiguousarray(wide[:, 2 * k : 2 * k + 160])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def shown(path: Path, gap_s: float) -> tuple[dict[float, NDArray[np.uint8]], int, float]:
    with open_video(path, gap_s=gap_s) as reader:
        frames = {round(frame.time_s, 4): frame.luma().copy() for frame in reader}
        return frames, reader.frames, reader.duration_s


def test_frames_that_are_given_are_the_same_to_the_bit(clip: Path) -> None:
    every, _, _ = shown(clip, 0)
    some, _, _ = shown(clip, 0.1)

    assert len(some) < 0.7 * len(every)
    assert all(np.array_equal(every[time_s], luma) for time_s, luma in some.items())


def test_frames_lie_no_farther_apart_than_was_asked_for(clip: Path) -> None:
    some, _, _ = shown(clip, 0.1)

    assert np.diff(sorted(some)).max() <= 0.1 + 1e-6


def test_frames_left_out_are_counted_and_last(clip: Path) -> None:
    _, every, duration_s = shown(clip, 0)
    _, some, spared_s = shown(clip, 0.1)

    assert some == every == 60
    assert spared_s == pytest.approx(duration_s, abs=1e-6)


def test_a_picture_that_others_refer_to_is_never_left_out() -> None:
    sparer = Sparer(None, 0.1)

    assert not sparer.spares(REFERRED, 0.0)
    assert not sparer.spares(REFERRED, 0.08)
    assert not sparer.spares(REFERRED, 0.04)


def test_a_picture_is_only_left_out_between_near_ones() -> None:
    sparer = Sparer(None, 0.1)

    assert not sparer.spares(DISPOSABLE, 0.0)
    assert not sparer.spares(REFERRED, 0.2)
    assert not sparer.spares(DISPOSABLE, 0.1)
    assert sparer.spares(DISPOSABLE, 0.05)


def test_units_with_their_length_before_them_are_read() -> None:
    sparer = Sparer(bytes([1, 100, 0, 30, 0xFF, 0xE1, 0]), 0.1)
    framed = {data: len(data[4:]).to_bytes(4, "big") + data[4:] for data in (REFERRED, DISPOSABLE)}

    assert not sparer.spares(framed[REFERRED], 0.0)
    assert not sparer.spares(framed[REFERRED], 0.08)
    assert not sparer.spares(framed[REFERRED], 0.03)
    assert sparer.spares(framed[DISPOSABLE], 0.04)
