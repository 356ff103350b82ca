"""A known or common look is found wherever it stands out, and its moves tell where it rested."""

from dataclasses import replace

import numpy as np

from medpipe.stages.extract.moves import moves
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.seeds import seed
from medpipe.stages.extract.sweep import sweep
from medpipe.stages.extract.template import Match
from medpipe.stages.extract.track import Place, place_of
from tests.support.chunks import Gray, arrow_look, film, pointed, texture

COUNT = 24
PAGE = texture(5)
LOOK = arrow_look()


def tip(index: int) -> tuple[float, float]:
    return 70.0 + 7 * index, 90.0 + 4 * index


def other_page(index: int) -> Gray:
    """Another page at each sample."""
    return texture(100 + index)


def right(places: list[Place], index: int) -> bool:
    here = [p for p in places if p.start <= index < p.end]
    return any(np.hypot(p.x - tip(index)[0], p.y - tip(index)[1]) < 2 for p in here)


def test_a_look_is_swept_up_as_it_moves_over_a_page() -> None:
    chunk = film(COUNT, lambda k: pointed(PAGE, *tip(k)))

    places = sweep(chunk, [Run(0, COUNT, still=True)], [LOOK])

    assert np.mean([right(places, k) for k in range(COUNT)]) > 0.9


def test_nothing_is_swept_up_from_pages_alone() -> None:
    run = Run(0, COUNT, still=False)

    assert sweep(film(COUNT, other_page), [run], [LOOK]) == []
    assert sweep(film(COUNT, lambda k: PAGE), [run], [LOOK]) == []


def test_a_common_pointer_is_found_before_anything_is_learnt() -> None:
    chunk = film(COUNT, lambda k: pointed(other_page(k), *tip(k)))

    found = seed(chunk, range(COUNT))

    assert found is not None
    assert abs(found.look.shape[0] - LOOK.look.shape[0]) <= 3


def test_pages_without_a_pointer_seed_nothing() -> None:
    assert seed(film(COUNT, other_page), range(COUNT)) is None


def place_at(index: int, at: tuple[float, float]) -> Place:
    match = Match(round(at[0] - LOOK.tip[0]), round(at[1] - LOOK.tip[1]), 4.0)
    return replace(place_of(match, LOOK, index, index + 1), fit=0.3)


FROM, TO, GOES = (80.0, 60.0), (220.0, 150.0), 14


def jumping(index: int) -> Gray:
    return pointed(PAGE, *(FROM if index < GOES else TO))


def test_the_other_half_of_a_move_tells_where_a_pointer_rested() -> None:
    chunk = film(COUNT, jumping)
    known = [place_at(k, TO) if k >= GOES else None for k in range(COUNT)]

    found = moves(chunk, [Run(0, COUNT, still=True)], known)

    rests = [p for p in found[:GOES] if p is not None]
    assert len(rests) == GOES
    assert all(np.hypot(p.x - FROM[0], p.y - FROM[1]) < 3 for p in rests)


def test_a_pointer_that_comes_from_nowhere_is_not_given_a_past() -> None:
    chunk = film(COUNT, lambda k: PAGE if k < GOES else pointed(PAGE, *TO))
    known = [place_at(k, TO) if k >= GOES else None for k in range(COUNT)]

    assert moves(chunk, [Run(0, COUNT, still=True)], known) == known


def test_confidence_falls_with_the_fit() -> None:
    place = place_at(0, FROM)

    sure = [replace(place, fit=fit).confidence for fit in (0.0, 0.8, 1.0, 1.7)]

    assert sure == sorted(sure, reverse=True)
    assert sure[0] > 0.99
    assert sure[-1] == 0.5
