"""Clips are right to the frame and in step with their sound, whatever they were cut from."""

from pathlib import Path

import av
import numpy as np
import pytest

from medpipe.errors import Rejected
from medpipe.media.cutting import Cut, cut_clip
from tests.support.numbered_videos import beep_s, frames_of, is_flash, number_of, numbered_video

B_FRAMES = {"g": "60", "bf": "3", "b_strategy": "0", "sc_threshold": "0", "keyint_min": "60"}
EVEN = [k / 30 for k in range(300)]
UNEVEN = np.cumsum(np.random.default_rng(5).choice([0.02, 0.04, 0.2], 150)).round(3).tolist()


def cut(source: Path, start_s: float, end_s: float, slack_s: float = 0.0) -> tuple[Cut, Path]:
    target = source.with_name("clip.mp4")
    return cut_clip(source, target, start_s, end_s, slack_s=slack_s, crf=18), target


def numbers(path: Path) -> list[int]:
    return [number_of(image) for _, image in frames_of(path)]


def start_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.start_time or 0) / av.time_base


@pytest.mark.parametrize(
    ("name", "times_s", "how"),
    [
        ("b_frames.mp4", EVEN, {"options": B_FRAMES}),
        ("uneven.mp4", UNEVEN, {"options": B_FRAMES}),
        ("uneven.mkv", UNEVEN, {"options": B_FRAMES}),
        ("vp9.webm", EVEN[:120], {"codec": "libvpx-vp9", "sound": "libopus"}),
        ("stream.ts", EVEN, {"options": B_FRAMES, "offset_s": 9.0}),
    ],
)
def test_an_encoded_clip_holds_exactly_the_frames_that_are_shown_in_its_time(
    tmp_path: Path, name: str, times_s: list[float], how: dict[str, object]
) -> None:
    source = numbered_video(tmp_path / name, times_s, **how)
    stamps = [t for t, _ in frames_of(source)]
    start_s, end_s = (stamps[k] - start_of(source) for k in (41, 97))

    made, clip = cut(source, start_s, end_s)

    assert not made.copied
    assert numbers(clip) == list(range(41, 97))
    assert (made.start_s, made.end_s) == pytest.approx((start_s, end_s), abs=1e-3)
    apart = np.array([t for t, _ in frames_of(clip)]) - (np.array(stamps[41:97]) - stamps[41])
    assert np.abs(apart).max() < 0.002


def test_the_first_and_the_last_frame_look_like_those_of_the_source(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.mp4", EVEN, options=B_FRAMES)

    _, clip = cut(source, 2.5, 4.5)

    whole, part = frames_of(source), frames_of(clip)
    for mine, theirs in ((part[0][1], whole[75][1]), (part[-1][1], whole[134][1])):
        error = (mine.astype(float) - theirs.astype(float)) ** 2
        assert 10 * np.log10(255**2 / error.mean()) > 35


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("b_frames.mp4", {"options": B_FRAMES}),
        ("b_frames.mkv", {"options": B_FRAMES}),
        ("vp9.webm", {"codec": "libvpx-vp9", "sound": "libopus", "options": {"g": "60"}}),
        ("stream.ts", {"options": B_FRAMES, "offset_s": 9.0}),
    ],
)
def test_a_copied_clip_begins_with_its_key_frame_and_has_no_hole(
    tmp_path: Path, name: str, how: dict[str, object]
) -> None:
    source = numbered_video(tmp_path / name, EVEN[:240], **how)

    made, clip = cut(source, 2.5, 5.5, slack_s=1.0)

    assert made.copied
    assert made.start_s == pytest.approx(2.0, abs=0.03)
    told = numbers(clip)
    assert told == list(range(60, 60 + len(told)))
    assert 0 <= made.end_s - 5.5 < 0.3
    assert len(told) == round((made.end_s - made.start_s) * 30)


def test_a_copied_clip_is_the_source_bit_by_bit(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.mp4", EVEN, options=B_FRAMES)

    _, clip = cut(source, 2.5, 4.5, slack_s=1.0)

    whole, part = frames_of(source)[60:], frames_of(clip)
    assert all(
        np.array_equal(mine, theirs) for (_, mine), (_, theirs) in zip(part, whole, strict=False)
    )


def test_a_key_frame_too_far_back_makes_the_clip_an_encoded_one(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.mp4", EVEN, options=B_FRAMES)

    assert not cut(source, 3.5, 5.0, slack_s=1.0)[0].copied
    assert cut(source, 3.5, 5.0, slack_s=1.6)[0].copied


@pytest.mark.parametrize("slack_s", [0.0, 1.0], ids=["encoded", "copied"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("aac.mp4", {"options": B_FRAMES}),
        ("opus.webm", {"codec": "libvpx-vp9", "sound": "libopus", "options": {"g": "60"}}),
        ("stream.ts", {"options": B_FRAMES, "offset_s": 9.0}),
    ],
)
def test_flash_and_beep_stay_together(
    tmp_path: Path, name: str, how: dict[str, object], slack_s: float
) -> None:
    source = numbered_video(tmp_path / name, EVEN[:240], flash_s=4.0, **how)

    made, clip = cut(source, 2.5, 5.5, slack_s=slack_s)

    assert made.copied == bool(slack_s)
    assert made.audio_codec == "aac"
    flash_s = next(t for t, image in frames_of(clip) if is_flash(image))
    assert beep_s(clip) == pytest.approx(flash_s, abs=0.02)
    assert flash_s == pytest.approx(4.0 - made.start_s, abs=0.04)


@pytest.mark.parametrize("slack_s", [0.0, 1.0], ids=["encoded", "copied"])
def test_a_rotation_is_stated_again_and_the_pixels_stay(tmp_path: Path, slack_s: float) -> None:
    source = numbered_video(tmp_path / "turned.mp4", EVEN, options=B_FRAMES, rotation=90)

    _, clip = cut(source, 2.5, 4.5, slack_s=slack_s)

    with av.open(str(source)) as whole, av.open(str(clip)) as part:
        turns = [next(c.decode(video=0)).rotation for c in (whole, part)]
    assert turns[0] == turns[1] != 0
    assert numbers(clip)[-1] >= 134


def test_the_end_of_the_video_ends_a_clip(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.mp4", EVEN, options=B_FRAMES)

    made, clip = cut(source, 9.1, 60.0)

    assert numbers(clip)[-1] == 299
    assert made.end_s == pytest.approx(10.0, abs=0.04)


def test_a_clip_behind_the_end_is_refused(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.mp4", EVEN[:60], options=B_FRAMES)

    with pytest.raises(Rejected, match="no frame"):
        cut(source, 30, 40)


def test_the_same_cut_gives_the_same_bytes(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.mp4", EVEN, options=B_FRAMES)

    first = cut(source, 2.5, 4.5)[1].read_bytes()

    assert cut(source, 2.5, 4.5)[1].read_bytes() == first
