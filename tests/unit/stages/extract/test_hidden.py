"""Faults once seen: what the encoder leaves behind, features of a picture, holes, slow changes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract import extract
from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.bridge import bridge
from medpipe.stages.extract.explain import account
from medpipe.stages.extract.ghosts import is_contradicted
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Template
from medpipe.stages.extract.track import Place, place_blob
from tests.unit.stages.extract.test_extract import CONFIG, slide, steady, wander, write_clip

SIDE = 80


def bar_template(grey: float = 200) -> Template:
    look = np.full((20, 6), grey, np.float32)
    return Template(look, np.ones_like(look), (0, 0), PointerKind.ARROW, 30, 8)


def blob_of(
    now: NDArray[np.uint8], behind: NDArray[np.uint8], x: int = 40, *, start: int = 0, end: int = 1
) -> Blob:
    mask = np.abs(now.astype(int) - behind)[30:50, x : x + 6] > 2
    return Blob(start, end, x, 30, mask, now, behind, 0, 0)


def picture(grey: int, bar: int | None = None, x: int = 40) -> NDArray[np.uint8]:
    image = np.full((SIDE, SIDE), grey, np.uint8)
    if bar is not None:
        image[30:50, x : x + 6] = bar
    return image


def test_a_look_explains_the_patch_that_shows_it() -> None:
    blob = blob_of(picture(60, 195), picture(60))

    told = account(bar_template(), blob)

    assert told is not None
    assert told.share > 0.9
    assert (told.found.x, told.found.y) == (40, 30)


def test_what_an_encoder_leaves_behind_is_no_pointer() -> None:
    blob = blob_of(picture(60, 75), picture(60))

    assert place_blob(blob, bar_template()) is None


def test_a_picture_that_looks_like_the_pointer_is_none() -> None:
    blob = blob_of(picture(198, 180), picture(198))

    assert place_blob(blob, bar_template()) is None


def test_a_hole_is_none_if_the_pointer_was_elsewhere_meanwhile() -> None:
    behind = picture(60)
    hole = blob_of(picture(60, 190, 10), behind, 10, end=8)
    away = [blob_of(picture(60, 200, 60), behind, 60, start=t, end=t + 1) for t in range(10, 20)]
    run = Run(0, 30, still=True)

    assert is_contradicted(hole, [hole, *away], lambda _: True, run)
    assert not is_contradicted(hole, [hole], lambda _: True, run)


def place(start: int, end: int, x: float = 50) -> Place:
    return Place(start, end, x, 20, 0.3, PointerKind.ARROW, (0, 0, 9, 9))


def bridged(places: list[Place | None]) -> list[bool]:
    runs = [Run(0, 10, still=True), Run(10, 20, still=False), Run(20, 30, still=True)]
    times_s = [index / 15 for index in range(30)]
    return [each is not None for each in bridge(places, runs, times_s, 640)]


def test_a_pointer_stays_while_the_picture_fades() -> None:
    assert all(bridged([place(0, 10)] * 10 + [None] * 10 + [place(20, 30)] * 10))


def test_a_pointer_that_moved_meanwhile_or_went_before_is_not_filled_in() -> None:
    moved = [place(0, 10)] * 10 + [None] * 10 + [place(20, 30, 90)] * 10
    gone = [place(0, 3)] * 3 + [None] * 17 + [place(20, 30)] * 10

    assert sum(bridged(moved)) == 20
    assert sum(bridged(gone)) == 13


def test_a_slow_change_ends_a_scene(tmp_path: Path) -> None:
    base, other = slide(11), slide(12)

    def scrolled(time_s: float) -> NDArray[np.uint8]:
        rows = round(210 * float(np.clip((time_s - 2.4) / 1.2, 0, 1)))
        image = base.copy()
        image[:rows] = other[:rows]
        return image

    path = write_clip(tmp_path / "a.mp4", scrolled, wander, steady(6))

    found = extract(path, tmp_path, CONFIG)

    first, second = found.scenes
    assert 2 < first.end_s < 3.2
    assert 3 < second.start_s < 4.2
