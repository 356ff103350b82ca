"""What only colour shows: a dot as bright as the picture behind it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract import extract
from medpipe.stages.extract.colour import ColourLayer, colour_plane, enlarged, is_grey
from medpipe.stages.extract.grid import Replay
from tests.unit.stages.extract.test_extract import (
    CONFIG,
    HEIGHT,
    WIDTH,
    errors_px,
    slide,
    steady,
    wander,
    write_clip,
)

Plane = NDArray[np.uint8]


def flat(value: int, size: tuple[int, int] = (180, 320)) -> Plane:
    return np.full(size, value, np.uint8)


@pytest.mark.parametrize(
    ("red", "green", "blue"),
    [(255, 40, 40), (60, 235, 80), (255, 236, 40), (60, 110, 255), (255, 0, 255), (0, 255, 255)],
)
def test_every_colour_of_a_pointer_differs_from_grey(red: int, green: int, blue: int) -> None:
    bright = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = round(128 + 0.564 * (blue - bright)), round(128 + 0.713 * (red - bright))

    plane = colour_plane(flat(u), flat(v))

    assert abs(int(plane[0, 0]) - 128) > 50
    assert not is_grey(flat(u), flat(v))


def test_grey_stays_grey() -> None:
    assert colour_plane(flat(128), flat(128))[0, 0] == 128
    assert is_grey(flat(130), flat(125))


def test_a_grey_video_keeps_no_changes() -> None:
    layer = ColourLayer()
    rng = np.random.default_rng(0)

    for k in range(5):
        u, v = (rng.integers(125, 132, (180, 320), np.uint8) for _ in range(2))
        layer.see(u, v, k / 10)

    chunk = layer.take()
    assert chunk is not None
    assert chunk.deltas == [None] * 5
    assert layer.take() is None


def test_a_dot_of_colour_is_a_change_where_it_is_and_goes() -> None:
    layer = ColourLayer()
    v = flat(128)
    v[50:56, 100:106] = 210

    for k, plane in enumerate([flat(128), v, v, flat(128)]):
        layer.see(flat(128), plane, k / 10)

    chunk = layer.take()
    assert chunk is not None
    assert [delta is not None for delta in chunk.deltas] == [False, True, False, True]
    large, zoom = enlarged(chunk)
    assert zoom == 2
    assert Replay(large).at(1)[106, 206] > 200
    assert Replay(large).at(3).max() == 128


def test_a_dot_as_bright_as_the_picture_is_followed_by_its_colour(tmp_path: Path) -> None:
    base = cv2.cvtColor(cv2.cvtColor(slide(31), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)

    def lit(time_s: float) -> Plane:
        shown = base.astype(np.float32)
        rows, columns = np.indices((HEIGHT, WIDTH))
        x, y = wander(time_s)
        inside = np.clip(5.5 - np.hypot(columns - x + 0.5, rows - y + 0.5), 0, 1)[..., None]
        tint = shown + np.array([-55, -55, 128], np.float32)
        return np.clip(shown * (1 - inside) + tint * inside, 0, 255).astype(np.uint8)

    path = write_clip(tmp_path / "a.mp4", lit, lambda _: None, steady(6))

    found = extract(path, tmp_path, CONFIG)

    assert len(found.points) >= 60
    assert np.median(errors_px(found, wander)) < 3
    assert (found.points.kind == PointerKind.LASER).mean() > 0.8
