"""Whole images, and the pictures cut out of them, as samples."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from medpipe.dataset import ImageConfig, encode_image
from medpipe.dataset.images import decode_image
from medpipe.dataset.rows import SampleDraft
from medpipe.drafts import with_parts
from medpipe.records import Narration, Scene, Trace
from medpipe.stages.classify import ClassifyConfig
from tests.support.pictures import page, tissue

IMAGE = ImageConfig(format="png")
PICTURE = (30, 60, 430, 460)


def draft(index: int, pixels: NDArray[np.uint8]) -> SampleDraft:
    tall, wide = pixels.shape[:2]
    data = encode_image(pixels, IMAGE)
    trace = Trace.of([0.0, 0.1], [230 / wide] * 2, [260 / tall] * 2, [0.9] * 2, [1] * 2)
    start_s = 10.0 * index
    scene = Scene(index, start_s, start_s + 9, "", wide, tall, (0, 0, wide, tall), 0, trace)
    narration = Narration(
        index, "roi", "here", "here", start_s, start_s + 1, (), False, True, trace, ()
    )
    return SampleDraft(
        index=index,
        image=data,
        suffix="png",
        sha256=hashlib.sha256(data).hexdigest(),
        phash="0" * 16,
        contrast=20.0,
        sharpness=30.0,
        scenes=[scene],
        narrations=[narration],
    )


def test_a_picture_of_a_slide_is_a_sample_of_its_own_with_the_trace_in_its_shares() -> None:
    whole, parts = with_parts([draft(0, page(255, [PICTURE]))], ClassifyConfig(), IMAGE)

    assert [w.parts for w in whole] == [1]
    (part,) = parts
    assert (part.index, part.part_of, part.parts) == (1, 0, 0)
    x0, y0, x1, y1 = part.scenes[0].box_px
    assert np.abs(np.subtract((x0, y0, x1, y1), PICTURE)).max() <= 3
    assert decode_image(part.image).shape == (y1 - y0, x1 - x0, 3)
    assert (part.scenes[0].width_px, part.scenes[0].height_px) == (x1 - x0, y1 - y0)
    assert np.allclose(part.narrations[0].trace.x, (230 - x0) / (x1 - x0), atol=1e-3)
    assert np.allclose(part.narrations[0].trace.y, (260 - y0) / (y1 - y0), atol=1e-3)


def test_a_part_shows_the_very_pixels_of_the_whole_image() -> None:
    pixels = page(255, [PICTURE])
    _, (part,) = with_parts([draft(0, pixels)], ClassifyConfig(), IMAGE)
    x0, y0, x1, y1 = part.scenes[0].box_px

    np.testing.assert_array_equal(decode_image(part.image), pixels[y0:y1, x0:x1])


def test_a_picture_beside_a_growing_list_is_one_part_with_all_that_was_said() -> None:
    first = page(255, [PICTURE])
    second = first.copy()
    second[100:130, 500:700] = 30
    whole, parts = with_parts([draft(0, first), draft(1, second)], ClassifyConfig(), IMAGE)

    assert [w.parts for w in whole] == [1, 1]
    (part,) = parts
    assert part.part_of == 0
    assert [scene.index for scene in part.scenes] == [0, 1]
    assert [n.scene for n in part.narrations] == [0, 1]


def test_an_image_that_is_one_picture_gives_no_part() -> None:
    whole, parts = with_parts([draft(0, tissue(640, 360, 1))], ClassifyConfig(), IMAGE)

    assert [w.parts for w in whole] == [0]
    assert parts == []
