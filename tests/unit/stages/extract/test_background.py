import numpy as np
import pytest

from medpipe.stages.extract.background import background, median
from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout
from medpipe.stages.extract.runs import Run

LAYOUT = Layout.of(128, 96, 640)


def chunk_of(pictures: list[np.ndarray]) -> Chunk:
    grid, chunk = ChangeGrid(LAYOUT, pictures[0], 16), Chunk(LAYOUT, pictures[0].copy())
    for k, picture in enumerate(pictures):
        chunk.add(k / 12.5, *grid.see(picture))
    return chunk


def with_square(x: int, y: int = 40, grey: int = 240) -> np.ndarray:
    picture = np.full((96, 128), 90, np.uint8)
    picture[y : y + 16, x : x + 16] = grey
    return picture


def test_a_thing_that_passes_is_not_in_the_background() -> None:
    chunk = chunk_of([with_square(x) for x in range(8, 100, 4)])

    assert (background(chunk, Run(0, len(chunk), True)) == 90).all()


def test_what_is_shown_for_most_of_the_run_is_background_wherever_it_comes_in_time() -> None:
    pictures = [with_square(16)] * 4 + [with_square(80)] * 9 + [with_square(48)] * 4
    chunk = chunk_of(pictures)

    shown = background(chunk, Run(0, len(chunk), True))

    assert (shown == with_square(80)).all()


def test_only_the_run_counts() -> None:
    pictures = [with_square(16)] * 20 + [with_square(80)] * 5

    shown = background(chunk_of(pictures), Run(20, 25, True))

    assert (shown == with_square(80)).all()


def test_what_never_rests_becomes_its_median() -> None:
    greys = [30, 200, 60, 170, 100, 140] * 6
    chunk = chunk_of([with_square(48, grey=grey) for grey in greys])

    shown = background(chunk, Run(0, len(chunk), True))

    assert 60 <= shown[48, 56] <= 140
    assert (shown[:8] == 90).all()


def test_parts_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(5)
    chunk = chunk_of([rng.integers(0, 255, (96, 128)).astype(np.uint8) for _ in range(12)])
    run = Run(0, len(chunk), True)
    whole = background(chunk, run)

    assert (background(chunk, run, at_once_px=700) == whole).all()


@pytest.mark.parametrize("count", [1, 3, 7, 15, 31])
def test_the_median_is_that_of_sorting(count: int) -> None:
    looks = np.random.default_rng(count).integers(0, 255, (count, 9, 4, 4)).astype(np.uint8)

    assert (median(list(looks.copy())) == np.sort(looks, axis=0)[count // 2]).all()
