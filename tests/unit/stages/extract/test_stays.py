"""What comes to stay on a still picture begins a new scene; what only passes by does not."""

from collections import Counter
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout, Replay
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.settle import Settler, Sight, hidden_by
from medpipe.stages.extract.stretch import Stay, Stretch
from medpipe.stages.extract.track import Place

WIDTH, HEIGHT, RATE = 640, 360, 12.5
LAYOUT = Layout.of(WIDTH, HEIGHT, 640)

Gray = NDArray[np.uint8]
Draw = Callable[[Gray, float], None]
Where = Callable[[float], tuple[int, int] | None]


def page(seed: int = 0) -> Gray:
    rough = np.random.default_rng(seed).integers(40, 200, (9, 16), np.uint8)
    shown = np.full((HEIGHT, WIDTH), 230, np.uint8)
    shown[60:300, 40:340] = cv2.resize(rough, (300, 240), interpolation=cv2.INTER_CUBIC)
    return shown


def line_of_text(shown: Gray, row: int, words: str = "marrow of the late") -> None:
    cv2.putText(shown, words, (380, 80 + 50 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 20, 2)


def place_at(tip: tuple[int, int], start: int) -> Place:
    box = (*tip, 14, 22)
    return Place(start, start + 1, float(tip[0]), float(tip[1]), 0.1, PointerKind.ARROW, box)


def watch(
    draw: Draw,
    seconds: float,
    tip: Where = lambda _: None,
    *,
    known: bool = True,
    cut_s: float | None = None,
    grain: float = 0.0,
) -> list[Stay]:
    """Run a drawn clip through the change grid and a stretch, in one chunk or in two."""
    rng = np.random.default_rng(5)
    grid: ChangeGrid | None = None
    stretch: Stretch | None = None
    chunk: Chunk | None = None
    places: list[Place | None] = []
    stays: list[Stay] = []
    count = round(seconds * RATE)
    for index in range(count):
        now_s = index / RATE
        shown = page()
        draw(shown, now_s)
        where = tip(now_s)
        if where is not None:
            cv2.rectangle(shown, where, (where[0] + 12, where[1] + 20), 0, -1)
        noisy = shown + rng.normal(0, grain, shown.shape)
        picture = LAYOUT.crop(np.clip(noisy, 0, 255).astype(np.uint8))
        grid = grid or ChangeGrid(LAYOUT, picture, 16)
        chunk = chunk or Chunk(LAYOUT, picture.copy())
        chunk.add(now_s, *grid.see(picture))
        places.append(place_at(where, len(places)) if where is not None and known else None)
        last = index == count - 1
        if last or (cut_s is not None and now_s < cut_s <= now_s + 1 / RATE):
            run = Run(0, len(chunk), still=True)
            sight = Sight(chunk, places, np.ones(LAYOUT.grid, bool), Replay(chunk))
            stretch = stretch or Stretch(sight, run)
            stretch.add(sight, run, [])
            stays += stretch.cut(1.0, 6, ends=last)
            chunk, places = None, []
    return stays


def ends(stays: list[Stay]) -> list[tuple[float, float]]:
    return [(s.start_s, s.end_s) for s in stays if s.end_s - s.start_s >= 0.9]


def wander(now_s: float) -> tuple[int, int]:
    return round(320 + 200 * np.sin(1.9 * now_s)), round(180 + 120 * np.sin(2.7 * now_s + 1))


def bullets(shown: Gray, now_s: float) -> None:
    for row, start_s in enumerate((2.0, 4.0)):
        if now_s >= start_s:
            line_of_text(shown, row)


def test_each_bullet_begins_a_scene() -> None:
    found = ends(watch(bullets, 6, wander))

    assert len(found) == 3
    assert np.allclose(found, [(0, 2), (2, 4), (4, 6)], atol=0.4)


def test_a_scene_shows_what_it_showed_and_no_more() -> None:
    stays = [s for s in watch(bullets, 6, wander) if s.end_s - s.start_s > 0.9]

    for stay, now_s in zip(stays, (1.0, 3.0, 5.0), strict=True):
        want = page()
        bullets(want, now_s)
        off = np.abs(LAYOUT.crop(want).astype(int) - stay.behind)[stay.known]
        assert (off > 16).mean() < 2e-4


@pytest.mark.parametrize("cut_s", [1.5, 2.1, 2.4, 4.3])
def test_a_chunk_border_changes_nothing(cut_s: float) -> None:
    whole, cut = ends(watch(bullets, 6, wander)), ends(watch(bullets, 6, wander, cut_s=cut_s))

    assert np.allclose(whole, cut, atol=0.35)


def test_a_pointer_that_parks_and_goes_on_is_no_content() -> None:
    def parks(now_s: float) -> tuple[int, int]:
        return wander(now_s if now_s < 2 else max(now_s - 2.5, 2.0))

    stays = watch(lambda shown, now_s: None, 7, parks)

    assert len(stays) == 1
    assert stays[0].known.all()
    assert np.array_equal(stays[0].behind, LAYOUT.crop(page()))


def test_a_pointer_that_nobody_knows_is_no_content_either() -> None:
    def jumps(now_s: float) -> tuple[int, int]:
        return [(100, 60), (420, 200), (250, 300), (500, 80)][int(now_s / 1.7) % 4]

    assert len(watch(lambda shown, now_s: None, 7, jumps, known=False)) == 1


def test_what_is_held_of_a_long_run_is_bounded() -> None:
    settler = Settler(LAYOUT, LAYOUT.crop(page()), hidden_by(None, LAYOUT), 0.0)
    quiet = np.ones(LAYOUT.grid, bool)
    for turn in range(12):
        chunk = Chunk(LAYOUT, LAYOUT.crop(page()))
        grid = ChangeGrid(LAYOUT, chunk.first, 16)
        for index in range(30):
            shown = page()
            if 3 <= index < 25:
                shown[200:220, 400:420] = 20 * turn
            chunk.add(turn * 3 + index / 10, *grid.see(LAYOUT.crop(shown)))
        settler.watch(Sight(chunk, [None] * 30, quiet, Replay(chunk)), Run(0, 30, still=True))
        settler.forget(0.0)

    per_block = Counter(event.block for event in settler.events)

    assert per_block
    assert max(per_block.values()) == 4


def test_what_a_pointer_hid_all_the_time_is_not_known() -> None:
    stay = watch(lambda shown, now_s: None, 3, lambda _: (200, 150))[0]

    assert not stay.known[150:172, 200:214].any()
    assert stay.known[:140].all()


def test_there_is_no_scene_while_words_are_typed() -> None:
    def types(shown: Gray, now_s: float) -> None:
        letters = int(np.clip(now_s - 1.5, 0, 2.5) * 7)
        line_of_text(shown, 1, "the margin of a lesion"[:letters])

    found = ends(watch(types, 6))

    assert len(found) == 2
    assert found[0][1] == pytest.approx(1.6, abs=0.3)
    assert found[1][0] == pytest.approx(4.0, abs=0.4)


def test_a_finished_stroke_of_ink_begins_a_scene() -> None:
    turns = np.linspace(0, 2 * np.pi, 60)
    path = np.stack([200 + 90 * np.cos(turns), 180 + 60 * np.sin(turns)], 1).astype(np.int32)

    def inks(shown: Gray, now_s: float) -> None:
        done = int(np.clip((now_s - 2) / 1.5, 0, 1) * len(path))
        cv2.polylines(shown, [path[: max(done, 1)]], False, 250, 4)

    found = ends(watch(inks, 6))

    assert len(found) == 2
    assert found[0][1] == pytest.approx(2.0, abs=0.3)
    assert found[1][0] == pytest.approx(3.5, abs=0.4)


def test_noise_that_a_key_frame_renews_is_no_content() -> None:
    def recoded(shown: Gray, now_s: float) -> None:
        line_of_text(shown, 0)
        if now_s < 3:
            shown[:] = cv2.GaussianBlur(shown, (3, 3), 0.55)

    assert len(watch(recoded, 6, wander, grain=2.0)) == 1


def test_a_lamp_that_is_lit_for_a_second_is_no_content() -> None:
    def lit(shown: Gray, now_s: float) -> None:
        cv2.rectangle(shown, (380, 20), (460, 45), 90 if 2 <= now_s < 3.5 else 160, -1)

    assert len(watch(lit, 6)) == 1
