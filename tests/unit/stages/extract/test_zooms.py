"""A recorder's zoom is measured from the pictures, and looks are sized by it."""

import cv2
import numpy as np
import pytest

from medpipe.stages.extract.zooms import is_same_size, sized, sizes, zoom_between
from tests.support.chunks import HEIGHT, WIDTH, Gray, arrow_look, texture

PAGE = texture(3)


def closer(page: Gray, ratio: float, x: float = 150, y: float = 110) -> Gray:
    """What a recorder keeps that closes in on a place."""
    move = np.array([[ratio, 0, x * (1 - ratio)], [0, ratio, y * (1 - ratio)]])
    return np.asarray(cv2.warpAffine(page, move, (WIDTH, HEIGHT)), np.uint8)


@pytest.mark.parametrize("ratio", [1.3, 1.62, 2.1])
def test_a_zoom_is_measured_both_ways(ratio: float) -> None:
    assert zoom_between(PAGE, closer(PAGE, ratio)) == pytest.approx(ratio, rel=0.03)
    assert zoom_between(closer(PAGE, ratio), PAGE) == pytest.approx(1 / ratio, rel=0.03)


def test_another_picture_is_no_zoom() -> None:
    assert zoom_between(PAGE, texture(4)) == 1
    assert zoom_between(PAGE, PAGE) == 1
    assert zoom_between(PAGE, np.full_like(PAGE, 90)) == 1


def test_sizes_count_from_the_first_picture() -> None:
    found = list(sizes([PAGE, closer(PAGE, 1.8), PAGE]))

    assert found[1] == pytest.approx(1.8, rel=0.03)
    assert is_same_size(found[2], 1)


def test_a_look_grows_with_its_tip() -> None:
    look = arrow_look()

    larger = sized(look, 2.0)

    assert larger.look.shape == tuple(2 * side for side in look.look.shape)
    assert larger.tip == pytest.approx([2 * (each + 0.5) - 0.5 for each in look.tip])
