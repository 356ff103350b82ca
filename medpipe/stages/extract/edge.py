"""Read a video once and write its clean images: the room's only file that touches the world."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from medpipe.errors import Rejected
from medpipe.media.heap import give_back
from medpipe.media.video import Frame, VideoReader, open_video
from medpipe.records import Extraction, Scene, Trace
from medpipe.stages.extract.chunkwork import Bank, Seen, work_chunk
from medpipe.stages.extract.clean import Colour, Kept, clean_image, inpaint
from medpipe.stages.extract.colour import ColourLayer
from medpipe.stages.extract.config import ExtractConfig
from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout, Replay
from medpipe.stages.extract.hold import hold
from medpipe.stages.extract.hues import colour_places
from medpipe.stages.extract.mend import Mender, Patch
from medpipe.stages.extract.pair import Pair, pair_up
from medpipe.stages.extract.runs import Run
from medpipe.stages.extract.settle import Sight
from medpipe.stages.extract.stretch import Stay, Stretch
from medpipe.stages.extract.track import Place

_EARLY_SAMPLE = 0.25
_LONGEST_GAP_S = 0.1
_KEEP_SOON_S = 0.35
_KEEP_LATER_S = 0.8
_SOON_S = 1.5
_SHAKEN_SHARE = 0.05
# Of the samples of a chunk: then brightness tells where the pointer is.
_TOLD_SHARE = 0.3
_GOING_ON_SHARE = 0.25
_FEWEST_KEEPERS = 2
_PNG = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_UP,
)

Row = tuple[float, float, float, float, int]


class _Session:
    """The state of one pass over one video."""

    def __init__(self, reader: VideoReader, images_dir: Path, config: ExtractConfig) -> None:
        self._config = config
        self._images_dir = images_dir
        self._width, self._height = reader.width_px, reader.height_px
        self._frame_bytes = self._width * self._height * 1.5
        self._layout = Layout.of(self._width, self._height, config.work_width_px)
        self._grid: ChangeGrid | None = None
        self._chunk: Chunk | None = None
        self._kept: list[tuple[int, Frame]] = []
        self._kept_at = self._shaken_at = -np.inf
        self._changed_since_kept = True
        self._bank, self._hues = Bank(), Bank(draws=False)
        self._colour = ColourLayer()
        self._stretch: Stretch | None = None
        self._mender = Mender()
        self._rows: list[Row] = []
        self._others: list[Row] = []
        self._scenes: list[Scene] = []

    def see(self, frame: Frame) -> None:
        """Take in one sampled frame."""
        picture = self._layout.crop(frame.luma())
        if self._grid is None:
            self._bank.quarter_turns = self._hues.quarter_turns = frame.quarter_turns
            self._grid = ChangeGrid(self._layout, picture, self._config.change_level)
        if self._chunk is None:
            self._chunk = Chunk(self._layout, picture.copy())
        delta, level = self._grid.see(picture)
        self._chunk.add(frame.time_s, delta, level)
        self._colour.see(*frame.chroma(), frame.time_s)
        if delta is not None:
            self._changed_since_kept = True
            if delta.moved.mean() > _SHAKEN_SHARE:
                self._shaken_at = frame.time_s
        self._keep(frame)
        if self._is_full(self._chunk):
            self._work()

    def _keep(self, frame: Frame) -> None:
        soon = frame.time_s - self._shaken_at < _SOON_S
        wait = _KEEP_SOON_S if soon else _KEEP_LATER_S
        if self._changed_since_kept and frame.time_s - self._kept_at >= wait and self._chunk:
            self._kept.append((len(self._chunk) - 1, frame))
            self._kept_at = frame.time_s
            self._changed_since_kept = False

    def _is_full(self, chunk: Chunk) -> bool:
        config = self._config
        held = len(self._kept) + (0 if self._stretch is None else self._stretch.held)
        colours = self._colour.chunk
        changed = chunk.size_bytes + (0 if colours is None else colours.size_bytes)
        return (
            chunk.times_s[-1] - chunk.times_s[0] >= config.max_chunk_s
            or changed >= config.max_chunk_mb * 1e6
            or (
                held * self._frame_bytes >= config.max_keeper_mb * 1e6
                and len(self._kept) >= _FEWEST_KEEPERS
            )
        )

    def _work(self) -> None:
        chunk = self._chunk
        if chunk is None or not len(chunk):
            return
        seen = work_chunk(chunk, self._bank)
        pair = self._pair(chunk, seen)
        seen.places = pair.first
        for rows, places in ((self._rows, pair.first), (self._others, pair.second)):
            for time_s, place in zip(chunk.times_s, places, strict=True):
                if place is not None:
                    rows.append(self._row(time_s, place))
        sight = Sight(chunk, seen.places, seen.quiet, Replay(chunk))
        for view in seen.views:
            self._add_run(sight, view.run, goes_on=view.run.start == 0 and not seen.fresh)
        if not seen.views or seen.views[-1].run.end < len(chunk):
            self._close_stretch()
        if self._stretch is not None:
            self._add_scenes(self._stretch, ends=False)
        self._chunk, self._kept = None, []
        give_back()
        self._changed_since_kept, self._kept_at = True, -np.inf

    def _pair(self, chunk: Chunk, seen: Seen) -> Pair:
        """Let colour tell of pointers where brightness does not."""
        colours = self._colour.take()
        told = sum(place is not None for place in seen.places)
        if colours is None or told >= _TOLD_SHARE * len(chunk):
            return Pair(seen.places, hold(chunk, seen.second, self._bank.templates))
        hued = colour_places(colours, self._hues, seen.quiet, seen.places)
        return pair_up(chunk, [seen.places, hued, seen.second], self._bank.templates)

    def _add_run(self, sight: Sight, run: Run, *, goes_on: bool) -> None:
        stretch, chunk = self._stretch, sight.chunk
        if stretch is None or not (goes_on or stretch.goes_on(sight, run)):
            self._close_stretch()
            stretch = self._stretch = Stretch(sight, run)
        level = chunk.level(run.start, run.end)
        kept = [
            Kept(chunk.times_s[index], frame, sight.places[index], level, sight.quiet)
            for index, frame in self._kept
            if run.start <= index < run.end
        ]
        stretch.add(sight, run, kept)

    def _close_stretch(self) -> None:
        if self._stretch is not None:
            self._add_scenes(self._stretch, ends=True)
        self._stretch = None

    def _add_scenes(self, stretch: Stretch, *, ends: bool) -> None:
        config = self._config
        # The next chunk's are held beside those of the stay that goes on.
        most = int(_GOING_ON_SHARE * config.max_keeper_mb * 1e6 / self._frame_bytes)
        most = max(min(most, config.keepers_per_scene), _FEWEST_KEEPERS)
        for stay in stretch.cut(config.min_scene_s, most, ends=ends):
            if stay.lasts_s >= config.min_scene_s and stay.kept:
                self._add_scene(stay)

    def _add_scene(self, stay: Stay) -> None:
        image, missing = clean_image(stay.kept, stay.behind, stay.known, self._layout)
        index = len(self._scenes)
        patches = self._mender.see(index, image, missing)
        guessed = int(missing.sum())
        if guessed:
            inpaint(image, missing)
        path = self._images_dir / f"scene-{index:03d}.png"
        _write_png(path, image)
        for scene in sorted({patch.scene for patch in patches}):
            self._repair(scene, [patch for patch in patches if patch.scene == scene])
        box = (0, 0, self._width, self._height)
        self._scenes.append(
            Scene(
                index,
                stay.start_s,
                stay.end_s,
                str(path),
                self._width,
                self._height,
                box,
                guessed,
                Trace.empty(),
            )
        )

    def _repair(self, index: int, patches: list[Patch]) -> None:
        """Put what a later scene showed into the image of an earlier one."""
        scene = self._scenes[index]
        image = np.asarray(cv2.imread(scene.image_path), np.uint8)
        for patch in patches:
            image[patch.part][patch.mask] = patch.pixels
        _write_png(Path(scene.image_path), image)
        left = scene.unrecovered_px - sum(len(patch.pixels) for patch in patches)
        self._scenes[index] = replace(scene, unrecovered_px=left)

    def _row(self, time_s: float, place: Place) -> Row:
        # Places count from the middle of the first pixel, shares from its edge.
        x, y = (place.x + 0.5) / self._width, (place.y + 0.5) / self._height
        kind = int(place.kind)
        sure = place.confidence
        return time_s, float(np.clip(x, 0, 1)), float(np.clip(y, 0, 1)), sure, kind

    def finish(self, reader: VideoReader) -> Extraction:
        """Work off what waits and put the answer together."""
        self._work()
        self._close_stretch()
        points, others = self._trace(self._rows), self._trace(self._others)
        return Extraction(
            self._width,
            self._height,
            reader.duration_s,
            reader.frames,
            reader.decoder,
            points,
            tuple(_with_trace(scene, points) for scene in self._scenes),
            reader.broken,
            (others,) if len(others) else (),
        )

    def _trace(self, rows: list[Row]) -> Trace:
        sure = [row for row in rows if row[3] >= self._config.min_confidence]
        return Trace.of(*zip(*sure, strict=True)) if sure else Trace.empty()


def extract(path: str | Path, images_dir: Path, config: ExtractConfig) -> Extraction:
    """Watch a video once: its still pictures without the pointer, and the pointer's path.

    Args:
        path: Video on this machine.
        images_dir: Folder that is there; gets `scene-000.png` and so on.
        config: How to look.

    Returns:
        Scenes and trace; none of either is a valid answer.

    Raises:
        Rejected: `not_a_video`, `no_video` or `corrupt_video`: nothing could be decoded.
        OSError: The file cannot be read or an image cannot be written.
    """
    cv2.setNumThreads(1)
    step_s = 1 / config.samples_per_s
    with open_video(path, threads=config.threads, gap_s=_LONGEST_GAP_S) as reader:
        session: _Session | None = None
        due_s = 0.0
        for frame in reader:
            if session is None:
                session = _Session(reader, images_dir, config)
            if frame.time_s >= due_s - _EARLY_SAMPLE * step_s:
                session.see(frame)
                due_s = max(due_s + step_s, frame.time_s + step_s / 2)
        if session is None:
            raise Rejected("corrupt_video", "no frame could be decoded")
        return session.finish(reader)


def _write_png(path: Path, image: Colour) -> None:
    # OpenCV's own writer would not tell of a full disk.
    path.write_bytes(cv2.imencode(".png", image, _PNG)[1].tobytes())


def _with_trace(scene: Scene, points: Trace) -> Scene:
    part = points.between(scene.start_s, scene.end_s)
    shifted = Trace(
        np.maximum(part.t_s - np.float32(scene.start_s), 0).astype(np.float32),
        part.x,
        part.y,
        part.confidence,
        part.kind,
    )
    return replace(scene, trace=shifted)
