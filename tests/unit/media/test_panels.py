"""Pictures are found by their margins, gutters and seams; text and controls are none."""

import cv2
import numpy as np
import pytest

from medpipe.media.panels import Box, find_pictures
from tests.support.pictures import GRID, Image, page, tissue


def coded(image: Image) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def assert_near(found: list[Box], wanted: list[Box], slack_px: int = 6) -> None:
    assert len(found) == len(wanted), found
    for box, true in zip(found, wanted, strict=True):
        assert np.abs(np.subtract(box, true)).max() <= slack_px, (box, true)


@pytest.mark.parametrize("ground", [255, 0, 244, 24])
def test_panels_between_gutters_are_found_in_reading_order(ground: int) -> None:
    assert_near(find_pictures(coded(page(ground, GRID))), GRID)


def test_panels_that_touch_are_cut_at_their_seam() -> None:
    wanted = [(0, 0, 420, 500), (420, 0, 800, 500)]
    assert_near(find_pictures(coded(page(255, wanted))), wanted)


def test_black_bars_are_cut_off() -> None:
    assert_near(find_pictures(coded(page(0, [(0, 70, 800, 430)]))), [(0, 70, 800, 430)])


def test_the_picture_of_a_slide_is_told_from_its_title_and_its_words() -> None:
    slide = page(255, [(30, 110, 420, 470)])
    slide[:70] = (140, 84, 36)
    cv2.putText(slide, "Reading the left lower lobe", (20, 48), 0, 1.0, (255, 255, 255), 2)
    for row in range(5):
        cv2.putText(slide, "- no effusion here", (450, 150 + 60 * row), 0, 0.9, (30, 30, 30), 2)

    assert_near(find_pictures(coded(slide)), [(30, 110, 420, 470)])


def test_a_picture_is_told_from_the_tool_bars_of_its_window() -> None:
    window = page(48, [(60, 40, 800, 500)])
    window[:40] = 60
    window[:, :60] = 44
    for row in range(7):
        cv2.rectangle(window, (15, 70 + 55 * row), (45, 95 + 55 * row), (150, 150, 150), 1)

    assert_near(find_pictures(coded(window)), [(60, 40, 800, 500)])


def test_a_page_of_text_holds_no_picture() -> None:
    text = np.full((500, 800, 3), 255, np.uint8)
    for row in range(10):
        cv2.putText(text, "the heart is of normal size and the", (20, 50 + 44 * row), 0, 1.1, 0, 2)

    assert find_pictures(coded(text)) == []


def test_a_picture_that_fills_the_frame_is_one_picture() -> None:
    assert_near(find_pictures(coded(tissue(800, 500, 3))), [(0, 0, 800, 500)])


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (5, 5), (3000, 40)])
def test_odd_sizes_are_borne(size: tuple[int, int]) -> None:
    for box in find_pictures(tissue(*size, 1)):
        assert 0 <= box[0] < box[2] <= size[0]
        assert 0 <= box[1] < box[3] <= size[1]


def test_boxes_of_a_large_image_are_in_its_own_pixels() -> None:
    large = cv2.resize(page(255, GRID), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    wanted = [(3 * a, 3 * b, 3 * c, 3 * d) for a, b, c, d in GRID]
    assert_near(find_pictures(np.asarray(large, np.uint8)), wanted, slack_px=12)
