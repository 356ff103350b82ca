"""Pictures with names drawn on them, read by the real reader."""

import logging

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from medpipe.stages.classify import ClassifyConfig, search
from medpipe.stages.classify.reading import known_names, read_text
from tests.support.pictures import tissue

LINES = ("DOE, JANE", "MRN: 4711932", "W 400 L 40")
SIDES_PX = ClassifyConfig().text_long_sides_px


def named(lines: tuple[str, ...] = LINES, size: tuple[int, int] = (640, 360)) -> NDArray[np.uint8]:
    image = Image.fromarray(tissue(*size, 1))
    pen = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        pen.text((12, 10 + 40 * row), line, "white", ImageFont.load_default(20), stroke_width=1)
    return np.array(image)


def read(image: NDArray[np.uint8]) -> str:
    texts = read_text(image, long_sides_px=SIDES_PX, min_score=0.3)
    return " ".join(text.text for text in texts)


def test_a_name_and_a_number_are_masked_and_settings_of_the_scanner_are_left() -> None:
    image = named()
    searched = search(image, ClassifyConfig())

    assert searched.image is not None
    assert set(searched.kinds) == {"name", "number"}
    after = read(searched.image)
    assert "JANE" in read(image)
    assert "DOE" not in after
    assert "4711" not in after
    assert "400" in after


def test_blurred_names_cannot_be_read() -> None:
    searched = search(named(), ClassifyConfig(identifiers="blur"))

    assert searched.image is not None
    assert not {"DOE", "JANE", "4711932"} & set(read(searched.image).replace(",", " ").split())


def test_a_rejected_picture_is_not_given_back() -> None:
    searched = search(named(), ClassifyConfig(identifiers="reject"))

    assert searched.image is None
    assert searched.boxes_px


def test_nothing_is_read_where_nobody_wants_to_know() -> None:
    image = named()
    searched = search(image, ClassifyConfig(identifiers="keep"))

    assert searched.image is image
    assert searched.boxes_px == ()


def test_a_clean_picture_stays_as_it_is() -> None:
    image = named(("Se: 3", "Im: 12/240"))

    assert search(image, ClassifyConfig()).image is image


def test_places_are_in_the_pictures_own_pixels_whatever_its_size() -> None:
    small = search(named(LINES[:1]), ClassifyConfig()).boxes_px[0]
    large = cv2.resize(named(LINES[:1]), (2560, 1440), interpolation=cv2.INTER_CUBIC)
    found = search(np.asarray(large, np.uint8), ClassifyConfig()).boxes_px[0]

    assert np.abs(np.array(found) / 4 - np.array(small)).max() < 8


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (40, 20)])
def test_a_picture_of_any_size_can_be_searched(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 50, np.uint8)

    assert search(image, ClassifyConfig()).image is image


def test_what_was_read_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        search(named(), ClassifyConfig())

    assert "JANE" not in caplog.text
    assert "4711932" not in caplog.text


def test_the_names_of_the_census_are_there() -> None:
    names = known_names()

    assert {"mary", "james"} <= names.given
    assert "smith" in names.family
    assert (len(names.given), len(names.family)) == (5163, 88799)
