"""The clips of the trace benchmark: what is written as truth is what a decoder shows."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.tracing import KINDS, ClipPaths, ClipSpec, Form, Pointer, clip, make_clip
from benchmarks.tracing.catalogue import DEV_SEEDS, HELD_SEEDS
from benchmarks.tracing.pages import available

SMALL = Form(320, 240, fps=10, crf=14)
# One of each codec, container and oddity.
CODED = (
    *("vp9", "av1", "hevc", "rotated", "anamorphic", "interlaced", "interlaced_mpeg2", "ten_bit"),
    *("alpha", "late_start", "letterbox", "p144", "fps5"),
)


def decoded(video: Path) -> tuple[list[float], NDArray[np.int16]]:
    with av.open(str(video)) as file:
        start_s = (file.start_time or 0) / av.time_base
        frames = list(file.decode(video=0))
    times = [float(frame.pts * frame.time_base) - start_s for frame in frames]
    return times, np.stack([frame.to_ndarray(format="gray").astype(np.int16) for frame in frames])


def truth(paths: ClipPaths) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(paths.truth.read_text())
    return known


def tips(known: dict[str, Any]) -> NDArray[np.float64]:
    return np.array([known["pointer"]["x_px"], known["pointer"]["y_px"]], np.float64).T


def test_dev_and_held_out_seeds_are_apart() -> None:
    assert not set(DEV_SEEDS) & set(HELD_SEEDS)


def test_the_same_clip_is_made_of_the_same_bytes(tmp_path: Path) -> None:
    spec = clip("zoom", 5, seconds=1.0, form=SMALL)

    first, again = make_clip(spec, tmp_path / "a"), make_clip(spec, tmp_path / "b")

    assert first.video.read_bytes() == again.video.read_bytes()
    assert first.truth.read_bytes() == again.truth.read_bytes()


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_truth_for_each_frame_that_it_shows(tmp_path: Path, kind: str) -> None:
    spec = clip(kind, 7, seconds=0.6, form=SMALL)
    if not all(available(name) for name in spec.pictures):
        pytest.skip(f"{kind} needs ../shared/data/vqa_rad.parquet (see its SOURCES.md)")

    paths = make_clip(spec, tmp_path)

    times, frames = decoded(paths.video)
    known = truth(paths)
    assert frames.shape == (6, 240, 320)
    assert known["pointer"]["t_s"] == pytest.approx(times, abs=1e-4)
    assert known["pointer"]["visible"] == [x is not None for x in known["pointer"]["x_px"]]
    if kind.endswith("no_pointer"):
        assert not any(known["pointer"]["visible"])


@pytest.mark.parametrize("kind", CODED)
def test_every_form_decodes_to_the_frames_of_its_truth(tmp_path: Path, kind: str) -> None:
    spec = clip(kind, 7, seconds=1.0)

    paths = make_clip(spec, tmp_path)

    times, frames = decoded(paths.video)
    video = truth(paths)["video"]
    assert frames.shape[1:] == (video["height_px"], video["width_px"])
    assert truth(paths)["pointer"]["t_s"] == pytest.approx(times, abs=2e-3)


def test_a_variable_rate_leaves_frames_out_and_jitters(tmp_path: Path) -> None:
    spec = clip("variable_rate", 7, seconds=4.0)

    paths = make_clip(spec, tmp_path)

    times, _ = decoded(paths.video)
    steps = [round(b - a, 3) for a, b in pairwise(times)]
    assert times == pytest.approx(truth(paths)["pointer"]["t_s"], abs=2e-3)
    assert len(times) < 4 * spec.form.fps
    assert len(set(steps)) > 5


def test_broken_stamps_run_backwards_in_the_file_but_not_in_the_truth(tmp_path: Path) -> None:
    paths = make_clip(clip("broken_stamps", 7, seconds=4.0), tmp_path)

    with av.open(str(paths.video)) as file:
        stamps = [frame.pts for frame in file.decode(video=0)]
    known = truth(paths)["pointer"]["t_s"]
    assert len(stamps) == len(known)
    assert any(b <= a for a, b in pairwise(stamps))
    assert all(b > a for a, b in pairwise(known))


SHAPES = ("arrow", "hand", "grab", "cross", "ibeam", "ring", "laser", "pen", "halo", "magnifier")
FORMS = {
    "plain": SMALL,
    "rotated": Form(320, 240, fps=10, crf=14, rotation_deg=90),
    "turned over": Form(320, 240, fps=10, crf=14, rotation_deg=180),
    "anamorphic": Form(320, 240, fps=10, crf=14, pixel_aspect=(4, 3)),
    "scaled": Form(320, 240, fps=10, crf=14, recorded_px=(640, 480)),
    "barred": Form(320, 240, fps=10, crf=14, bar_px=24),
}


def with_and_without(spec: ClipSpec, folder: Path) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """The truth, and where each frame differs from the same clip without pointer."""
    made = make_clip(spec, folder / "with")
    bare = make_clip(ClipSpec(**{**vars(spec), "pointer": None}), folder / "without")
    off = np.abs(decoded(made.video)[1] - decoded(bare.video)[1])
    return truth(made), off > 40


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pointer_is_drawn_at_its_tip_and_nowhere_else(tmp_path: Path, shape: str) -> None:
    size = {"halo": 60.0, "magnifier": 70.0, "laser": 14.0, "pen": 10.0}.get(shape, 24.0)
    fill = "red" if shape in {"laser", "pen"} else "black"
    spec = ClipSpec("t", 3, "typing", Pointer(shape, fill, size), "calm", SMALL, 1.0)

    known, changed = with_and_without(spec, tmp_path)

    assert_at_the_tip(known, changed, size + 14)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_tip_is_right_in_the_pixels_of_the_coded_frame(tmp_path: Path, form: Form) -> None:
    spec = ClipSpec("t", 4, "typing", Pointer("arrow", "black", 24.0), "calm", form, 1.0)

    known, changed = with_and_without(spec, tmp_path)

    assert_at_the_tip(known, changed, 40)


def test_the_tip_is_right_under_a_camera_that_follows_it(tmp_path: Path) -> None:
    pointer = Pointer("arrow", "black", 20.0)
    spec = ClipSpec("t", 4, "typing", pointer, "calm", SMALL, 4.0, extras=("camera",))

    known, changed = with_and_without(spec, tmp_path)

    assert_at_the_tip(known, changed, 70)


def assert_at_the_tip(known: dict[str, Any], changed: NDArray[np.bool_], reach: float) -> None:
    seen = np.array(known["pointer"]["visible"])
    assert seen.any()
    nearest = []
    for n in np.flatnonzero(seen):
        rows, columns = np.nonzero(changed[n])
        x, y = tips(known)[n]
        away = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        assert len(away)
        assert np.percentile(away, 95) <= reach  # the coder, too, changes a pixel here and there
        nearest.append(away.min())
    assert np.median(nearest) <= 13  # a ring and a cross are hollow in the middle


def test_a_pointer_that_leaves_is_hidden_and_comes_back(tmp_path: Path) -> None:
    spec = ClipSpec("t", 5, "typing", Pointer(), "leave", SMALL, 9.0)

    seen = truth(make_clip(spec, tmp_path))["pointer"]["visible"]

    changes = sum(a != b for a, b in pairwise(seen))
    assert changes >= 2


def test_ink_stays_after_the_pen_is_up(tmp_path: Path) -> None:
    spec = ClipSpec("t", 6, "typing", Pointer("pen", "red", 8.0), "draw", SMALL, 6.0)

    _, changed = with_and_without(spec, tmp_path)

    inked = changed.sum(axis=(1, 2))
    assert inked[-1] > inked[:10].max()


def test_scenes_are_stretches_in_which_nothing_but_the_pointer_moves(tmp_path: Path) -> None:
    spec = ClipSpec("t", 8, "cuts", None, "lecture", SMALL, 8.0, ("fundus", "cell"))

    paths = make_clip(spec, tmp_path)

    times, frames = decoded(paths.video)
    scenes = truth(paths)["scenes"]
    assert len(scenes) >= 2
    for scene in scenes:
        part = frames[(np.array(times) >= scene["start_s"]) & (np.array(times) < scene["end_s"])]
        assert np.ptp(part, axis=0).max() < 60
    for before, after in pairwise(scenes):
        k = int(np.searchsorted(times, after["start_s"] - 1e-6))
        assert after["start_s"] >= before["end_s"]
        assert np.abs(frames[k] - frames[k - 1]).max() > 60


def test_a_cine_has_no_scenes_to_find(tmp_path: Path) -> None:
    paths = make_clip(clip("ultrasound", 5, seconds=1.0, form=SMALL), tmp_path)

    assert truth(paths)["scenes"] is None


def test_a_parked_pointer_covers_a_place_whose_clean_picture_is_kept(tmp_path: Path) -> None:
    spec = ClipSpec("t", 9, "slide", Pointer("arrow", "black", 24.0), "never_moves", SMALL, 3.0)

    paths = make_clip(spec, tmp_path)

    (scene,) = truth(paths)["scenes"]
    x0, y0, x1, y1 = scene["dwell_px"]
    tip = tips(truth(paths))[-1]
    assert x0 < tip[0] < x1
    assert y0 < tip[1] < y1
    assert (tmp_path / scene["clean"]).is_file()
