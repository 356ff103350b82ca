import numpy as np

from medpipe.records import PointerKind
from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.explain import account
from medpipe.stages.extract.fits import Fits
from medpipe.stages.extract.template import Template

PAD = 20


def patch(seed: int, mask: np.ndarray, look: np.ndarray, at: tuple[int, int] = (PAD, PAD)) -> Blob:
    """A look drawn on noise; its window reaches `PAD` pixels around."""
    behind = np.random.default_rng(seed).integers(90, 110, (60, 56)).astype(np.uint8)
    now = behind.copy()
    y, x = at
    now[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = look[mask]
    return Blob(0, 1, 100 + x, 200 + y, mask, now, behind, 100, 200)


MASK = np.tri(18, 14, dtype=bool)
LOOK = np.where(np.tri(18, 14, -3, dtype=bool), 20, 240).astype(np.uint8)


def test_the_same_thing_elsewhere_fits_where_it_stands() -> None:
    model, other = patch(1, MASK, LOOK), patch(2, MASK, LOOK, at=(17, 23))

    itself, found = Fits().of(model, [model, other])

    assert itself == (0.0, PAD, PAD)
    assert found[0] < 0.1
    assert found[1:] == (23, 17)


def test_a_fit_is_the_rms_over_the_pixels_under_the_mask() -> None:
    model, other = patch(1, MASK, LOOK), patch(2, MASK, np.full_like(LOOK, 130))

    rms, x, y = Fits().of(model, [other])[0]

    here = other.now[y : y + 18, x : x + 14].astype(float)
    assert abs(rms - np.sqrt(((here - LOOK) ** 2)[MASK].mean())) < 0.1


def test_a_pair_is_not_worked_out_again_until_it_is_let_go() -> None:
    fits, model, other = Fits(), patch(1, MASK, LOOK), patch(2, MASK, LOOK)
    before = fits.of(model, [other])
    other.now[:] = 0

    assert fits.of(model, [other]) == before
    fits.clear()
    assert fits.of(model, [other]) != before


def test_a_look_that_was_drawn_accounts_for_all_that_stands_out() -> None:
    blob = patch(3, MASK, LOOK, at=(15, 25))
    template = Template(
        LOOK.astype(np.float32), MASK.astype(np.float32), (0, 0), PointerKind.ARROW, 20.0, 4
    )

    told = account(template, blob)

    assert told is not None
    assert round(told.found.x) == 125
    assert round(told.found.y) == 215
    assert told.found.rms < 0.1
    assert told.share > 0.99
    assert told.under > 0.99
