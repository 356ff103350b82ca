"""Turn a chunk of samples into places of the pointer and still runs."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace

import numpy as np

from medpipe.stages.extract.background import background
from medpipe.stages.extract.blobs import Blob, find_blobs
from medpipe.stages.extract.bridge import bridge
from medpipe.stages.extract.contents import contents, without
from medpipe.stages.extract.discs import find_discs, is_disc, with_discs, without_discs
from medpipe.stages.extract.fits import Fits
from medpipe.stages.extract.ghosts import find_ghosts, is_contradicted
from medpipe.stages.extract.grid import Chunk, Gray, Mask, Replay
from medpipe.stages.extract.hold import hold
from medpipe.stages.extract.learn import learn
from medpipe.stages.extract.loose import loose_places
from medpipe.stages.extract.moves import moves
from medpipe.stages.extract.moving import through
from medpipe.stages.extract.pair import beside
from medpipe.stages.extract.parked import is_alone, parked
from medpipe.stages.extract.restless import restless_blobs
from medpipe.stages.extract.runs import Run, busy_blocks, cut_runs, is_content
from medpipe.stages.extract.seeds import seed
from medpipe.stages.extract.sweep import sweep
from medpipe.stages.extract.template import Template
from medpipe.stages.extract.tip import read_turned
from medpipe.stages.extract.track import Place, follow, is_ghost, place_blob
from medpipe.stages.extract.zooms import is_same_size, sized, sizes

_MOST_TEMPLATES = 8
_GHOST_SAMPLES = 6
_GHOST_RIM_PX = 3
_FEWEST_TO_LEARN = 4
_FEWEST_FOR_MORE = 6
_FEWEST_RESIZED = 3
_LEAST_BUSY_SHARE = 0.04
_SURE_FIT = 0.6
_SETTLED_FIT = 0.35
_BETTER_FIT = 0.15
_LONGEST_SIDE_PX = 160
_MOVER_SAMPLES = 2
_OUTRUN_SHARE = 0.5
_PROVEN_SHARE = 0.2
_PROVEN_FIT = 0.75
_FEWEST_PROOFS = 5
_LONGEST_GAP_S = 1.5
_TOLD_SHARE = 0.5
_UNSEEN_SHARE = 0.25
_MOST_SEEDLESS = 2


@dataclass(slots=True)
class Bank:
    """What is known of the video's pointers, carried from chunk to chunk.

    Attributes:
        quarter_turns: By which the video is shown turned, counter-clockwise.
        templates: Looks, best known first.
        last: Where the pointer was seen last, or None.
        last_s: When that was.
        seed: A common pointer that the video shows, for where nothing else is known.
        seedless: Chunks that were searched for one.
        draws: Common pointers are looked for.
        two: Two pointers were seen at the same time.
        fits: Which blobs of this chunk are like which.
    """

    quarter_turns: int = 0
    templates: list[Template] = field(default_factory=list)
    last: Place | None = None
    last_s: float = -np.inf
    seed: Template | None = None
    seedless: int = 0
    draws: bool = True
    two: bool = False
    fits: Fits = field(default_factory=Fits)
    _tried: dict[Blob, tuple[int, Place | None]] = field(default_factory=dict)

    def place(self, blob: Blob) -> Place | None:
        """The best place that any known look gives a blob; each look is tried once."""
        done, best = self._tried.get(blob, (0, None))
        for template in self.templates[done:]:
            if best is not None and best.fit <= _SETTLED_FIT:
                break
            place = place_blob(blob, template)
            if place is not None and (best is None or place.fit < best.fit):
                best = place
        self._tried[blob] = (len(self.templates), best)
        return None if best is None else replace(best, start=blob.start, end=blob.end)

    def see(self, found: Sequence[Place | None], times_s: Sequence[float]) -> None:
        """Note the last place of a run's samples."""
        for place, time_s in zip(found, times_s, strict=True):
            if place is not None:
                self.last, self.last_s = place, time_s

    def last_before(self, time_s: float) -> Place | None:
        """Where the pointer was right before a time, or None if it was not seen."""
        return self.last if time_s - self.last_s <= _LONGEST_GAP_S else None

    def branch(self) -> "Bank":
        """The same for a trial; what it learns is its own."""
        own = {"templates": list(self.templates), "_tried": {}, "fits": Fits()}
        twin = copy(self)
        for name, value in own.items():
            setattr(twin, name, value)
        return twin

    def adopt(self, trial: "Bank") -> None:
        """Take over all that a trial learnt."""
        for each in fields(self):
            setattr(self, each.name, getattr(trial, each.name))

    def forget(self) -> None:
        """Let go of the blobs of a chunk."""
        self._tried.clear()
        self.fits.clear()


@dataclass(slots=True, eq=False)
class View:
    """A still run with what it shows behind and before.

    Attributes:
        run: The samples.
        behind: (h, w) uint8, the background.
        blobs: What stood out.
    """

    run: Run
    behind: Gray
    blobs: list[Blob]


@dataclass(slots=True, eq=False)
class Seen:
    """What a chunk held.

    Attributes:
        places: One entry a sample: the pointer's place, or None where it is hidden.
        second: One entry a sample: the place of another pointer that is seen meanwhile, or None.
        views: The still runs.
        fresh: The chunk's first sample already shows another picture than the chunk before.
        quiet: (grid) bool, blocks that rest now and then.
    """

    places: list[Place | None]
    second: list[Place | None]
    views: list[View]
    fresh: bool
    quiet: Mask


def work_chunk(chunk: Chunk, bank: Bank, quiet: Mask | None = None) -> Seen:
    """Find runs, backgrounds and the pointer of a chunk.

    Args:
        chunk: The samples.
        bank: Looks known so far; new ones and the last place are written back.
        quiet: (grid) bool, blocks that rest now and then; None to find them.

    Returns:
        What was seen.
    """
    discs = find_discs(chunk)
    if any(discs):
        trial = bank.branch()
        plain = _work(chunk, trial, quiet, [None] * len(chunk))
        if _tells(plain.places, discs):
            bank.adopt(trial)
            return plain
    return _work(chunk, bank, quiet, discs)


def _tells(places: Sequence[Place | None], discs: Sequence[Place | None]) -> bool:
    """Whether a pointer of a known look is mostly seen where a disc would be: then it is none."""
    told = [place is not None for place, disc in zip(places, discs, strict=True) if disc]
    return sum(told) >= _TOLD_SHARE * len(told)


def _work(chunk: Chunk, bank: Bank, quiet: Mask | None, discs: Sequence[Place | None]) -> Seen:
    bare = without_discs(chunk, discs)
    if quiet is None:
        quiet = ~busy_blocks(bare)
    runs = cut_runs(bare, ~quiet)
    views = [_view(chunk, run, quiet, discs) for run in runs if run.still]
    _learn(views, bank, chunk.level(0, len(chunk)))
    if not bank.templates:
        _learn_restless(chunk, quiet, bank)
    views = [_exorcise(chunk, view, quiet, bank, discs) for view in views]
    swept = sweep(chunk, runs, bank.templates)
    known = bank.last, bank.last_s
    places, second = _follow_runs(chunk, runs, views, quiet, bank, swept, [])
    parts = contents(chunk, places, bank.templates)
    if parts:
        bank.last, bank.last_s = known
        places, second = _follow_runs(chunk, runs, views, quiet, bank, swept, parts)
    places = through(chunk, runs, places, bank.templates)
    places = _with_seed(chunk, runs, places, bank)
    drawn = [] if bank.seed is None else [bank.seed]
    if drawn:
        places = through(chunk, runs, places, drawn)
    places = moves(chunk, runs, places)
    parts = contents(chunk, places, bank.templates)
    places = [p if p is not None and without([p], parts) else None for p in places]
    places = hold(chunk, places, [*bank.templates, *drawn])
    places = bridge(places, runs, chunk.times_s, chunk.first.shape[1])
    places = with_discs(places, discs)
    bank.forget()
    first = chunk.deltas[0]
    fresh = first is not None and is_content(first.changed & quiet, first.moved & quiet)
    return Seen(places, second, views, fresh, quiet)


def _follow_runs(
    chunk: Chunk,
    runs: Sequence[Run],
    views: Sequence[View],
    quiet: Mask,
    bank: Bank,
    swept: Sequence[Place],
    parts: Sequence[Place],
) -> tuple[list[Place | None], list[Place | None]]:
    """Follow one pointer, and another, from run to run; `parts` of the picture are no places."""
    by_start, width_px = {view.run.start: view for view in views}, chunk.first.shape[1]
    places: list[Place | None] = []
    second: list[Place | None] = []
    for run in runs:
        sure = without(_within(swept, run), parts)
        if run.still:
            view = by_start[run.start]
            every, outrun = _still_places(chunk, view, quiet, bank, sure, parts)
            found = follow(every, run, width_px)
            rest = beside(every, outrun, found, run, surely=bank.two)
            bank.two |= bool(rest)
            second += follow(rest, run, width_px)
        else:
            found = follow(sure, run, width_px)
            second += [None] * (run.end - run.start)
        places += found
        bank.see(found, chunk.times_s[run.start : run.end])
    return places, second


def _view(chunk: Chunk, run: Run, quiet: Mask, discs: Sequence[Place | None]) -> View:
    behind = background(chunk, run)
    blobs = find_blobs(chunk, run, behind, quiet)
    ghosts = find_ghosts(blobs, run)
    if ghosts:
        behind = _without(chunk, behind, ghosts)
        blobs = find_blobs(chunk, run, behind, quiet)
    return View(run, behind, [blob for blob in blobs if not is_disc(blob, discs)])


def _exorcise(
    chunk: Chunk, view: View, quiet: Mask, bank: Bank, discs: Sequence[Place | None]
) -> View:
    ghosts = [
        blob
        for blob in view.blobs
        if blob.end - blob.start >= _GHOST_SAMPLES
        and is_ghost(blob, bank.templates)
        and not is_contradicted(blob, view.blobs, lambda b: _is_known(b, bank), view.run)
    ]
    if not ghosts:
        return view
    behind = _without(chunk, view.behind, ghosts)
    blobs = find_blobs(chunk, view.run, behind, quiet)
    return View(view.run, behind, [blob for blob in blobs if not is_disc(blob, discs)])


def _without(chunk: Chunk, behind: Gray, ghosts: list[Blob]) -> Gray:
    """Put what is shown where ghosts stand into the background."""
    behind = behind.copy()
    replay = Replay(chunk)
    for ghost in sorted(ghosts, key=lambda b: b.start):
        height, width = ghost.mask.shape
        part = np.s_[
            max(ghost.y0 - _GHOST_RIM_PX, 0) : ghost.y0 + height + _GHOST_RIM_PX,
            max(ghost.x0 - _GHOST_RIM_PX, 0) : ghost.x0 + width + _GHOST_RIM_PX,
        ]
        behind[part] = replay.at(ghost.start)[part]
    return behind


def _learn(views: list[View], bank: Bank, level: float) -> None:
    learnt_in = dict.fromkeys(range(len(bank.templates)), 0)
    for index, view in enumerate(views):
        _learn_from([view], bank, level)
        for number in range(len(learnt_in), len(bank.templates)):
            learnt_in[number] = index
    if views:
        _resize(views, bank, learnt_in)
    if len(views) > 1:
        _learn_from(views, bank, level)


def _learn_restless(chunk: Chunk, quiet: Mask, bank: Bank) -> None:
    """Learn a look in a part of the picture that never rests."""
    if float(1 - quiet.mean()) < _LEAST_BUSY_SHARE:
        return
    level, run = chunk.level(0, len(chunk)), Run(0, len(chunk), still=False)
    usual, blobs = restless_blobs(chunk, range(len(chunk)), ~quiet, level)
    _learn_from([View(run, usual, blobs)], bank, level)
    # What moves with the picture is soft and like the rest of it; a drawing is not.
    bank.templates = [look for look in bank.templates if look.distinct]


def _resize(views: list[View], bank: Bank, learnt_in: dict[int, int]) -> None:
    """Add known looks in the size that a recorder's zoom gives them, where views show them so."""
    ratios = list(sizes([view.behind for view in views]))
    for number, origin in learnt_in.items():
        known = [ratios[origin]]
        for ratio in ratios:
            if any(is_same_size(ratio, each) for each in known):
                continue
            known.append(ratio)
            look = sized(bank.templates[number], ratio / ratios[origin])
            alike = [v for v, r in zip(views, ratios, strict=True) if is_same_size(r, ratio)]
            shown = sum(_explains_more(look, v, bank) for v in alike)
            room = len(bank.templates) < _MOST_TEMPLATES
            if room and (shown >= _FEWEST_RESIZED or any(is_alone(v.behind, look) for v in alike)):
                bank.templates.append(look)


def _explains_more(look: Template, view: View, bank: Bank) -> int:
    """Blobs of a view that a look explains clearly better than all known looks."""
    more = 0
    for blob in view.blobs:
        place = place_blob(blob, look) if blob.side <= _LONGEST_SIDE_PX else None
        if place is not None and place.fit <= _SURE_FIT:
            known = bank.place(blob)
            more += known is None or place.fit < known.fit - _BETTER_FIT
    return more


def _learn_from(views: list[View], bank: Bank, level: float) -> None:
    while len(bank.templates) < _MOST_TEMPLATES:
        unsure = {
            blob: place.fit if (place := bank.place(blob)) is not None else np.inf
            for view in views
            for blob in view.blobs
            if blob.side <= _LONGEST_SIDE_PX
        }
        unsure = {blob: fit for blob, fit in unsure.items() if fit > _SURE_FIT}
        if len(unsure) < _FEWEST_TO_LEARN:
            return
        fewest = _FEWEST_FOR_MORE if bank.templates else _FEWEST_TO_LEARN
        template = learn(list(unsure), views[0].behind, level, bank.fits)
        if template is None or template.places < fewest:
            return
        better = sum(
            (place := place_blob(blob, template)) is not None and place.fit < fit - _BETTER_FIT
            for blob, fit in unsure.items()
        )
        if better < fewest:
            return
        bank.templates.append(_upright(template, bank.quarter_turns))


def _upright(template: Template, turns: int) -> Template:
    """A look with its hotspot read the way the video is shown."""
    if not turns:
        return template
    shape = read_turned(template.look, template.weight, turns)
    return replace(template, tip=shape.tip, kind=shape.kind)


def _is_known(blob: Blob, bank: Bank) -> bool:
    place = bank.place(blob)
    return place is not None and place.fit <= 1


def _with_seed(
    chunk: Chunk, runs: Sequence[Run], places: list[Place | None], bank: Bank
) -> list[Place | None]:
    """Fill in what a common pointer's look finds where the picture never rests."""
    restless = [i for run in runs if not run.still for i in range(run.start, run.end)]
    many = sum(places[i] is None for i in restless) > _UNSEEN_SHARE * len(places)
    if many and bank.draws and bank.seed is None and bank.seedless < _MOST_SEEDLESS:
        bank.seed = seed(chunk, [i for i, place in enumerate(places) if place is None])
        bank.seedless += 1
    if bank.seed is None:
        return places
    swept = sweep(chunk, runs, [bank.seed])
    width = chunk.first.shape[1]
    found = [place for run in runs for place in follow(_within(swept, run), run, width)]
    return [a or b for a, b in zip(places, found, strict=True)]


def _within(places: Sequence[Place], run: Run) -> list[Place]:
    """The parts of places that lie in a run."""
    return [
        replace(place, start=max(place.start, run.start), end=min(place.end, run.end))
        for place in places
        if place.start < run.end and place.end > run.start
    ]


def _still_places(
    chunk: Chunk,
    view: View,
    quiet: Mask,
    bank: Bank,
    swept: Sequence[Place],
    parts: Sequence[Place],
) -> tuple[list[Place], list[Place]]:
    """Where a pointer may be during a still run; where only a second one may rest meanwhile."""
    run = view.run
    places: list[Place] = list(swept)
    unknown: list[Blob] = []
    proofs = sum(p.end - p.start <= _MOVER_SAMPLES and p.fit <= _PROVEN_FIT for p in swept)
    proven = proofs > max(_PROVEN_SHARE * (run.end - run.start), _FEWEST_PROOFS)
    for blob in view.blobs:
        place = bank.place(blob)
        if place is not None and not (proven and place.common):
            places.append(place)
        if not proven and (place is None or place.fit > 1):
            unknown.append(blob)
    movers = [p for p in places if p.fit <= 1 and p.end - p.start <= _MOVER_SAMPLES]
    outrun = [p for p in places if _is_outrun(p, movers)]
    places = [p for p in places if p not in outrun]
    sure = [p for p in places if p.fit <= 1]
    last = bank.last_before(chunk.times_s[run.start])
    places += parked(chunk, run, view.behind, quiet, bank.templates, last, sure)
    places += loose_places(unknown, sure, run)
    return without(places, parts), without(outrun, parts)


def _is_outrun(resting: Place, movers: list[Place]) -> bool:
    """Whether the pointer was seen moving for most of the time it is said to rest."""
    length = resting.end - resting.start
    if length <= _MOVER_SAMPLES:
        return False
    shared = sum(resting.start <= p.start < resting.end for p in movers)
    return shared > _OUTRUN_SHARE * length
