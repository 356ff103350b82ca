"""Containers whose streams are not all there when the file is opened."""

from pathlib import Path

import pytest

from medpipe.media.containers import open_media, packets_of
from medpipe.media.probe import decode_check, probe
from medpipe.media.video import open_video
from tests.support.tiny_videos import RATE, tiny_video

_HEADER, _SOUND = 9 + 4, 8


@pytest.fixture(scope="module")
def late_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An FLV that promises no sound and brings some after 6 of its 8 seconds."""
    folder = tmp_path_factory.mktemp("flv")
    content = tiny_video(folder / "whole.flv", 8.0, container="flv").read_bytes()
    kept, at = [bytes([*content[:4], 1, *content[5:_HEADER]])], _HEADER
    while at < len(content):
        end = at + 11 + int.from_bytes(content[at + 1 : at + 4], "big") + 4
        time_ms = int.from_bytes(content[at + 4 : at + 7], "big")
        if content[at] != _SOUND or time_ms > 6000:
            kept.append(content[at:end])
        at = end
    path = folder / "late.flv"
    path.write_bytes(b"".join(kept))
    return path


def test_a_stream_that_appears_on_the_way_does_not_stop_the_reading(late_sound: Path) -> None:
    with open_media(late_sound) as container:
        assert len(container.streams) == 1
        video = container.streams.video[0]
        pictures = [p for p in packets_of(container) if p.size and p.stream is video]

    assert len(pictures) == 8 * RATE


def test_a_video_whose_sound_comes_late_is_a_video(late_sound: Path) -> None:
    decode_check(late_sound)
    assert probe(late_sound).duration_s == pytest.approx(8.2, abs=0.3)
    with open_video(late_sound) as reader:
        assert sum(1 for _ in reader) == 8 * RATE
