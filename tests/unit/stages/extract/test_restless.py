"""A look is learnt where nothing ever rests, and nothing is learnt where there is none."""

import numpy as np

from medpipe.stages.extract.chunkwork import Bank, work_chunk
from medpipe.stages.extract.grid import Chunk
from medpipe.stages.extract.restless import restless_blobs
from tests.support.chunks import HEIGHT, WIDTH, Gray, film, pointed, texture

COUNT = 60
BEAT = [texture(seed, 60, 120, 20).astype(np.float32) for seed in range(3)]


def beating(index: int) -> Gray:
    """A loop in which no place is ever still."""
    shares = 0.5 + 0.5 * np.cos(0.9 * index + np.array([0.0, 2.1, 4.2]))
    mixed = sum(share * page for share, page in zip(shares, BEAT, strict=True)) / shares.sum()
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def tip(index: int) -> tuple[float, float]:
    return 150 + 110 * np.sin(0.21 * index), 110 + 70 * np.sin(0.33 * index + 1)


LOOP = np.s_[50:150, 80:200]
PAGE = texture(9)


def in_a_window(index: int) -> Gray:
    """The loop in a part of a page that rests."""
    page = PAGE.copy()
    page[LOOP] = beating(index)[LOOP]
    return page


def tip_inside(index: int) -> tuple[float, float]:
    return 130 + 40 * np.sin(0.21 * index), 88 + 30 * np.sin(0.33 * index + 1)


def everywhere(chunk: Chunk) -> np.ndarray:
    return np.ones(chunk.layout.grid, bool)


def test_what_is_drawn_on_top_stands_out_from_what_boils() -> None:
    chunk = film(COUNT, lambda k: pointed(beating(k), *tip(k)))

    usual, blobs = restless_blobs(chunk, range(COUNT), everywhere(chunk), 16)

    assert usual.shape == (HEIGHT, WIDTH)
    near = [
        abs(blob.x0 - tip(blob.start)[0]) < 8 and abs(blob.y0 - tip(blob.start)[1]) < 8
        for blob in blobs
    ]
    assert len(blobs) >= 40
    assert np.mean(near) > 0.8


def test_what_boils_alone_gives_next_to_nothing() -> None:
    chunk = film(COUNT, beating)

    _, blobs = restless_blobs(chunk, range(COUNT), everywhere(chunk), 16)

    assert len(blobs) <= 5


def test_a_pointer_over_a_loop_is_learnt_and_followed() -> None:
    bank = Bank()

    seen = work_chunk(film(COUNT, lambda k: pointed(in_a_window(k), *tip_inside(k))), bank)

    right = [
        place is not None and np.hypot(place.x - tip_inside(k)[0], place.y - tip_inside(k)[1]) < 6
        for k, place in enumerate(seen.places)
    ]
    assert bank.templates
    assert np.mean(right) > 0.8


def test_a_loop_without_a_pointer_gives_none() -> None:
    bank = Bank()

    seen = work_chunk(film(COUNT, in_a_window), bank)

    assert not any(seen.places)
