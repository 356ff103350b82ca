"""What is learnt as a pointer's look, and what is not."""

import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.grid import soften
from medpipe.stages.extract.learn import learn

Gray = NDArray[np.uint8]
GREYS = (40, 80, 120, 150, 60, 100)


def stamped(picture: Gray, x: int, y: int) -> Gray:
    """A white wedge with a dark rim, its top left at a place."""
    out = picture.copy()
    for row in range(18):
        out[y + row, x : x + row // 2 + 4] = 10
        out[y + row, x + 1 : x + row // 2 + 3] = 240
    return out


def blob_over(grey: int, x: int) -> Blob:
    behind = np.full((90, 110), grey, np.uint8)
    now = stamped(behind, 40, 30)
    mask = (now != behind)[30:48, 40:52]
    return Blob(0, 1, x + 40, 30, mask, soften(now), soften(behind), x, 0)


def blobs(greys: tuple[int, ...] = GREYS) -> list[Blob]:
    return [blob_over(grey, 100 * k) for k, grey in enumerate(greys)]


def test_what_moves_over_a_picture_is_learnt() -> None:
    template = learn(blobs(), np.full((200, 700), 70, np.uint8), 16)

    assert template is not None
    assert 14 <= template.look.shape[0] <= 22


def test_what_the_picture_holds_twice_is_no_pointer() -> None:
    page = stamped(stamped(np.full((200, 700), 70, np.uint8), 200, 80), 500, 120)

    assert learn(blobs((70,) * 6), page, 16) is None
