"""Tell content that came to stay from a pointer that came and went, and cut a still run there."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.stages.extract.grid import Gray, Layout, Mask
from medpipe.stages.extract.settle import Event, Settler

_LONGEST_POINTER_BLOCKS = 13
_SHORTEST_CONTENT_BLOCKS = 5
_TOGETHER_S = 0.5
_AT_ONCE_S = 0.5
_LONGEST_DRAWN_S = 3.0
_POPS_UP_S = 0.25
_LINK = np.ones((3, 3), np.uint8)
_ALIKE = 0.6
_LEAST_FULL = 0.6
_SETTLED_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Change:
    """A time in which new content appears.

    Attributes:
        first_s: Last moment of the old picture, seconds.
        last_s: Since when the new one rests.
    """

    first_s: float
    last_s: float


@dataclass(slots=True, eq=False)
class _Patch:
    """Blocks beside one another that changed about the same time.

    Attributes:
        events: What changed.
        tall: Blocks from top to bottom.
        wide: Blocks from left to right.
        full: They lie close enough to be one thing.
    """

    events: list[Event]
    tall: int
    wide: int
    full: bool

    @property
    def long(self) -> int:
        return max(self.tall, self.wide)

    @property
    def lasts_s(self) -> float:
        return max(e.last_s for e in self.events) - min(e.first_s for e in self.events)

    def is_half_of_move(self, other: "_Patch") -> bool:
        """Whether two patches of about one size each changed at once."""
        pairs = ((self.tall, other.tall), (self.wide, other.wide))
        alike = all(min(a, b) >= _ALIKE * max(a, b) for a, b in pairs)
        return alike and max(self.lasts_s, other.lasts_s) <= _AT_ONCE_S


def find_content(events: Sequence[Event], layout: Layout, level: float) -> list[Event]:
    """Pick the blocks that show new content.

    What is larger than a pointer is content. What is not, is content if the picture never
    returns to what it was, and no like patch changed with it: a pointer that is not known leaves
    a hole where it was when it comes to rest elsewhere.

    Args:
        events: Of one still run.
        layout: How the picture is divided.
        level: Grey levels that count as a change.

    Returns:
        The events that are content, in order of their start.
    """
    back = _returned(events, level)
    content: list[Event] = []
    for group in _groups(events):
        patches = _patches(group, layout)
        patches = [patch for patch in patches if patch.full]
        content += [e for p in patches if p.long > _LONGEST_POINTER_BLOCKS for e in p.events]
        small = [p for p in patches if p.long <= _LONGEST_POINTER_BLOCKS]
        staying = _patches([e for p in small for e in p.events if id(e) not in back], layout)
        for patch in staying:
            paired = any(p is not patch and p.is_half_of_move(patch) for p in staying)
            if patch.full and patch.long >= _SHORTEST_CONTENT_BLOCKS and not paired:
                content += patch.events
    return sorted(content, key=lambda e: (e.first_s, e.block))


def changes(
    content: Sequence[Event],
    stirs: Sequence[tuple[float, Mask]],
    start_s: float,
    least_apart_s: float,
) -> list[Change]:
    """Join the times of new content between which no scene fits.

    Args:
        content: In order of their start.
        stirs: When and in which blocks something moved that is not the known pointer.
        start_s: When the run began.
        least_apart_s: Shortest rest that counts.

    Returns:
        Changes in order, at least that far apart.
    """
    groups: list[list[Event]] = []
    end_s = -np.inf
    for event in content:
        if event.first_s - end_s >= least_apart_s:
            groups.append([])
        groups[-1].append(event)
        end_s = max(end_s, event.last_s)
    return [_whole(group, stirs, start_s) for group in groups]


def _whole(group: Sequence[Event], stirs: Sequence[tuple[float, Mask]], start_s: float) -> Change:
    """One change of many blocks.

    As a zoom comes to rest many blocks change at once, and the last few are late because a
    pointer crossed them. What is drawn bit by bit goes on as long as something moves over it: a
    pen that is not known.
    """
    first_s = [event.first_s for event in group]
    last_s = [event.last_s for event in group]
    if float(np.median(first_s)) - start_s < _TOGETHER_S:
        late_s = float(np.quantile(last_s, _SETTLED_SHARE, method="lower"))
        return Change(min(first_s), late_s)
    late_s = latest_s = max(last_s)
    if max(first_s) - min(first_s) <= _POPS_UP_S:
        return Change(min(first_s), late_s)
    blocks = tuple(np.transpose([event.block for event in group]))
    for time_s, moved in stirs:
        if late_s < time_s <= late_s + _TOGETHER_S and time_s - latest_s <= _LONGEST_DRAWN_S:
            late_s = time_s if moved[blocks].any() else late_s
    return Change(min(first_s), late_s)


def picture_of(
    settler: Settler, layout: Layout, start_s: float, end_s: float, level: float
) -> tuple[Gray, Mask]:
    """What stayed behind the pointer between two times.

    Args:
        settler: Of the run.
        layout: How the picture is divided.
        start_s: Since when, seconds.
        end_s: Until when, seconds.
        level: Grey levels that count as a change.

    Returns:
        (h, w) uint8 luma and (h, w) bool, where it was seen without a pointer. Each block as it
        was for the longest time.
    """
    behind, known = settler.behind.copy(), settler.known.copy()
    views = layout.blocks(behind), layout.blocks(known)
    for (row, column), chain in _by_block(settler.events).items():
        edges_s = [-np.inf, *(e.last_s for e in chain)], [*(e.first_s for e in chain), np.inf]
        lasting = [min(b, end_s) - max(a, start_s) for a, b in zip(*edges_s, strict=True)]
        totals = [
            sum(s for j, s in enumerate(lasting) if s > 0 and _is_same(chain, j, k, level))
            if lasting[k] > 0
            else 0.0
            for k in range(len(lasting))
        ]
        best = int(np.argmax(totals))
        if best < len(chain):
            views[0][row, :, column, :] = chain[best].before
            views[1][row, :, column, :] = chain[best].known_before
    return behind, known


def _is_same(chain: Sequence[Event], a: int, b: int, level: float) -> bool:
    """Whether a block showed the same at two of its looks, counted from 0 before any event."""
    first, last = min(a, b), max(a, b)
    return first == last or chain[last - 1].undoes(chain[first], level)


def _by_block(events: Sequence[Event]) -> dict[tuple[int, int], list[Event]]:
    of_block: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        of_block.setdefault(event.block, []).append(event)
    return of_block


def _returned(events: Sequence[Event], level: float) -> set[int]:
    """`id` of the events that a later one takes back, and of those that take back."""
    back: set[int] = set()
    for chain in _by_block(events).values():
        for k, later in enumerate(chain):
            start = next((j for j in range(k + 1) if later.undoes(chain[j], level)), None)
            if start is not None:
                back.update(id(each) for each in chain[start : k + 1])
    return back


def _groups(events: Sequence[Event]) -> list[list[Event]]:
    """Gather events that follow one another closely."""
    groups: list[list[Event]] = []
    end_s = -np.inf
    for event in sorted(events, key=lambda e: (e.first_s, e.block)):
        if event.first_s > end_s + _TOGETHER_S:
            groups.append([])
        groups[-1].append(event)
        end_s = max(end_s, event.last_s)
    return groups


def _patches(events: Sequence[Event], layout: Layout) -> list[_Patch]:
    if not events:
        return []
    hit = np.zeros(layout.grid, bool)
    for event in events:
        hit[event.block] = True
    labels = _linked(hit)
    of_label: dict[int, list[Event]] = {}
    for event in events:
        of_label.setdefault(int(labels[event.block]), []).append(event)
    patches = []
    for label in sorted(of_label):
        tall, wide, full = _extent(np.nonzero((labels == label) & hit))
        patches.append(_Patch(of_label[label], tall, wide, full))
    return patches


def is_other(unlike: Mask) -> bool:
    """Whether blocks that differ between two pictures make them two pictures.

    Args:
        unlike: (grid) bool.

    Returns:
        True if a patch of them is as large as content is; a few here and there are noise.
    """
    labels = _linked(unlike)
    extents = [_extent(np.nonzero((labels == k) & unlike)) for k in range(1, int(labels.max()) + 1)]
    return any(full and max(tall, wide) >= _SHORTEST_CONTENT_BLOCKS for tall, wide, full in extents)


def _linked(hit: Mask) -> NDArray[np.int32]:
    """Number the patches of blocks that lie close together."""
    grown = cv2.dilate(hit.astype(np.uint8), _LINK)
    return np.asarray(cv2.connectedComponents(grown)[1], np.int32)


def _extent(blocks: tuple[NDArray[np.intp], ...]) -> tuple[int, int, bool]:
    """Height and width of a patch, and whether its blocks lie close enough to be one thing."""
    rows, columns = blocks
    tall, wide = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    return tall, wide, len(rows) >= _LEAST_FULL * max(tall, wide)
