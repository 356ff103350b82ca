"""A pointer is followed while the picture behind it changes, and only where it is seen."""

import numpy as np

from medpipe.stages.extract.moving import through
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match
from medpipe.stages.extract.track import Place, place_of
from tests.support.chunks import Gray, arrow_look, film, pointed, texture

LOOK = arrow_look()
START, END, COUNT = 5, 25, 30
PAGES = [texture(seed) for seed in range(COUNT)]


def tip(index: int) -> tuple[float, float]:
    return 60.0 + 6 * index, 100.0 + 30 * np.sin(index / 4)


def scrolled(index: int) -> Gray:
    """Another slice at each sample between START and END."""
    return PAGES[min(max(index, START), END)]


def place_at(index: int) -> Place:
    x, y = tip(index)
    match = Match(round(x - LOOK.tip[0]), round(y - LOOK.tip[1]), 4.0)
    return place_of(match, LOOK, index, index + 1)


def known() -> list[Place | None]:
    return [None if START <= k < END else place_at(k) for k in range(COUNT)]


RUNS = [Run(0, START, still=True), Run(START, END, still=False), Run(END, COUNT, still=True)]


def test_a_pointer_is_followed_from_slice_to_slice() -> None:
    chunk = film(COUNT, lambda k: pointed(scrolled(k), *tip(k)))

    found = through(chunk, RUNS, known(), [LOOK])

    assert all(place is not None for place in found)
    away = [np.hypot(p.x - tip(k)[0], p.y - tip(k)[1]) for k, p in enumerate(found) if p]
    assert max(away) < 2


def test_one_end_is_enough_for_most_of_the_way() -> None:
    chunk = film(COUNT, lambda k: pointed(scrolled(k), *tip(k)))
    before = [place if k < START else None for k, place in enumerate(known())]

    found = through(chunk, RUNS, before, [LOOK])

    assert sum(place is not None for place in found) >= 0.8 * COUNT


def test_a_pointer_that_is_hidden_meanwhile_is_not_made_up() -> None:
    def shown(index: int) -> Gray:
        page = scrolled(index)
        return page if START <= index < END else pointed(page, *tip(index))

    found = through(film(COUNT, shown), RUNS, known(), [LOOK])

    assert not any(found[START:END])


def test_nothing_is_filled_in_where_no_look_is_known() -> None:
    chunk = film(COUNT, lambda k: pointed(scrolled(k), *tip(k)))

    assert through(chunk, RUNS, known(), []) == known()
