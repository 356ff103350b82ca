"""Clips go into the store whole, under names that say what they are."""

import hashlib
from pathlib import Path

import pytest

from medpipe.records import Drop
from medpipe.stages.clips import Clip, ClipConfig, cut_clips
from medpipe.storage import open_store
from tests.support.numbered_videos import frames_of, number_of, numbered_video

EVEN = [k / 30 for k in range(300)]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    options = {"g": "60", "bf": "3", "sc_threshold": "0", "keyint_min": "60"}
    return numbered_video(tmp_path / "scratch" / "video.mp4", EVEN, options=options)


def test_a_clip_is_in_the_store_as_it_says(tmp_path: Path, video: Path) -> None:
    store = open_store(str(tmp_path / "out"))

    copied, encoded = cut_clips(
        video, [(2.5, 4.0), (9.5, 9.9)], store, "_clips/00/x/1-", ClipConfig(slack_s=1)
    )

    assert isinstance(copied, Clip)
    assert isinstance(encoded, Clip)
    assert (copied.how, encoded.how) == ("copied", "encoded")
    for clip in (copied, encoded):
        data = store.read(clip.key)
        assert (clip.sha256, clip.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    shown = frames_of(tmp_path / "out" / encoded.key)
    assert [number_of(image) for _, image in shown] == list(range(285, 297))


def test_the_same_work_again_writes_the_same_objects(tmp_path: Path, video: Path) -> None:
    store = open_store(str(tmp_path / "out"))

    first, again = (
        cut_clips(video, [(2.5, 4.0)], store, "_clips/00/x/1-", ClipConfig()) for _ in range(2)
    )

    assert first == again
    assert len(list(store.keys("_clips"))) == 1


def test_what_cannot_be_cut_is_told_and_the_rest_is_cut(tmp_path: Path, video: Path) -> None:
    store = open_store(str(tmp_path / "out"))

    lost, made = cut_clips(video, [(60, 63), (2, 4)], store, "_clips/00/x/1-", ClipConfig())

    assert isinstance(lost, Drop)
    assert (lost.stage, lost.kind, lost.code, lost.start_s) == ("clips", "clip", "no_frame", 60)
    assert isinstance(made, Clip)


def test_nothing_is_left_beside_the_video(tmp_path: Path, video: Path) -> None:
    cut_clips(video, [(2, 4)], open_store(str(tmp_path / "out")), "_clips/x-", ClipConfig())

    assert list(video.parent.iterdir()) == [video]


def test_a_damaged_stretch_costs_its_own_clip_at_most(tmp_path: Path, video: Path) -> None:
    data = bytearray(video.read_bytes())
    begins = data.index(b"mdat")
    size = int.from_bytes(data[begins - 4 : begins], "big")
    middle = begins + size // 2
    data[middle : middle + size // 20] = b"\xff" * (size // 20)
    video.write_bytes(data)
    store = open_store(str(tmp_path / "out"))

    answers = cut_clips(
        video, [(0.5, 1.5), (4.0, 6.0), (9.0, 9.8)], store, "_clips/x-", ClipConfig(slack_s=0)
    )

    assert isinstance(answers[0], Clip)
    assert isinstance(answers[2], Clip)
    assert all(store.exists(a.key) for a in answers if isinstance(a, Clip))
