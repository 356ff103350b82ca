"""The head of a line that grows; and what grows but is no line."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout
from medpipe.stages.extract.strokes import follow_strokes
from medpipe.stages.extract.track import Place

WIDTH, HEIGHT, SAMPLES = 640, 360, 40

Image = NDArray[np.uint8]


def chunk_of(pictures: list[Image]) -> Chunk:
    layout = Layout.of(WIDTH, HEIGHT, 640)
    grid, chunk = ChangeGrid(layout, pictures[0], 16), Chunk(layout, pictures[0].copy())
    for k, picture in enumerate(pictures):
        chunk.add(k / 12.5, *grid.see(picture))
    return chunk


def page() -> Image:
    return np.full((HEIGHT, WIDTH), 200, np.uint8)


def head(sample: int) -> tuple[float, float]:
    return 320 + 120 * np.cos(0.15 * sample), 180 + 90 * np.sin(0.15 * sample)


def drawn(samples: int, *, stays: bool = True) -> list[Image]:
    pictures = []
    for sample in range(samples):
        image = page()
        way = [head(k) for k in np.arange(0 if stays else sample, sample + 0.01, 0.25)]
        cv2.polylines(image, [np.round(way).astype(np.int32)], False, 60, 5)
        pictures.append(image)
    return pictures


def test_the_tip_of_a_pen_is_the_head_of_its_line() -> None:
    places = follow_strokes(chunk_of(drawn(SAMPLES)), [None] * SAMPLES)

    found = [(k, place) for k, place in enumerate(places) if place is not None]
    off = [np.hypot(p.x - head(k)[0], p.y - head(k)[1]) for k, p in found]
    assert len(found) > 30
    assert np.median(off) < 4
    assert all(place.kind is PointerKind.PEN for _, place in found)


def test_a_known_pointer_is_left_as_it_is() -> None:
    known = Place(0, SAMPLES, 10, 10, 0.2, PointerKind.ARROW, (10, 10, 8, 12))

    assert follow_strokes(chunk_of(drawn(SAMPLES)), [known] * SAMPLES) == [known] * SAMPLES


def test_a_dot_that_leaves_nothing_behind_draws_no_line() -> None:
    chunk = chunk_of(drawn(SAMPLES, stays=False))

    assert not any(follow_strokes(chunk, [None] * SAMPLES))


def test_a_picture_that_changes_in_many_places_is_no_drawing() -> None:
    pictures = drawn(SAMPLES)
    for k, image in enumerate(pictures):
        cv2.circle(image, (60 + 3 * k, 320), 6, 90, -1)

    assert not any(follow_strokes(chunk_of(pictures), [None] * SAMPLES))


def test_words_that_are_typed_are_no_line() -> None:
    image, pictures = page(), []
    for k in range(SAMPLES):
        if k % 2 == 0:
            cv2.putText(image, "abdehkmu"[k // 2 % 8], (40 + 14 * k, 180), 0, 0.8, 40, 2)
        pictures.append(image.copy())

    assert not any(follow_strokes(chunk_of(pictures), [None] * SAMPLES))
