from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.errors import Rejected
from medpipe.records import Extraction
from medpipe.stages.extract import ExtractConfig, extract

WIDTH, HEIGHT = 320, 240
CONFIG = ExtractConfig()

Image = NDArray[np.uint8]
Tip = tuple[float, float] | None


def slide(seed: int, bright: int = 30) -> Image:
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 160, (12, 16, 3), np.uint8)
    image = np.full((HEIGHT, WIDTH, 3), bright, np.uint8)
    image[30:210, 20:240] = cv2.resize(rough, (220, 180), interpolation=cv2.INTER_CUBIC)
    return image


def draw_arrow(image: Image, x: float, y: float) -> None:
    shape = np.array([(0, 0), (0, 16), (4, 12), (7, 18), (9, 17), (6.5, 11.5), (11, 11.5)])
    points = np.round(np.add(shape, (x, y)) * 16).astype(np.int32)
    cv2.fillPoly(image, [points], (255, 255, 255), cv2.LINE_AA, 4)
    cv2.polylines(image, [points], True, (0, 0, 0), 1, cv2.LINE_AA, 4)


def write_clip(
    path: Path,
    picture: Callable[[float], Image],
    tip: Callable[[float], Tip],
    times_s: NDArray[np.float64],
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "23", "preset": "ultrafast"}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.thread_count = 1
        for time_s in times_s:
            image = picture(float(time_s)).copy()
            place = tip(float(time_s))
            if place is not None:
                draw_arrow(image, *place)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def steady(seconds: float, rate: float = 15) -> NDArray[np.float64]:
    return np.arange(round(seconds * rate)) / rate


def wander(time_s: float) -> tuple[float, float]:
    return 150 + 90 * np.sin(1.9 * time_s), 120 + 60 * np.sin(2.7 * time_s + 1)


def parked_then_moving(time_s: float) -> tuple[float, float]:
    return wander(max(time_s - 3.0, 0.0))


def errors_px(found: Extraction, tip: Callable[[float], Tip]) -> NDArray[np.float64]:
    points = found.points
    want = np.array([tip(float(t)) for t in points.t_s])
    return np.hypot(points.x * WIDTH - want[:, 0], points.y * HEIGHT - want[:, 1])


@pytest.fixture(scope="module")
def parked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Extraction]:
    folder = tmp_path_factory.mktemp("parked")
    image = slide(1)
    path = write_clip(folder / "a.mp4", lambda _: image, parked_then_moving, steady(7))
    return path, extract(path, folder, CONFIG)


def test_a_parked_pointer_is_found_from_the_first_frame(parked: tuple[Path, Extraction]) -> None:
    _, found = parked

    rest = found.points.between(0, 2.9)

    assert len(rest) >= 29
    assert rest.t_s[0] < 0.2
    assert np.diff(rest.t_s).max() <= 0.25


def test_the_tip_is_found_and_not_the_body(parked: tuple[Path, Extraction]) -> None:
    _, found = parked

    error = errors_px(found, parked_then_moving)

    assert len(found.points) >= 63
    assert np.median(error) < 2
    assert np.mean(error < 6) > 0.95


def test_the_clean_image_has_no_pointer_where_it_rested(parked: tuple[Path, Extraction]) -> None:
    _, found = parked

    clean = cv2.imread(found.scenes[0].image_path)
    x, y = (round(v) for v in parked_then_moving(0))
    off = np.abs(clean.astype(int) - slide(1))[y - 4 : y + 24, x - 4 : x + 16]

    assert off.mean() < 6
    assert off.max() < 60
    assert found.scenes[0].unrecovered_px == 0


def test_the_trace_of_a_scene_counts_from_its_start(parked: tuple[Path, Extraction]) -> None:
    _, found = parked

    scene = found.scenes[0]

    assert len(found.scenes) == 1
    assert scene.box_px == (0, 0, WIDTH, HEIGHT)
    assert len(scene.trace) == len(found.points)
    assert scene.trace.t_s[0] == pytest.approx(found.points.t_s[0] - scene.start_s, abs=1e-3)


def test_a_second_run_gives_the_same_answer(
    parked: tuple[Path, Extraction], tmp_path: Path
) -> None:
    path, found = parked

    again = extract(path, tmp_path, CONFIG)

    assert np.array_equal(again.points.t_s, found.points.t_s)
    assert np.array_equal(again.points.x, found.points.x)
    assert np.array_equal(again.points.confidence, found.points.confidence)
    first = Path(found.scenes[0].image_path).read_bytes()
    assert (tmp_path / "scene-000.png").read_bytes() == first


def test_no_pointer_gives_no_points(tmp_path: Path) -> None:
    images = slide(2), slide(3)
    path = write_clip(tmp_path / "a.mp4", lambda t: images[t >= 2], lambda _: None, steady(4))

    found = extract(path, tmp_path, CONFIG)

    assert len(found.points) == 0
    assert len(found.scenes) == 2


def test_a_cut_ends_one_scene_and_starts_the_next(tmp_path: Path) -> None:
    images = slide(4), slide(5, bright=220)
    path = write_clip(tmp_path / "a.mp4", lambda t: images[t >= 2.6], wander, steady(5))

    found = extract(path, tmp_path, CONFIG)

    first, second = found.scenes
    assert first.start_s == pytest.approx(0, abs=0.1)
    assert first.end_s == pytest.approx(2.6, abs=0.2)
    assert second.start_s == pytest.approx(2.6, abs=0.2)
    assert second.end_s == pytest.approx(5, abs=0.2)


def test_a_cross_fade_belongs_to_no_scene(tmp_path: Path) -> None:
    a, b = slide(6), slide(7, bright=200)

    def faded(time_s: float) -> Image:
        share = float(np.clip((time_s - 2) / 1.2, 0, 1))
        return np.asarray(cv2.addWeighted(a, 1 - share, b, share, 0), np.uint8)

    path = write_clip(tmp_path / "a.mp4", faded, lambda _: None, steady(5.2))

    found = extract(path, tmp_path, CONFIG)

    assert len(found.scenes) == 2
    assert found.scenes[0].end_s == pytest.approx(2, abs=0.4)
    assert found.scenes[1].start_s == pytest.approx(3.2, abs=0.4)


def test_nothing_is_seen_while_the_pointer_is_hidden(tmp_path: Path) -> None:
    image = slide(8)
    path = write_clip(
        tmp_path / "a.mp4", lambda _: image, lambda t: None if 2 <= t < 4 else wander(t), steady(6)
    )

    found = extract(path, tmp_path, CONFIG)

    assert len(found.points.between(2.1, 3.9)) == 0
    assert len(found.points.between(0, 1.95)) >= 19
    assert len(found.points.between(4.05, 6)) >= 19


def test_times_of_a_variable_rate_come_from_the_stamps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times_s = np.cumsum(rng.choice([0.02, 0.05, 0.15], 75))
    times_s -= times_s[0]
    image = slide(9)
    path = write_clip(tmp_path / "a.mp4", lambda _: image, wander, times_s)

    found = extract(path, tmp_path, CONFIG)

    stamps = np.round(times_s, 3)
    assert len(found.points) > 30
    assert np.abs(found.points.t_s[:, None] - stamps).min(axis=1).max() < 0.002
    assert np.median(errors_px(found, wander)) < 2


def test_a_webcam_inset_gives_no_trace(tmp_path: Path) -> None:
    image = slide(10)
    rng = np.random.default_rng(1)

    def with_webcam(time_s: float) -> Image:
        shown = image.copy()
        face = np.full((80, 90, 3), 90, np.uint8)
        x = 45 + round(9 * np.sin(3 * time_s))
        cv2.ellipse(face, (x, 40), (18, 26), 0, 0, 360, (130, 150, 200), -1)
        noise = rng.normal(0, 3, face.shape)
        shown[160:, 230:] = np.clip(face + noise, 0, 255).astype(np.uint8)
        return shown

    path = write_clip(tmp_path / "a.mp4", with_webcam, lambda _: None, steady(6))

    found = extract(path, tmp_path, CONFIG)

    assert len(found.points) == 0


def test_a_file_without_pictures_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video")

    with pytest.raises(Rejected, match="not_a_video"):
        extract(path, tmp_path, CONFIG)
