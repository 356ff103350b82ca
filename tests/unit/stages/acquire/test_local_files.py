import shutil
from pathlib import Path

import pytest

from medpipe.errors import Rejected
from medpipe.records import Item
from medpipe.stages.acquire import AcquireConfig, acquire
from medpipe.stages.acquire.edge import sha256_of
from tests.support.tiny_videos import cut, song_with_cover, tiny_gif, tiny_video


def on_disk(path: Path) -> Item:
    return Item(id=f"file:{sha256_of(path)}", uri=str(path))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_video(tmp_path_factory.mktemp("lecture") / "Chest X-ray.mp4")


def test_a_local_file_stays_where_it_is(
    lecture: Path, tmp_path: Path, config: AcquireConfig
) -> None:
    video = acquire(on_disk(lecture), tmp_path / "scratch", config)

    assert (video.path, video.url) == (str(lecture), None)
    assert video.item.title == "Chest X-ray"
    assert video.item.id == f"file:{video.sha256}"
    assert (video.width_px, video.height_px, video.frame_rate) == (160, 120, 10)
    assert (video.video_codec, video.audio_codec) == ("h264", "aac")
    assert video.duration_s == pytest.approx(2, abs=0.1)
    assert left_in(tmp_path) == []


def test_local_files_that_are_no_videos_have_each_its_reason(
    lecture: Path, tmp_path: Path, config: AcquireConfig
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("A lecture on chest films. " * 1000)
    (tmp_path / "page").write_text("<html><body>Log in</body></html>" * 100)
    (tmp_path / "list").write_text("#EXTM3U\n#EXTINF:2,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat").write_text(f"ffconcat version 1.0\nfile {lecture}\n")
    cut(lecture, tmp_path / "cut")
    tiny_video(tmp_path / "silent.mp4", sound=False)
    tiny_video(tmp_path / "sound.mp4", picture=False)
    song_with_cover(tmp_path / "cover.mp4")
    tiny_video(tmp_path / "blink.mp4", seconds=0.5)

    found = {}
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(Rejected) as caught:
            acquire(on_disk(path), tmp_path, config)
        found[path.name] = caught.value.code

    assert found == {
        "blink.mp4": "too_short",
        "concat": "not_a_video",
        "cover.mp4": "no_video",
        "cut": "truncated",
        "empty": "empty_file",
        "list": "not_a_video",
        "page": "web_page",
        "silent.mp4": "no_audio",
        "sound.mp4": "no_video",
        "text": "not_a_video",
    }


def test_silence_is_accepted_where_the_config_says_so(tmp_path: Path) -> None:
    config = AcquireConfig(require_audio=False)
    silent = tiny_video(tmp_path / "silent.mp4", sound=False)
    gif = tiny_gif(tmp_path / "a.gif")

    assert acquire(on_disk(silent), tmp_path, config).audio_codec == "none"
    assert acquire(on_disk(gif), tmp_path, config).video_codec == "gif"


def test_a_local_file_that_changed_or_went_is_rejected(
    lecture: Path, tmp_path: Path, config: AcquireConfig
) -> None:
    path = Path(shutil.copy(lecture, tmp_path / "a.mp4"))
    item = on_disk(path)
    with path.open("ab") as file:
        file.write(b"more")

    with pytest.raises(Rejected, match="content_changed"):
        acquire(item, tmp_path, config)
    path.unlink()
    with pytest.raises(Rejected, match="missing_file"):
        acquire(item, tmp_path, config)
    path.mkdir()
    with pytest.raises(Rejected, match="not_a_file"):
        acquire(item, tmp_path, config)


def test_a_video_longer_than_wanted_is_rejected(lecture: Path, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="too_long"):
        acquire(on_disk(lecture), tmp_path, AcquireConfig(max_duration_s=1.5))
