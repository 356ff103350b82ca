"""Holes of clean images: filled from the frames of a scene, then from other scenes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.clean import Kept, clean_image, inpaint
from medpipe.stages.extract.grid import Layout
from medpipe.stages.extract.mend import Mender
from medpipe.stages.extract.track import Place

WIDTH, HEIGHT = 320, 240
LAYOUT = Layout.of(WIDTH, HEIGHT, 640)
QUIET = np.ones(LAYOUT.grid, bool)

Image = NDArray[np.uint8]


class Drawn:
    """A grey picture in the place of a decoded frame."""

    def __init__(self, luma: Image) -> None:
        self._luma = luma

    def luma(self) -> Image:
        return self._luma

    def bgr(self, part: tuple[slice, slice] | None = None) -> Image:
        luma = self._luma if part is None else self._luma[part]
        return np.asarray(cv2.merge([luma] * 3), np.uint8)


def page(seed: int) -> Image:
    rough = np.random.default_rng(seed).integers(0, 255, (12, 16), np.uint8)
    return np.asarray(cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def colour(luma: Image) -> Image:
    return np.asarray(cv2.merge([luma] * 3), np.uint8)


def pointed(luma: Image, x: int, y: int, known: bool = True) -> Kept:
    shown = luma.copy()
    shown[y : y + 20, x : x + 12] = 255
    place = Place(0, 1, x, y, 0.1, PointerKind.ARROW, (x, y, 12, 20)) if known else None
    return Kept(0.0, Drawn(shown), place, 16.0, QUIET)


def hole(y: int, x: int, side: int = 20) -> NDArray[np.bool_]:
    missing = np.zeros((HEIGHT, WIDTH), bool)
    missing[y : y + side, x : x + side] = True
    return missing


def test_a_place_that_one_frame_hides_is_taken_from_another() -> None:
    behind = page(1)
    known = np.ones(behind.shape, bool)
    kept = [pointed(behind, 40, 50), pointed(behind, 200, 150)]

    image, missing = clean_image(kept, behind, known, LAYOUT)

    assert not missing.any()
    assert np.array_equal(image, colour(behind))


def test_a_pointer_that_nobody_found_is_left_out_too() -> None:
    behind = page(1)
    kept = [pointed(behind, 40, 50, known=False), pointed(behind, 200, 150, known=False)]

    image, missing = clean_image(kept, behind, np.ones(behind.shape, bool), LAYOUT)

    assert not missing.any()
    assert np.abs(image.astype(int) - colour(behind)).max() <= 20


def test_what_no_frame_shows_is_told() -> None:
    behind = page(1)
    kept = [pointed(behind, 40, 50), pointed(behind, 40, 50)]

    _, missing = clean_image(kept, behind, np.ones(behind.shape, bool), LAYOUT)

    assert missing[50:70, 40:52].all()
    assert missing.mean() < 0.02


def test_a_sharper_frame_is_no_cover() -> None:
    behind = page(2)
    cv2.putText(behind, "stroma", (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 3)
    blurred = np.asarray(cv2.GaussianBlur(behind, (3, 3), 0.8), np.uint8)
    kept = [Kept(0.0, Drawn(behind), None, 16.0, QUIET)]

    image, missing = clean_image(kept, blurred, np.ones(behind.shape, bool), LAYOUT)

    assert missing.mean() < 0.005
    assert np.array_equal(image[~missing], colour(behind)[~missing])


def test_a_hole_is_filled_from_the_scene_before() -> None:
    mender, before = Mender(), colour(page(3))
    after = before.copy()
    cv2.putText(after, "new", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 255), 2)
    want, missing = after.copy(), hole(50, 60)
    after[missing] = 255

    mender.see(0, before, np.zeros(missing.shape, bool))
    mender.see(1, after, missing)

    assert not missing.any()
    assert np.array_equal(after, want)


def test_a_later_scene_fills_the_holes_of_all_before_it() -> None:
    mender, shown = Mender(), colour(page(4))
    for scene in range(3):
        pointer = shown.copy()
        pointer[hole(50, 60)] = 255
        assert mender.see(scene, pointer, hole(50, 60)) == []

    patches = mender.see(3, shown.copy(), np.zeros((HEIGHT, WIDTH), bool))

    assert [patch.scene for patch in patches] == [0, 1, 2]
    for patch in patches:
        assert np.array_equal(shown[patch.part][patch.mask], patch.pixels)
        assert len(patch.pixels) == 400


def test_another_picture_fills_nothing() -> None:
    mender, first, second = Mender(), colour(page(5)), colour(page(6))
    missing = hole(50, 60)

    mender.see(0, first, hole(100, 200))
    patches = mender.see(1, second, missing)

    assert patches == []
    assert missing.sum() == 400


def test_a_guess_stays_within_its_hole() -> None:
    image = colour(page(7))
    guessed, missing = image.copy(), hole(0, 0)

    inpaint(guessed, missing)

    assert np.array_equal(guessed[~missing], image[~missing])
