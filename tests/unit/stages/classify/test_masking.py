"""Taking a place out of a picture."""

from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.stages.classify.masking import grown, without

BOX = (40, 30, 160, 60)


def written() -> NDArray[np.uint8]:
    image = np.full((120, 200, 3), (90, 60, 30), np.uint8)
    cv2.putText(image, "DOE JANE", (44, 54), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
    return image


def test_a_mask_has_the_colour_of_what_surrounds_it() -> None:
    masked = without(written(), [BOX], "mask")

    assert (masked == (90, 60, 30)).all()


@pytest.mark.parametrize("how", ["mask", "blur"])
def test_nothing_else_of_a_picture_changes(how: Literal["mask", "blur"]) -> None:
    image = written()
    image[::7, ::5] = 200
    before = image.copy()

    changed = without(image, [BOX], how) != image

    changed[30:60, 40:160] = False
    assert not changed.any()
    np.testing.assert_array_equal(image, before)


def test_a_blur_leaves_no_stroke() -> None:
    blurred = without(written(), [BOX], "blur")[30:60, 40:160]

    steps = np.abs(np.diff(blurred[..., 0].astype(int), axis=1))
    assert np.abs(np.diff(written()[30:60, 40:160, 0].astype(int), axis=1)).max() > 100
    assert steps.max() < 20


def test_a_box_that_is_the_whole_picture_can_be_filled() -> None:
    image = written()

    assert len(np.unique(without(image, [(0, 0, 200, 120)], "mask").reshape(-1, 3), axis=0)) == 1


def test_a_margin_stays_within_the_picture() -> None:
    assert grown((2, 50, 100, 70), (120, 200, 3)) == (0, 44, 106, 76)
    assert grown((150, 100, 199, 119), (120, 200, 3)) == (144, 94, 200, 120)
