"""What stays in the picture is told from a pointer that was seen there."""

from medpipe.records import PointerKind
from medpipe.stages.extract.contents import contents, without
from medpipe.stages.extract.track import Place
from tests.support.chunks import Gray, arrow_look, film, pointed, texture

PAGE = texture(1)
LETTER, REST = (80.0, 60.0), (200.0, 140.0)


def claim(index: int, tip: tuple[float, float]) -> Place:
    look = arrow_look()
    left, top = round(tip[0] - look.tip[0]), round(tip[1] - look.tip[1])
    height, width = look.look.shape
    box = (left, top, width, height)
    return Place(index, index + 1, *tip, 0.4, PointerKind.ARROW, box)


def typed(index: int) -> Gray:
    """From sample 10 on something like the pointer stands in the page; the pointer comes at 20."""
    shown = PAGE if index < 10 else pointed(PAGE, *LETTER)
    return shown if index < 20 else pointed(shown, *REST)


def test_what_is_still_there_while_the_pointer_is_elsewhere_is_content() -> None:
    chunk = film(40, typed)
    claims = [None] * 10 + [claim(k, LETTER) for k in range(10, 20)]
    claims += [claim(k, REST) for k in range(20, 40)]

    parts = contents(chunk, claims, [arrow_look()])

    assert [(part.x, part.y) for part in parts] == [LETTER]
    assert without([claim(0, LETTER), claim(0, REST)], parts) == [claim(0, REST)]


def test_a_pointer_that_goes_gives_the_picture_back_and_is_none() -> None:
    chunk = film(40, lambda k: pointed(PAGE, *(LETTER if k < 20 else REST)))
    claims = [claim(k, LETTER if k < 20 else REST) for k in range(40)]

    assert contents(chunk, claims, [arrow_look()]) == []


def test_a_parked_pointer_is_not_given_up_for_a_letter() -> None:
    chunk = film(60, lambda k: pointed(typed(min(k, 19)), *REST))
    claims = [claim(k, LETTER if 30 <= k < 36 else REST) for k in range(60)]

    parts = contents(chunk, claims, [arrow_look()])

    assert [(part.x, part.y) for part in parts] == [LETTER]
