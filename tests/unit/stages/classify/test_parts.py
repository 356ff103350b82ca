"""Only pictures that are worth an image of their own are parts."""

import numpy as np

from medpipe.stages.classify import ClassifyConfig, parts_of
from tests.support.pictures import GRID, page, tissue

CONFIG = ClassifyConfig()


def test_panels_are_parts() -> None:
    assert len(parts_of(page(255, GRID), CONFIG)) == 4


def test_an_image_that_is_one_picture_has_no_parts() -> None:
    assert parts_of(tissue(640, 360, 1), CONFIG) == []
    assert parts_of(page(0, [(4, 4, 796, 496)]), CONFIG) == []


def test_a_single_picture_with_wide_margins_is_a_part() -> None:
    assert len(parts_of(page(0, [(200, 60, 600, 440)]), CONFIG)) == 1


def test_small_pictures_and_too_many_are_left_out() -> None:
    assert parts_of(page(255, GRID), ClassifyConfig(min_part_px=300)) == []
    assert len(parts_of(page(255, GRID), ClassifyConfig(max_parts=3))) == 3


def test_it_can_be_switched_off() -> None:
    assert parts_of(page(255, GRID), ClassifyConfig(parts=False)) == []


def test_a_flat_image_has_no_parts() -> None:
    assert parts_of(np.full((300, 400, 3), 90, np.uint8), CONFIG) == []
