"""The lecture simulator: what it writes as truth is what the video shows."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.lectures import LecturePaths, make_lecture, random_spec
from benchmarks.lectures.cursors import draw
from benchmarks.lectures.spec import Cursor, read_line
from benchmarks.lectures.speech import RATE_HZ, speak

Frames = NDArray[np.int16]


def short(out: Path, seed: int = 5, **changed: Any) -> LecturePaths:
    options: dict[str, Any] = {"width_px": 320, "height_px": 240, "fps": 20, "duration_s": 3.0}
    return make_lecture(random_spec(seed, **{**options, **changed}), out)


def decoded(video: Path) -> tuple[list[float], Frames]:
    with av.open(str(video)) as file:
        frames = list(file.decode(video=0))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    return times, np.stack([frame.to_ndarray(format="gray").astype(np.int16) for frame in frames])


def truth(paths: LecturePaths) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(paths.truth.read_text())
    return known


MAKE = """
import sys
from pathlib import Path
from benchmarks.lectures import make_lecture, random_spec

make_lecture(random_spec(5, width_px=320, height_px=240, fps=20, duration_s=3.0), Path(sys.argv[1]))
"""


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    """In fresh processes: after much else, results of SIMD code may depend on addresses."""
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", MAKE, str(tmp_path / name)], check=True)

    first, again = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in again]
    assert len(first) >= 2
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_another_seed_gives_another_lecture(tmp_path: Path) -> None:
    first, other = short(tmp_path, 5), short(tmp_path, 6)

    assert truth(first)["pointer"] != truth(other)["pointer"]


@pytest.mark.parametrize("seed", range(8))
def test_a_silent_lecture_is_as_long_as_asked(tmp_path: Path, seed: int) -> None:
    known = truth(short(tmp_path, seed, duration_s=3.0 + seed, width_px=160, height_px=120))

    assert known["video"]["duration_s"] == 3 + seed


def test_truth_has_an_entry_for_every_decoded_frame(tmp_path: Path) -> None:
    paths = short(tmp_path)

    times, frames = decoded(paths.video)
    known = truth(paths)

    assert frames.shape == (60, 240, 320)
    assert known["video"]["duration_s"] == 3
    assert known["pointer"]["t_s"] == pytest.approx(times, abs=1e-5)
    assert {len(row) for row in known["pointer"].values()} == {60}


@pytest.mark.parametrize(
    "cursor",
    [("arrow", "white"), ("arrow", "black"), ("cross", "white"), ("laser", "green")],
    ids=" ".join,
)
def test_the_pointer_is_where_the_truth_says_and_nowhere_when_hidden(
    tmp_path: Path, cursor: tuple[str, str]
) -> None:
    paths = short(tmp_path, crf=18, cursors=(cursor,), pictures=("cell",))

    _, frames = decoded(paths.video)
    pointer = truth(paths)["pointer"]
    visible = np.array(pointer["visible"])
    assert visible.any()
    assert not visible.all()

    bare = np.median(frames[~visible], axis=0)
    off = np.abs(frames - bare)
    changed = off > 30
    assert off[~visible].max() < 60  # B-frames let a trace of the pointer bleed into one frame
    for n in np.flatnonzero(visible):
        rows, columns = np.nonzero(changed[n])
        away = np.hypot(columns + 0.5 - pointer["x_px"][n], rows + 0.5 - pointer["y_px"][n])
        assert away.min() <= 4
        assert away.max() <= 24


def test_hidden_frames_have_no_position(tmp_path: Path) -> None:
    pointer = truth(short(tmp_path))["pointer"]

    assert [x is None for x in pointer["x_px"]] == [not seen for seen in pointer["visible"]]


def test_the_pointer_outlines_the_box_of_a_circled_phrase(tmp_path: Path) -> None:
    known = truth(short(tmp_path, 2, duration_s=12.0))
    pointer, t_s = known["pointer"], np.array(known["pointer"]["t_s"])
    circled = [p for p in known["phrases"] if p["box_px"][2] - p["box_px"][0] > 30]
    assert circled

    for phrase in circled:
        while_s = (t_s >= phrase["start_s"]) & (t_s <= phrase["end_s"] + 0.2)
        seen = np.array([pointer["x_px"], pointer["y_px"]], np.float64)[:, while_s]
        extent = [*seen.min(1), *seen.max(1)]
        assert extent == pytest.approx(phrase["box_px"], abs=6)


def test_words_follow_one_another_and_make_up_the_text(tmp_path: Path) -> None:
    known = truth(short(tmp_path, duration_s=8.0))

    said = " ".join(word["text"] for word in known["words"])
    assert said == known["text"].replace(".", "")
    assert known["word_times"] == "interpolated"
    assert all(a["end_s"] <= b["start_s"] for a, b in pairwise(known["words"]))


def test_a_voice_tells_when_each_word_is_heard() -> None:
    pytest.importorskip("piper")
    words = ["Look", "at", "the", "optic", "disc"]

    (spoken,) = speak([("Look at the optic disc.", words)], "piper", seed=3)

    starts, ends = np.array(spoken.words).T
    loud = np.abs(spoken.samples) > 0.05 * np.abs(spoken.samples).max()
    heard_s = np.flatnonzero(loud)[[0, -1]] / RATE_HZ
    assert spoken.aligned
    assert len(spoken.words) == 5
    assert (starts < ends).all()
    assert (starts[1:] >= ends[:-1]).all()
    assert (starts[0], ends[-1]) == pytest.approx(tuple(heard_s), abs=0.06)


def test_scenes_last_a_second_and_lie_in_the_video(tmp_path: Path) -> None:
    known = truth(short(tmp_path, 1, duration_s=12.0))

    assert known["scenes"]
    assert all(scene["end_s"] - scene["start_s"] >= 1 for scene in known["scenes"])
    assert known["scenes"][-1]["end_s"] <= known["video"]["duration_s"]


def test_marks_in_a_line_become_phrases() -> None:
    text, words, phrases = read_line("There is {no bleeding|0,0,1,1|circle!} here.")

    assert text == "There is no bleeding here."
    assert words == ["There", "is", "no", "bleeding", "here"]
    assert [(p.text, p.first_word, p.last_word, p.negated) for p in phrases] == [
        ("no bleeding", 2, 3, True)
    ]


def test_an_open_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="not closed"):
        read_line("Here is {the disc.")


def test_an_arrow_has_nothing_left_of_or_above_its_tip() -> None:
    page = np.full((60, 60, 3), 128, np.uint8)

    draw(page, Cursor("arrow", "white", 24), 20.0, 16.0)

    rows, columns = np.nonzero((page != 128).any(axis=2))
    assert (columns.min(), rows.min()) == (20, 16)


def test_a_cursor_half_outside_is_cut_off() -> None:
    page = np.full((20, 20, 3), 128, np.uint8)

    assert draw(page, Cursor("cross", "black", 16), 0.0, 19.5) is not None
    assert draw(page, Cursor("cross", "black", 16), -40.0, 5.0) is None
