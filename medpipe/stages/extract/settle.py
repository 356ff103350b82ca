"""Follow what a still picture shows behind its pointer, and note what new came to stay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.alike import compare, differs, gap
from medpipe.stages.extract.grid import Chunk, Gray, Layout, Mask, Replay
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.track import Place

RIM_PX = 3
_LOOK_S = 0.3
_STAY_S = 0.6
_LEVEL_SLACK = 4.0
_LEAST_TOLD = 0.3
_MOST_RECODED = 0.05
_LARGEST_PEN_BLOCKS = 6
_MOST_HELD = 4
_MOST_STIRS = 1000
_NEVER = -1.0

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Event:
    """A block that came to show something else, and kept it.

    Attributes:
        block: (row, column).
        first_s: Last moment at which it still showed the old look, seconds.
        last_s: Since when it shows the new look.
        before: (block, block) uint8, what it showed.
        known_before: (block, block) bool, which of that was seen and not hidden by a pointer.
        after: (block, block) uint8, what it shows.
        known_after: (block, block) bool.
    """

    block: tuple[int, int]
    first_s: float
    last_s: float
    before: Gray
    known_before: Mask
    after: Gray
    known_after: Mask

    def undoes(self, other: "Event", level: float) -> bool:
        """Whether the block shows again what it showed before an earlier event."""
        known = self.known_after & other.known_before
        return not differs(self.after[None], other.before[None], known[None], level)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A chunk and what is known of it.

    Attributes:
        chunk: The samples.
        places: One entry a sample: the pointer's place, or None.
        quiet: (grid) bool, blocks that are looked at.
        replay: Of the chunk; its runs are asked for in order.
    """

    chunk: Chunk
    places: Sequence[Place | None]
    quiet: Mask
    replay: Replay


class Settler:
    """What lies behind the pointer, block by block, over one still run.

    A block's look counts once it has stayed for a while. Pixels under a pointer are not looked
    at; those that no look has shown yet are unknown.

    Attributes:
        behind: (h, w) uint8, luma of what stays.
        known: (h, w) bool, pixels that were seen without a pointer.
        events: Blocks that came to show something else, in order of the time that was noticed.
        stirs: Samples in which one small thing moved that is not the known pointer: time in
            seconds, and the blocks, (grid) bool.
    """

    def __init__(self, layout: Layout, picture: Gray, hidden: Mask, time_s: float) -> None:
        self._layout = layout
        self.behind = picture.copy()
        self.known = ~hidden
        self.events: list[Event] = []
        self.stirs: list[tuple[float, Mask]] = []
        # What a block is held against stays what it was: slow changes must add up.
        self._base = picture.copy()
        self._seen = picture.copy()
        self._fresh = self.known.copy()
        self._gone_s: Floats = np.full(layout.grid, _NEVER)
        self._since_s: Floats = np.full(layout.grid, _NEVER)
        self._looked_s = self._sampled_s = time_s

    def watch(self, sight: Sight, run: Run) -> None:
        """Take in a still run, or the rest of one that the chunk before began."""
        chunk, places, quiet = sight.chunk, sight.places, sight.quiet
        level = chunk.level(run.start, run.end) + _LEVEL_SLACK
        touched = np.zeros(self._layout.grid, bool)
        first_s = np.full(self._layout.grid, np.inf)
        last_s = np.zeros(self._layout.grid)
        for index in range(run.start, run.end):
            delta, now_s, place = chunk.deltas[index], chunk.times_s[index], places[index]
            if delta is not None and now_s > self._sampled_s:
                first_s[delta.changed & np.isinf(first_s)] = self._sampled_s
                last_s[delta.changed] = now_s
                touched[delta.rows, delta.columns] = True
                before = places[max(index - 1, run.start)]
                self._stir(now_s, delta.changed & quiet, (before, place))
            if place is not None:
                touched[_blocks_of(place, self._layout)] = True
            self._sampled_s = now_s
            if now_s - self._looked_s < _LOOK_S and index < run.end - 1:
                continue
            self._look(
                sight.replay.at(index), place, touched & quiet, level, now_s, (first_s, last_s)
            )
            touched[:] = False
            first_s[:] = np.inf
            if place is not None:
                touched[_blocks_of(place, self._layout)] = True
            self._looked_s = now_s

    def unlike(self, picture: Gray, place: Place | None, level: float) -> Mask:
        """(grid) bool, blocks in which a picture shows something else than what stays.

        Args:
            picture: (h, w) uint8, cropped luma.
            place: The pointer's place in it, or None.
            level: Grey levels that count as a change.
        """
        grid, side = self._layout.grid, self._layout.block
        rows, columns = np.indices(grid).reshape(2, -1)
        view = self._layout.blocks
        at = np.s_[rows, :, columns, :]
        where = view(self.known)[at] & ~_hidden_of(place, rows, columns, side)
        now, was = view(picture)[at], view(self.behind)[at]
        many = ((gap(now, was) > level) & where).mean() > _MOST_RECODED
        if many:
            return np.ones(grid, bool)
        return differs(now, was, where, level + _LEVEL_SLACK).reshape(grid)

    def forget(self, before_s: float) -> None:
        """Let go of what was over before a time, and of all but the last events of each block."""
        held: Counter[tuple[int, int]] = Counter()
        events = []
        for event in reversed(self.events):
            held[event.block] += 1
            if event.last_s > before_s and held[event.block] <= _MOST_HELD:
                events.append(event)
        self.events = events[::-1]
        self.stirs = [stir for stir in self.stirs[-_MOST_STIRS:] if stir[0] > before_s]

    def _stir(self, now_s: float, moved: Mask, known: tuple[Place | None, ...]) -> None:
        for place in known:
            if place is not None:
                moved[_blocks_of(place, self._layout)] = False
        rows, columns = np.nonzero(moved)
        if len(rows) and max(np.ptp(rows), np.ptp(columns)) < _LARGEST_PEN_BLOCKS:
            self.stirs.append((now_s, moved))

    def _look(
        self,
        picture: Gray,
        place: Place | None,
        touched: Mask,
        level: float,
        now_s: float,
        changed_s: tuple[Floats, Floats],
    ) -> None:
        rows, columns = np.nonzero(touched)
        if len(rows):
            self._compare(picture, place, rows, columns, level, changed_s)
        away = self._since_s != _NEVER
        rows, columns = np.nonzero(away & (now_s - self._since_s >= _STAY_S))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            self._settle(row, column)

    def _compare(
        self,
        picture: Gray,
        place: Place | None,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        level: float,
        changed_s: tuple[Floats, Floats],
    ) -> None:
        at = np.s_[rows, :, columns, :]
        view = self._layout.blocks
        behind, base, seen = view(self.behind), view(self._base), view(self._seen)
        known, fresh = view(self.known), view(self._fresh)
        now = view(picture)[at]
        open_to_view = ~_hidden_of(place, rows, columns, self._layout.block)
        told = known[at] & open_to_view
        base[at] = np.where(known[at], base[at], now)
        unlike, recoded = compare(now, base[at], told, level)
        away = unlike & ~recoded
        # The first traces of something new are not yet what a block rests at.
        newer = open_to_view & ~unlike[:, None, None] & (gap(now, behind[at]) <= level)
        newer |= ~known[at] | (open_to_view & recoded[:, None, None])
        behind[at] = np.where(newer, now, behind[at])
        known[at] |= open_to_view
        other = differs(now, seen[at], fresh[at] & open_to_view, level)
        seen[at] = np.where(open_to_view, now, seen[at])
        fresh[at] = open_to_view | (fresh[at] & ~other[:, None, None])
        here = rows, columns
        first_s, last_s = changed_s[0][here], changed_s[1][here]
        first_s = np.where(np.isinf(first_s), self._looked_s, first_s)
        last_s = np.maximum(last_s, self._looked_s)
        gone_s, since_s = self._gone_s[here], self._since_s[here]
        masked = told.sum(axis=(1, 2)) < told[0].size * _LEAST_TOLD
        fresh_s = np.where(gone_s == _NEVER, first_s, gone_s)
        self._gone_s[here] = np.where(masked, gone_s, np.where(away, fresh_s, _NEVER))
        fresh_s = np.where(other | (since_s == _NEVER), last_s, since_s)
        self._since_s[here] = np.where(masked, since_s, np.where(away, fresh_s, _NEVER))

    def _settle(self, row: int, column: int) -> None:
        at = np.s_[row, :, column, :]
        view = self._layout.blocks
        behind, known = view(self.behind)[at], view(self.known)[at]
        seen, fresh = view(self._seen)[at], view(self._fresh)[at]
        first_s, last_s = float(self._gone_s[row, column]), float(self._since_s[row, column])
        self.events.append(
            Event(
                (row, column),
                first_s,
                last_s,
                behind.copy(),
                known.copy(),
                seen.copy(),
                fresh.copy(),
            )
        )
        behind[:], known[:] = seen, fresh
        view(self._base)[at] = seen
        self._gone_s[row, column] = self._since_s[row, column] = _NEVER


def hidden_by(place: Place | None, layout: Layout) -> Mask:
    """(h, w) bool, the pixels that a pointer covers, with a rim."""
    hidden = np.zeros((layout.rows * layout.block, layout.columns * layout.block), bool)
    if place is not None:
        hidden[place.footprint(RIM_PX)] = True
    return hidden


def _blocks_of(place: Place, layout: Layout) -> tuple[slice, slice]:
    x, y, width, height = place.box
    side = layout.block
    rows = slice(max(y - RIM_PX, 0) // side, max(y + height + RIM_PX - 1, 0) // side + 1)
    return rows, slice(max(x - RIM_PX, 0) // side, max(x + width + RIM_PX - 1, 0) // side + 1)


def _hidden_of(
    place: Place | None, rows: NDArray[np.intp], columns: NDArray[np.intp], side: int
) -> Mask:
    """(n, block, block) bool, which pixels of some blocks a pointer covers."""
    if place is None:
        return np.zeros((len(rows), side, side), bool)
    x, y, width, height = place.box
    down = rows[:, None] * side + np.arange(side)
    across = columns[:, None] * side + np.arange(side)
    in_rows = (down >= y - RIM_PX) & (down < y + height + RIM_PX)
    in_columns = (across >= x - RIM_PX) & (across < x + width + RIM_PX)
    return in_rows[:, :, None] & in_columns[:, None, :]
