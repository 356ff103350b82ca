"""Find a known look wherever it stands out from all else that the picture holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from medpipe.stages.extract.grid import COARSE_PX, Chunk, Gray, Mask, Replay
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.template import Match, Template, match, search
from medpipe.stages.extract.track import RAREST_BOUND, Place, place_of

_MARGIN_SHARE = 0.6
_DRAWN_SHARE = 0.76
_LOOSEST_RMS = 24.0
_FAINTEST_RMS = 5.0
_SEARCH_S = 0.5
_WIDE_SHARE = 0.2
_REACH_PX = 40
_MOST_REGIONS = 8
_SAME_PX = 3
_STAYING_SAMPLES = 6
_STAYING_SHARE = 1.3
_SURE_SHARE = 0.7
_LONG_SAMPLES = 8
_MOST_SHARED = 3
_JOIN = np.ones((3, 3), np.uint8)


@dataclass(slots=True, eq=False)
class _Look:
    """A look and where it is seen right now.

    Attributes:
        template: The look.
        rarest: RMS of the best place that is not the pointer, at the last whole search.
        live: What is seen: first sample, the match.
        last: The latest match, seen or not.
        seen: Sample of that match.
        done: Places that ended.
    """

    template: Template
    rarest: float = np.inf
    searched_s: float = -np.inf
    live: list[tuple[int, Match]] = field(default_factory=list)
    last: Match | None = None
    seen: int = -1
    done: list[Place] = field(default_factory=list)

    @property
    def limit(self) -> float:
        """Largest RMS that is believed."""
        if self.template.cover is None:
            return min(_MARGIN_SHARE * self.rarest, _LOOSEST_RMS)
        return min(_DRAWN_SHARE * self.rarest, self.template.bound)

    def is_good(self, found: Match | None) -> bool:
        """Whether a match is far better than anything else in the picture."""
        return found is not None and found.rms <= self.limit

    def stays(self, found: Match, sample: int) -> bool:
        """Whether a fair match is right where the pointer was a moment ago."""
        if self.last is None or sample - self.seen > _STAYING_SAMPLES:
            return False
        moved = np.hypot(found.x - self.last.x, found.y - self.last.y)
        return bool(moved <= _SAME_PX and found.rms <= _STAYING_SHARE * self.limit)

    def begin(self, sample: int, found: Match) -> None:
        """Note a match that was not there before."""
        near = (np.hypot(found.x - m.x, found.y - m.y) <= _SAME_PX for _, m in self.live)
        if not any(near):
            self.live.append((sample, found))
        self.last, self.seen = found, sample

    def forget(self, sample: int, changed: Mask, side: int) -> None:
        """Let go of matches where the picture changed."""
        height, width = self.template.look.shape
        gone = []
        for _, found in self.live:
            rows = slice(max(int(found.y) // side, 0), int(found.y + height) // side + 1)
            columns = slice(max(int(found.x) // side, 0), int(found.x + width) // side + 1)
            gone.append(bool(changed[rows, columns].any()))
        self.end(sample, gone)

    def end(self, sample: int, gone: Sequence[bool]) -> None:
        """Let go of matches, those for which `gone` is true."""
        for (start, found), is_gone in zip(self.live, gone, strict=True):
            if is_gone and sample > start:
                place = place_of(found, self.template, start, sample)
                fit = found.rms / max(self.limit, _FAINTEST_RMS)
                fit *= _DRAWN_SHARE if self.template.cover is not None else 1
                self.done.append(_with_fit(place, fit))
        kept = zip(self.live, gone, strict=True)
        self.live = [each for each, is_gone in kept if not is_gone]


def sweep(chunk: Chunk, runs: Sequence[Run], templates: Sequence[Template]) -> list[Place]:
    """Follow known looks through a chunk by what changes.

    Args:
        chunk: The samples.
        runs: Of the samples; the whole picture is searched where one starts.
        templates: Known looks.

    Returns:
        Places in no order, each for as long as the picture did not change there; a place that was
        looked at again and is the same is another place.
    """
    looks = [_Look(each) for each in templates if each.bound >= RAREST_BOUND]
    starts = {run.start for run in runs}
    scale = chunk.layout.block / COARSE_PX
    for sample, picture in Replay(chunk).over(0, len(chunk) if looks else 0):
        delta = chunk.deltas[sample]
        if sample and delta is None:
            continue
        wide = sample in starts or delta is None or delta.changed.mean() > _WIDE_SHARE
        side = chunk.layout.block
        regions = [] if wide or delta is None else _regions(delta.changed, side)
        for look in looks:
            if wide:
                _look_everywhere(look, picture, sample, chunk.times_s[sample], scale)
            elif delta is not None:
                look.forget(sample, delta.changed, side)
        if not wide:
            _look_at_changes(looks, picture, sample, regions)
    for look in looks:
        look.end(len(chunk), [True] * len(look.live))
    return _without_features([place for look in looks for place in look.done])


def _without_features(places: list[Place]) -> list[Place]:
    """Leave out what rests while something that fits better is elsewhere."""
    return [
        p for p in places if p.end - p.start < _LONG_SAMPLES or _shared(p, places) <= _MOST_SHARED
    ]


def _shared(place: Place, places: Sequence[Place]) -> int:
    return sum(
        min(place.end, q.end) - max(place.start, q.start)
        for q in places
        if q.fit < place.fit
        and q.start < place.end
        and q.end > place.start
        and np.hypot(place.x - q.x, place.y - q.y) > place.box[3]
    )


def _look_everywhere(look: _Look, picture: Gray, sample: int, time_s: float, scale: float) -> None:
    look.end(sample, [True] * len(look.live))
    if look.last is not None:
        here = _near(picture, look.template, look.last, _REACH_PX)
        if here is not None and (look.is_good(here) or look.stays(here, sample)):
            look.begin(sample, here)
            return
    if time_s - look.searched_s < _SEARCH_S:
        return
    look.searched_s = time_s
    found = search(picture, look.template, scale)
    if not found:
        return
    look.rarest = found[1].rms if len(found) > 1 else np.inf
    if look.is_good(found[0]):
        look.begin(sample, found[0])


def _near(picture: Gray, template: Template, place: Match, reach: int) -> Match | None:
    height, width = template.look.shape
    x0, y0 = max(round(place.x) - reach, 0), max(round(place.y) - reach, 0)
    x1, y1 = round(place.x) + width + reach, round(place.y) + height + reach
    return match(template, picture[y0:y1, x0:x1], x0, y0)


def _look_at_changes(
    looks: list[_Look], picture: Gray, sample: int, regions: Sequence[tuple[int, int, int, int]]
) -> None:
    """Try the look that was seen last first, and no other where it is surely seen again."""
    for look in sorted(looks, key=lambda each: -each.seen):
        height, width = look.template.look.shape
        for x, y, wide, high in regions:
            x0, y0 = max(x - width, 0), max(y - height, 0)
            part = picture[y0 : y + high + height, x0 : x + wide + width]
            found = match(look.template, part, x0, y0)
            if found is None or not look.is_good(found):
                continue
            look.begin(sample, found)
            if found.rms <= _SURE_SHARE * look.limit:
                return


def _regions(changed: Mask, block: int) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, width, height), picture pixels, of what changed, largest first."""
    near = cv2.dilate(changed.astype(np.uint8), _JOIN)
    count, _, stats, _ = cv2.connectedComponentsWithStats(near)
    order = np.argsort(-stats[1:count, cv2.CC_STAT_AREA], kind="stable")[:_MOST_REGIONS]
    rows, columns = changed.shape
    boxes = []
    for x, y, wide, high in stats[1:count, :4][order].tolist():
        # What was joined over a gap of one block is grown by one block on each side.
        left, right = x + (x > 0), x + wide - (x + wide < columns)
        top, bottom = y + (y > 0), y + high - (y + high < rows)
        boxes.append((left * block, top * block, (right - left) * block, (bottom - top) * block))
    return boxes


def _with_fit(place: Place, fit: float) -> Place:
    return replace(place, fit=fit)
