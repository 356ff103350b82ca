from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.errors import Rejected
from medpipe.media.audio import audio_blocks, quietest_cut
from medpipe.records import AudioBlock

RATE = AudioBlock.SAMPLE_RATE_HZ
TONE = (12_000 * np.sin(np.arange(RATE) * 0.3)).astype(np.int16)


def write(
    path: Path,
    samples: NDArray[np.int16],
    *,
    rate: int = RATE,
    codec: str = "pcm_s16le",
    delay_s: float = 0.0,
    gap: tuple[int, float] | None = None,
    picture: bool = False,
) -> Path:
    """Write mono sound, late by `delay_s`; `gap` skips stamps (seconds) from a sample on."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=10) if picture else None
        sound: Any = out.add_stream(codec, rate=rate)
        sound.layout = "mono"
        if video is not None:
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
            for k in range(round(len(samples) / rate * 10)):
                frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 10)
                out.mux(video.encode(frame))
            out.mux(video.encode())
        for k in range(0, len(samples), 1024):
            piece = av.AudioFrame.from_ndarray(
                samples[None, k : k + 1024], format="s16", layout="mono"
            )
            late = gap[1] if gap and k >= gap[0] else 0.0
            piece.rate, piece.time_base = rate, Fraction(1, rate)
            piece.pts = k + round((delay_s + late) * rate)
            out.mux(sound.encode(piece))
        out.mux(sound.encode())
    return path


def loud_at(block: AudioBlock) -> float:
    """When the block first gets loud, on the video's clock."""
    return block.start_s + int(np.flatnonzero(np.abs(block.samples) > 4000)[0]) / RATE


def with_tone(rate: int, seconds: float, at_s: float) -> NDArray[np.int16]:
    samples = np.zeros(round(rate * seconds), np.int16)
    tone = (12_000 * np.sin(np.arange(rate // 10) * 0.3)).astype(np.int16)
    samples[round(at_s * rate) :][: len(tone)] = tone
    return samples


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "aac", 44_100),
        ("a.mkv", "aac", 48_000),
        ("a.webm", "libopus", 48_000),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.wav", "pcm_s16le", 22_050),
    ],
)
def test_sound_stands_at_its_time_whatever_the_codec(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    path = write(tmp_path / name, with_tone(rate, 4, 2.0), rate=rate, codec=codec)

    (block,) = audio_blocks(path)

    assert loud_at(block) == pytest.approx(2.0, abs=0.005)
    assert block.duration_s == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "pcm_s16le")])
def test_sound_that_starts_after_the_picture_keeps_its_delay(
    tmp_path: Path, name: str, codec: str
) -> None:
    samples = with_tone(RATE, 4, 0.5)
    path = write(tmp_path / name, samples, codec=codec, delay_s=1.5, picture=True)

    (block,) = audio_blocks(path)

    assert block.start_s == pytest.approx(1.5, abs=0.07)
    assert loud_at(block) == pytest.approx(2.0, abs=0.005)


def test_a_given_origin_moves_the_clock_and_cuts_what_lies_before_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", with_tone(RATE, 4, 2.0))

    (block,) = audio_blocks(path, origin_s=0.5)

    assert block.start_s == 0
    assert loud_at(block) == pytest.approx(1.5, abs=0.005)


def test_a_short_gap_in_the_stamps_becomes_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", np.tile(TONE, 4), gap=(32_768, 0.5))

    (block,) = audio_blocks(path)

    assert block.duration_s == pytest.approx(4.5, abs=0.01)
    assert np.abs(block.samples[32_800:40_700]).max() < 50
    assert np.abs(block.samples[40_800:]).max() > 10_000


def test_a_long_gap_in_the_stamps_starts_a_new_block(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", np.tile(TONE, 4), gap=(32_768, 60))

    first, second = audio_blocks(path)

    assert first.start_s == 0
    assert first.duration_s == pytest.approx(2.048, abs=0.01)
    assert second.start_s == pytest.approx(62.048, abs=0.01)


def test_blocks_put_together_are_the_whole_sound(tmp_path: Path) -> None:
    samples = np.tile(TONE, 9)
    path = write(tmp_path / "a.wav", samples)

    blocks = list(audio_blocks(path, max_block_s=2))

    assert len(blocks) > 4
    assert all(b.duration_s <= 2 for b in blocks)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), samples)
    for before, after in pairwise(blocks):
        assert after.start_s == pytest.approx(before.start_s + before.duration_s)


def test_blocks_are_cut_in_silence(tmp_path: Path) -> None:
    samples = np.tile(TONE, 10)
    samples[round(4.3 * RATE) : round(4.9 * RATE)] = 0
    path = write(tmp_path / "a.wav", samples)

    first, _ = audio_blocks(path, max_block_s=6, min_block_s=3)

    assert 4.3 < first.duration_s < 4.9


def test_the_latest_of_equally_quiet_places_is_taken() -> None:
    silence = np.zeros(10 * RATE, np.int16)

    assert quietest_cut(silence, 2 * RATE, 8 * RATE) > 7.5 * RATE


def test_a_video_without_sound_is_rejected(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        video = out.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        out.mux(video.encode(frame))
        out.mux(video.encode())

    with pytest.raises(Rejected) as caught:
        list(audio_blocks(tmp_path / "a.mp4"))

    assert caught.value.code == "no_audio"


def test_a_file_that_is_no_media_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"<html>not a video</html>" * 50)

    with pytest.raises(Rejected) as caught:
        list(audio_blocks(tmp_path / "a.mp4"))

    assert caught.value.code == "web_page"


def test_a_missing_file_is_not_the_items_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(audio_blocks(tmp_path / "none.mp4"))


def test_broken_packets_are_skipped_and_the_rest_keeps_its_time(tmp_path: Path) -> None:
    samples = np.tile(TONE, 6)
    samples[4 * RATE :] = 0
    samples[5 * RATE : 5 * RATE + 1600] = TONE[:1600]
    path = write(tmp_path / "a.mkv", samples, codec="aac")
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 3
    raw[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    path.write_bytes(raw)

    blocks = list(audio_blocks(path))

    tail = next(b for b in blocks if b.start_s + b.duration_s > 5)
    quiet = tail.samples[max(round((4.2 - tail.start_s) * RATE), 0) :]
    late = tail.start_s + tail.duration_s - len(quiet) / RATE
    assert late + int(np.flatnonzero(np.abs(quiet) > 4000)[0]) / RATE == pytest.approx(5, abs=0.07)


@pytest.mark.parametrize(("low", "high"), [(0.0, 5.0), (6.0, 5.0)])
def test_block_lengths_out_of_order_are_refused(tmp_path: Path, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="min_block_s"):
        next(audio_blocks(tmp_path / "a.wav", max_block_s=high, min_block_s=low))
