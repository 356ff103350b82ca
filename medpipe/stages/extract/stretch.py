"""Divide a still run, over chunk borders, into stays: times in which one picture rests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpipe.stages.extract.arrivals import changes, find_content, is_other, picture_of
from medpipe.stages.extract.clean import Kept
from medpipe.stages.extract.grid import Gray, Mask
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.settle import Settler, Sight, hidden_by

_LONGEST_POP_S = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Stay:
    """A time in which the picture rests.

    Attributes:
        start_s: Of its first sample, seconds.
        end_s: Of its last sample, seconds.
        lasts_s: Seconds that it is shown; so is its last sample for a while.
        kept: Whole frames of that time, in order.
        behind: (h, w) uint8, luma of what is shown behind the pointer.
        known: (h, w) bool, where that was seen.
    """

    start_s: float
    end_s: float
    lasts_s: float
    kept: list[Kept]
    behind: Gray
    known: Mask


class Stretch:
    """A still run that may go on in the next chunk."""

    def __init__(self, sight: Sight, run: Run) -> None:
        self._layout = sight.chunk.layout
        start_s = sight.chunk.times_s[run.start]
        hidden = hidden_by(sight.places[run.start], self._layout)
        self._settler = Settler(self._layout, sight.replay.at(run.start), hidden, start_s)
        self._start_s = self._end_s = start_s
        self._level = self._step_s = 0.0
        self._kept: list[Kept] = []

    @property
    def held(self) -> int:
        """Whole frames that are held."""
        return len(self._kept)

    def goes_on(self, sight: Sight, run: Run) -> bool:
        """Whether a run that follows at once shows the same picture, as after a key frame."""
        chunk, index = sight.chunk, run.start
        if chunk.times_s[index] - self._end_s > _LONGEST_POP_S:
            return False
        picture = sight.replay.at(index)
        return not is_other(self._settler.unlike(picture, sight.places[index], self._level))

    def add(self, sight: Sight, run: Run, kept: Sequence[Kept]) -> None:
        """Take in the samples of a run, and the whole frames that were kept of it."""
        self._settler.watch(sight, run)
        times_s = sight.chunk.times_s[run.start : run.end]
        self._end_s, self._step_s = times_s[-1], float(np.median(np.diff(times_s)))
        self._level = sight.chunk.level(run.start, run.end)
        self._kept += kept

    def cut(self, least_s: float, most_kept: int, *, ends: bool) -> list[Stay]:
        """Take off the stays that are over.

        Args:
            least_s: Shortest rest that counts.
            most_kept: Whole frames that wait for the stay that goes on.
            ends: Whether the last one is over too.

        Returns:
            Stays in order, short ones too.
        """
        content = find_content(self._settler.events, self._layout, self._level)
        stays = []
        for change in changes(content, self._settler.stirs, self._start_s, least_s):
            stays.append(self._stay(change.first_s))
            self._start_s = change.last_s
        if ends:
            stays.append(self._stay(self._end_s))
        else:
            waiting = [each for each in self._kept if each.time_s >= self._start_s]
            self._kept = _spread(waiting, most_kept)
            self._settler.forget(self._start_s)
        return stays

    def _stay(self, end_s: float) -> Stay:
        start_s = self._start_s
        kept = [each for each in self._kept if start_s <= each.time_s <= end_s]
        behind, known = picture_of(self._settler, self._layout, start_s, end_s, self._level)
        lasts_s = end_s - start_s + self._step_s
        return Stay(start_s, end_s, lasts_s, kept, behind, known)


def _spread(kept: list[Kept], most: int) -> list[Kept]:
    """Keep the last frame and those spread evenly before it."""
    if len(kept) <= most:
        return kept
    picked = np.unique(np.linspace(0, len(kept) - 1, most).round().astype(int))
    return [kept[k] for k in picked]
