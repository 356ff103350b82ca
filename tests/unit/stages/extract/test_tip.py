import cv2
import numpy as np
import pytest

from medpipe.records import PointerKind
from medpipe.stages.extract.tip import read_shape


def drawn(points: list[tuple[int, int]], size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.array(points, np.int32)], 1)
    return mask.astype(np.float32)


def test_the_tip_of_an_arrow_is_its_topmost_point() -> None:
    arrow = drawn([(3, 2), (3, 18), (7, 14), (10, 20), (12, 19), (9, 13), (14, 13)], (24, 20))

    shape = read_shape(arrow, arrow)

    assert shape.kind is PointerKind.ARROW
    assert shape.tip == pytest.approx((3, 2), abs=1)


def test_a_cross_points_with_its_centre() -> None:
    cross = np.zeros((21, 21), np.float32)
    cross[9:12, 1:20] = cross[1:20, 9:12] = 1

    shape = read_shape(cross, cross)

    assert shape.kind is PointerKind.CROSS
    assert shape.tip == pytest.approx((10, 10), abs=0.3)


def test_a_text_cursor_points_with_its_centre() -> None:
    beam = np.zeros((24, 11), np.float32)
    beam[2:22, 5] = beam[2, 2:9] = beam[21, 2:9] = 1

    shape = read_shape(beam, beam)

    assert shape.kind is PointerKind.TEXT_CURSOR
    assert shape.tip == pytest.approx((5, 11.5), abs=0.5)


def test_a_disc_with_holes_points_with_its_centre() -> None:
    disc = np.zeros((44, 44), np.float32)
    cv2.circle(disc, (22, 22), 20, 1.0, -1)
    disc[14:18, 10:34] = 0

    shape = read_shape(disc, disc)

    assert shape.kind is PointerKind.HALO
    assert shape.tip == pytest.approx((22, 22), abs=1)


def test_a_text_cursor_with_torn_feet_points_with_its_centre() -> None:
    beam = np.zeros((29, 9), np.float32)
    beam[2:27, 3:6] = beam[2:4, 1:8] = 1
    beam[10, 3:6] = 0

    shape = read_shape(beam, beam)

    assert shape.kind is PointerKind.TEXT_CURSOR
    assert shape.tip == pytest.approx((4, 14), abs=0.7)


def test_a_hand_and_a_tall_arrow_are_no_text_cursors() -> None:
    hand = np.zeros((30, 16), np.float32)
    hand[2:16, 5:8] = hand[14:28, 2:14] = 1
    arrow = drawn([(3, 2), (3, 30), (7, 25), (12, 25)], (34, 16))

    assert read_shape(hand, hand).kind is PointerKind.HAND
    assert read_shape(arrow, arrow).kind is PointerKind.ARROW
