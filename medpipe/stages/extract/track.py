"""Follow the pointer through a still run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medpipe.records import PointerKind
from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.explain import account
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match, Template

RAREST_BOUND = 7.0
_FAIR_SHARE = 0.35
_LEAST_SHARE = 0.15
_HOLE_SIZES = (0.5, 2.5)
_OUTLINE_SLACK_PX = 2
_SAME_OUTLINE = 0.85
_SMALLEST_OUTLINE_PX = 150
_OUTLINE_FIT = 0.7
_HIDDEN_COST = 1.0
_GOOD_COST = 0.7
_WEAK_COST = 0.2
_SWITCH_COST = 0.9
_DOUBTFUL_FIT = 0.7
_STIR_PX = 6
_FARTHEST_COST = 1.5
_COST_A_WIDTH = 3.0
_STEEPNESS = 3.9
_EVEN_FIT = 1.7


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pointer may be during some samples.

    Attributes:
        start: First sample.
        end: One past the last sample.
        x: Of the tip, picture pixels.
        y: Of the tip, picture pixels.
        fit: RMS of the match over the template's bound; under 1 where it is believed.
        kind: What draws it.
        box: (left, top, width, height) of all that it covers, picture pixels.
        common: The look that it shows is hardly rarer than any other patch of the picture.
    """

    start: int
    end: int
    x: float
    y: float
    fit: float
    kind: PointerKind
    box: tuple[int, int, int, int]
    common: bool = False

    def footprint(self, rim_px: int) -> tuple[slice, slice]:
        """Rows and columns of the picture that it covers, with a rim."""
        x, y, width, height = self.box
        rows = slice(max(y - rim_px, 0), max(y + height + rim_px, 0))
        return rows, slice(max(x - rim_px, 0), max(x + width + rim_px, 0))

    @property
    def confidence(self) -> float:
        """How likely the place is right: the share that was, by fit, on clips of all kinds."""
        return float(1 / (1 + np.exp(_STEEPNESS * (self.fit - _EVEN_FIT))))


def place_of(found: Match, template: Template, start: int, end: int) -> Place:
    """Turn a match into a place of the tip."""
    x, y = found.x + template.tip[0], found.y + template.tip[1]
    height, width = template.look.shape
    box = (round(found.x), round(found.y), width, height)
    common = template.bound < RAREST_BOUND
    return Place(start, end, x, y, found.rms / template.bound, template.kind, box, common)


def place_blob(blob: Blob, template: Template) -> Place | None:
    """Say where a blob shows a pointer, if it does.

    Args:
        blob: What stands out.
        template: A known look.

    Returns:
        The place where the look explains most of the blob, or None. A fit over 1 is weak: only
        good for bridging a gap between better ones.
    """
    told = account(template, blob)
    if told is None or told.share < _FAIR_SHARE:
        outlined = _outlined(template, blob)
        if outlined is not None:
            return place_of(outlined, template, blob.start, blob.end)
    if told is None or told.share < _LEAST_SHARE:
        return None
    fit = (1 - told.share) / (1 - _FAIR_SHARE)
    return replace(place_of(told.found, template, blob.start, blob.end), fit=fit)


def _outlined(template: Template, blob: Blob) -> Match | None:
    """Place a template by its outline alone, where the blob has the very same one."""
    solid = template.weight > 0
    rows, columns = np.nonzero(solid.any(1))[0], np.nonzero(solid.any(0))[0]
    box = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = min(box.shape[0], blob.mask.shape[0]), min(box.shape[1], blob.mask.shape[1])
    if np.abs(np.subtract(box.shape, blob.mask.shape)).max() > _OUTLINE_SLACK_PX:
        return None
    a, b = box[:height, :width], blob.mask[:height, :width]
    alike = float((a & b).sum()) / max(float((a | b).sum()), 1.0)
    if alike < _SAME_OUTLINE or blob.area < _SMALLEST_OUTLINE_PX:
        return None
    return Match(blob.x0 - int(columns[0]), blob.y0 - int(rows[0]), _OUTLINE_FIT * template.bound)


def is_ghost(blob: Blob, bank: Sequence[Template]) -> bool:
    """Whether it is the background of a blob, not the blob, that shows a pointer."""
    hole = max((_hole_share(blob, template) for template in bank), default=0.0)
    if hole < _FAIR_SHARE:
        return False
    told = (account(template, blob) for template in bank)
    return hole > max(each.share for each in told if each is not None)


def _hole_share(blob: Blob, template: Template) -> float:
    """How much of a blob a look of its size explains that the background shows well."""
    size = float((template.weight > 0).sum()) / blob.area
    if not _HOLE_SIZES[0] < size < _HOLE_SIZES[1]:
        return 0.0
    told = account(template, blob, behind=True)
    return 0.0 if told is None or told.found.rms > template.bound else told.share


def follow(places: Sequence[Place], run: Run, width_px: int) -> list[Place | None]:
    """Choose at each sample of a run the place of the pointer, or that it is hidden.

    Args:
        places: Candidates; any number at a sample.
        run: The stretch.
        width_px: Of the picture, picture pixels.

    Returns:
        One entry a sample: the cheapest path by fit and by distance (Viterbi).
    """
    starting: dict[int, list[Place]] = {}
    for place in places:
        starting.setdefault(place.start, []).append(place)
    live: list[Place | None] = [None]
    cost = np.array([_HIDDEN_COST])
    history: list[tuple[list[Place | None], list[int]]] = []
    for sample in range(run.start, run.end):
        still = [p for p in live if p is not None and p.end > sample]
        now: list[Place | None] = [None, *still, *starting.get(sample, [])]
        step = np.array([[_step(a, b, width_px) for a in live] for b in now]) + cost
        back = step.argmin(axis=1)
        own = np.array([_own_cost(p) for p in now])
        cost = step[np.arange(len(now)), back] + own
        cost -= cost.min()
        history.append((now, back.tolist()))
        live = now
    return _without_doubtful(_trace_back(history, int(cost.argmin())))


def _without_doubtful(path: list[Place | None]) -> list[Place | None]:
    """Leave out appearances that neither move nor fit well at any time."""
    kept = list(path)
    start = 0
    for index in range(len(path) + 1):
        if index < len(path) and path[index] is not None:
            continue
        part = [p for p in path[start:index] if p is not None]
        if part and min(p.fit for p in part) > _DOUBTFUL_FIT and not _moves(part):
            kept[start:index] = [None] * (index - start)
        start = index + 1
    return kept


def _moves(places: list[Place]) -> bool:
    across = max(p.x for p in places) - min(p.x for p in places)
    down = max(p.y for p in places) - min(p.y for p in places)
    return max(across, down) > _STIR_PX


def _own_cost(place: Place | None) -> float:
    """Less than being hidden for a good fit, more for one that only helps to bridge a gap."""
    if place is None:
        return _HIDDEN_COST
    if place.fit <= 1:
        return _GOOD_COST * place.fit
    return _HIDDEN_COST + _WEAK_COST * (place.fit - 1)


def _trace_back(history: list[tuple[list[Place | None], list[int]]], at: int) -> list[Place | None]:
    path: list[Place | None] = []
    for now, back in reversed(history):
        path.append(now[at])
        at = back[at]
    return path[::-1]


def _step(a: Place | None, b: Place | None, width_px: int) -> float:
    if a is None or b is None:
        return 0.0 if a is b else _SWITCH_COST
    if a is b:
        return 0.0
    far = float(np.hypot(a.x - b.x, a.y - b.y)) / width_px
    return min(_FARTHEST_COST, far * _COST_A_WIDTH)
