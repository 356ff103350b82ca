"""The overlay: every frame where it was in time, the findings where they were found."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe import load_config
from medpipe.cli.stages import extract_file
from medpipe.errors import ConfigError
from medpipe.media.overlay import write_overlay
from medpipe.records import Extraction, PointerKind, Scene, Trace

WIDTH, HEIGHT = 321, 241
TIMES_S = (0.0, 0.05, 0.3, 0.35, 0.9, 1.0, 1.1, 2.0)
POINTS_S = (0.0, 0.1, 0.2, 0.3, 0.35)
X, Y = 0.75, 0.5


def grey_video(path: Path) -> Path:
    """A grey video of odd size at a variable rate."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time_s in TIMES_S:
            pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def findings() -> Extraction:
    """A laser that is seen until 0.35 s, and one scene until 0.95 s."""
    n = len(POINTS_S)
    trace = Trace.of(POINTS_S, [X] * n, [Y] * n, [0.9] * n, [PointerKind.LASER] * n)
    scene = Scene(0, 0.0, 0.95, "", WIDTH, HEIGHT, (0, 0, WIDTH, HEIGHT), 0, trace)
    return Extraction(WIDTH, HEIGHT, 2.1, len(TIMES_S), "h264", trace, (scene,))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], list[NDArray[np.int16]]]:
    folder = tmp_path_factory.mktemp("overlay")
    target = folder / "out.mp4"
    assert write_overlay(grey_video(folder / "in.mp4"), findings(), target) == len(TIMES_S)
    with av.open(str(target)) as file:
        frames = list(file.decode(video=0))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    return times, [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in frames]


def redness(picture: NDArray[np.int16]) -> NDArray[np.int16]:
    """How much redder than green each pixel of the picture below the bar is, its rim left out."""
    below = picture[-HEIGHT:]
    return (below[..., 0] - below[..., 1])[8:-8, 8:-8]


def test_every_frame_keeps_its_presentation_stamp(
    drawn: tuple[list[float], list[NDArray[np.int16]]],
) -> None:
    assert drawn[0] == pytest.approx(TIMES_S, abs=1e-4)


def test_the_pointer_is_ringed_where_it_was_found_and_only_while_it_was_seen(
    drawn: tuple[list[float], list[NDArray[np.int16]]],
) -> None:
    for time_s, picture in zip(*drawn, strict=True):
        rows, columns = np.nonzero(redness(picture) > 60)
        assert bool(len(rows)) == (time_s <= 0.35)
        if len(rows):
            assert np.mean(columns) + 8 == pytest.approx(X * WIDTH, abs=2)
            assert np.mean(rows) + 8 == pytest.approx(Y * HEIGHT, abs=2)


def test_the_rim_tells_scenes_from_what_lies_between(
    drawn: tuple[list[float], list[NDArray[np.int16]]],
) -> None:
    for time_s, picture in zip(*drawn, strict=True):
        corner = picture[-HEIGHT + 1, 1]
        assert (corner[1] > corner[0]) == (time_s <= 0.95)


def test_an_overlay_over_its_own_video_is_refused(tmp_path: Path) -> None:
    video = grey_video(tmp_path / "in.mp4")

    with pytest.raises(ConfigError, match="overwrite"):
        extract_file(video, tmp_path / "images", load_config("demo"), video)

    assert video.stat().st_size > 0


def test_an_overlay_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    video = grey_video(tmp_path / "in.mp4")

    with pytest.raises(ConfigError, match=r"\.mp4"):
        extract_file(video, tmp_path / "images", load_config("demo"), tmp_path / "out.png")


def test_the_extraction_is_the_same_with_an_overlay(tmp_path: Path) -> None:
    video = grey_video(tmp_path / "in.mp4")
    config = load_config("demo")

    plain = extract_file(video, tmp_path / "a", config)
    beside = extract_file(video, tmp_path / "b", config, tmp_path / "new" / "out.mkv")

    assert (tmp_path / "new" / "out.mkv").stat().st_size > 0
    assert {**plain, "timing": None} == {**beside, "timing": None}
