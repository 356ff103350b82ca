"""A pointer that rests: before a zoom, under a look that is unknown, in a video shown turned."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.stages.extract import extract
from medpipe.stages.extract.cursors import draw
from medpipe.stages.extract.tip import read_shape, read_turned
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

Image = NDArray[np.uint8]


def moves_then_rests(time_s: float) -> tuple[float, float]:
    return wander(min(time_s, 3.0))


def zoomed(image: Image, time_s: float) -> Image:
    """Rests for 4 s, then grows for 2 s."""
    scale = 1 + 0.5 * max(time_s - 4.0, 0.0)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 0, scale)
    return np.asarray(cv2.warpAffine(image, matrix, (WIDTH, HEIGHT)), np.uint8)


def test_a_pointer_at_rest_is_seen_while_the_picture_grows(tmp_path: Path) -> None:
    image = slide(21)
    path = write_clip(tmp_path / "a.mp4", lambda t: zoomed(image, t), moves_then_rests, steady(6))

    found = extract(path, tmp_path, CONFIG)

    assert len(found.points.between(4.1, 5.9)) >= 15
    assert np.mean(errors_px(found, moves_then_rests) < 6) > 0.95


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_tip_is_read_the_way_a_video_is_shown(turns: int) -> None:
    cover = np.pad(draw(0, 24.0).cover, 4)
    upright = read_shape(cover, cover)

    coded = np.ascontiguousarray(np.rot90(cover, -turns))
    shape = read_turned(coded, coded, turns)

    assert shape.kind == upright.kind
    marked = np.zeros_like(cover)
    x, y = (int(v) for v in np.round(upright.tip))
    marked[max(y, 0), max(x, 0)] = 1
    row, column = np.argwhere(np.rot90(marked, -turns))[0]
    assert abs(shape.tip[0] - column) <= 1
    assert abs(shape.tip[1] - row) <= 1
