"""What the pixels of an item's images say: blank or not, seen before or not."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.media.phash import perceptual_hash
from medpipe.stages.classify import ClassifyConfig, judge

CONFIG = ClassifyConfig()
Image = NDArray[np.uint8]


def picture(seed: int = 0, height: int = 120, width: int = 160) -> Image:
    """A smooth picture with edges: blobs of random places and shades."""
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), 30, np.uint8)
    for _ in range(12):
        centre = (int(random.integers(width)), int(random.integers(height)))
        shade = tuple(int(v) for v in random.integers(40, 256, 3))
        cv2.circle(image, centre, int(random.integers(8, 30)), shade, -1)
    return image


def flat(shade: int) -> Image:
    return np.full((120, 160, 3), shade, np.uint8)


def noisy(image: Image, sigma: float) -> Image:
    noise = np.random.default_rng(9).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def same_as(*images: Image, config: ClassifyConfig = CONFIG) -> list[int | None]:
    return [verdict.same_as for verdict in judge(images, config)]


def test_a_picture_is_no_blank_and_hashes_to_16_hex_characters() -> None:
    (verdict,) = judge([picture()], CONFIG)

    assert not verdict.blank
    assert verdict.same_as is None
    assert len(verdict.phash) == 16
    assert int(verdict.phash, 16) == perceptual_hash(cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY))


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_image_of_one_shade_is_blank(shade: int) -> None:
    (verdict,) = judge([flat(shade)], CONFIG)

    assert verdict.blank
    assert (verdict.contrast, verdict.sharpness) == (0, 0)


def test_faint_noise_does_not_make_a_picture() -> None:
    (verdict,) = judge([noisy(flat(128), 2)], CONFIG)

    assert verdict.blank


def test_how_faint_a_picture_may_be_is_a_setting() -> None:
    faint = (picture() // 40 + 100).astype(np.uint8)

    (strict,) = judge([faint], ClassifyConfig(min_contrast=20))
    (lenient,) = judge([faint], ClassifyConfig(min_contrast=0))

    assert strict.blank
    assert not lenient.blank


def test_a_picture_shown_again_points_at_its_first_showing() -> None:
    one, other = picture(1), picture(2)

    assert same_as(one, other, one, other, one) == [None, None, 0, 1, 0]


def test_a_little_noise_and_another_encoding_are_the_same_picture() -> None:
    image = picture(3)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    encoded = cv2.imdecode(data, cv2.IMREAD_COLOR)

    assert same_as(image, noisy(image, 2), np.asarray(encoded, np.uint8)) == [None, 0, 0]


def test_twenty_pictures_are_twenty_pictures() -> None:
    assert same_as(*(picture(seed) for seed in range(20))) == [None] * 20


def test_the_next_slice_with_a_small_finding_is_another_picture() -> None:
    image = picture(4)
    finding = image.copy()
    cv2.circle(finding, (80, 60), 22, (255, 255, 255), -1)

    assert same_as(image, finding) == [None, None]


def test_brighter_or_of_another_size_is_another_picture() -> None:
    image = picture(5)
    brighter = np.clip(image.astype(np.int16) + 12, 0, 255).astype(np.uint8)
    larger = np.asarray(cv2.resize(image, (320, 240)), np.uint8)

    assert same_as(image, brighter, larger) == [None, None, None]


def test_a_blank_image_is_never_what_another_repeats() -> None:
    assert same_as(flat(0), flat(0), picture()) == [None, None, None]


def test_how_alike_is_alike_is_a_setting() -> None:
    image = picture(6)
    strict = ClassifyConfig(same_hash_bits=0, same_mean_difference=0)

    assert same_as(image, image, noisy(image, 6), config=strict) == [None, 0, None]


def test_a_sharper_picture_scores_higher() -> None:
    image = picture(7)
    blurred = np.asarray(cv2.GaussianBlur(image, (9, 9), 0), np.uint8)

    sharp, soft = judge([image, blurred], CONFIG)

    assert sharp.sharpness > 2 * soft.sharpness


def test_images_are_read_once_and_one_at_a_time() -> None:
    alive: list[int] = []

    def images() -> Iterator[Image]:
        for seed in range(3):
            alive.append(seed)
            yield picture(seed)

    judged = judge(images(), CONFIG)

    assert len(judged) == len(alive) == 3
    assert judge([], CONFIG) == []


def test_the_hash_turns_with_the_picture_not_with_its_brightness() -> None:
    luma = cv2.cvtColor(picture(8) // 2, cv2.COLOR_BGR2GRAY)
    base = perceptual_hash(luma)

    assert (perceptual_hash(luma + 40) ^ base).bit_count() <= 2
    assert (perceptual_hash(np.ascontiguousarray(luma[:, ::-1])) ^ base).bit_count() > 10
