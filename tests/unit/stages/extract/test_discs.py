"""Discs that move over the picture: spotlights, lenses, halos; and round things that are none."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.circles import Disc, usual_disc
from medpipe.stages.extract.discs import find_discs, with_discs, without_discs
from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout
from medpipe.stages.extract.runs import cut_runs
from medpipe.stages.extract.track import Place

WIDTH, HEIGHT = 640, 360
RADIUS = 50

Image = NDArray[np.uint8]
Draw = Callable[[Image, Image, NDArray[np.float64]], Image]


def page() -> Image:
    rough = np.random.default_rng(5).integers(60, 230, (18, 32), np.uint8)
    return np.asarray(cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def way(sample: int) -> tuple[float, float]:
    return 320 + 200 * np.sin(0.13 * sample), 180 + 100 * np.cos(0.21 * sample)


def spotlight(base: Image, _: Image, inside: NDArray[np.float64]) -> Image:
    return np.asarray(base * (0.4 + 0.6 * inside), np.uint8)


def lens(base: Image, large: Image, inside: NDArray[np.float64]) -> Image:
    return np.asarray(np.where(inside > 0.5, large, base), np.uint8)


def tint(base: Image, _: Image, inside: NDArray[np.float64]) -> Image:
    return np.asarray(base * (1 - 0.4 * inside) + 90 * inside, np.uint8)


def chunk_of(pictures: list[Image]) -> Chunk:
    layout = Layout.of(WIDTH, HEIGHT, 640)
    grid, chunk = ChangeGrid(layout, pictures[0], 16), Chunk(layout, pictures[0].copy())
    for k, picture in enumerate(pictures):
        chunk.add(k / 12.5, *grid.see(picture))
    return chunk


def played(draw: Draw, samples: int = 60) -> Chunk:
    base = page()
    rows, columns = np.indices(base.shape)
    pictures = []
    for sample in range(samples):
        x, y = way(sample)
        inside = np.clip(RADIUS + 0.5 - np.hypot(columns - x, rows - y), 0, 1)
        move = np.array([[2, 0, -x], [0, 2, -y]])
        large = cv2.warpAffine(base, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        pictures.append(draw(base, np.asarray(large, np.uint8), inside))
    return chunk_of(pictures)


@pytest.mark.parametrize("draw", [spotlight, lens, tint])
def test_a_disc_is_found_by_its_circle_whatever_it_does_inside(draw: Draw) -> None:
    places = find_discs(played(draw))

    found = [(k, place) for k, place in enumerate(places) if place is not None]
    off = [np.hypot(p.x - way(k)[0], p.y - way(k)[1]) for k, p in found]
    assert len(found) > 54
    assert max(off) < 6
    assert all(place.kind is PointerKind.HALO for _, place in found)


def test_a_picture_under_a_moving_disc_rests() -> None:
    chunk = played(spotlight)
    busy = np.zeros(chunk.layout.grid, bool)

    runs = cut_runs(without_discs(chunk, find_discs(chunk)), busy)

    assert not any(run.still for run in cut_runs(chunk, busy))
    assert [run.still for run in runs] == [True]


def test_squares_that_move_are_no_discs() -> None:
    base, pictures = page(), []
    for sample in range(40):
        x, y = (round(v) for v in way(sample))
        image = base.copy()
        image[y - 40 : y + 40, x - 40 : x + 40] //= 2
        pictures.append(image)

    assert not any(find_discs(chunk_of(pictures)))


def test_a_round_inset_that_stays_is_no_pointer() -> None:
    base, rng, pictures = page(), np.random.default_rng(2), []
    rows, columns = np.indices(base.shape)
    inside = np.hypot(columns - 540, rows - 270) < 60
    for _ in range(40):
        face = cv2.resize(rng.integers(0, 255, (9, 16), np.uint8), (WIDTH, HEIGHT))
        pictures.append(np.where(inside, face, base).astype(np.uint8))

    assert not any(find_discs(chunk_of(pictures)))


def test_discs_must_agree_on_a_radius_at_several_places() -> None:
    alike = [Disc(k, 30.0 * k, 40.0, 20 + 0.1 * k, 0.9) for k in range(8)]
    resting = [Disc(k, 30.0, 40.0, 20.0, 0.9) for k in range(8)]
    growing = [Disc(k, 30.0 * k, 40.0, 12.0 + 5 * k, 0.9) for k in range(8)]

    usual = usual_disc(alike, 20)

    assert usual is not None
    assert usual.radius == pytest.approx(20.35, abs=0.5)
    assert usual_disc(alike, 200) is None
    assert usual_disc(resting, 20) is None
    assert usual_disc(growing, 20) is None


def place(x: float, kind: PointerKind, side: int) -> Place:
    return Place(0, 1, x, 50, 0.5, kind, (round(x) - side // 2, 50 - side // 2, side, side))


def test_the_arrow_in_a_halo_goes_on_where_the_halo_is_unseen() -> None:
    arrows = [place(100 + k, PointerKind.ARROW, 20) for k in range(10)]
    halos = [place(101 + k, PointerKind.HALO, 80) if k < 7 else None for k in range(10)]
    elsewhere = [place(400, PointerKind.ARROW, 20) for _ in range(10)]

    joined = with_discs(arrows, halos)

    assert [p.kind for p in joined if p is not None] == [PointerKind.HALO] * 7 + [
        PointerKind.ARROW
    ] * 3
    assert with_discs(elsewhere, halos) == halos
