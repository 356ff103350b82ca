"""Lectures that show given pictures: what is on the screen and where the pointer goes."""

import json
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.lectures import make_lecture
from benchmarks.lectures.cases import Case, case_lecture


def written(path: Path, seed: int) -> Path:
    """A picture of big grey squares."""
    tiles = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(tiles, (60, 60), interpolation=cv2.INTER_NEAREST))
    return path


def test_every_given_picture_is_shown_over_the_whole_height_of_its_slide(tmp_path: Path) -> None:
    pictures = [written(tmp_path / f"{k}.png", k) for k in range(2)]
    spec = case_lecture(3, [Case(path, "Here is the left lung.", "the left lung")
                            for path in pictures], width_px=320, height_px=240)  # fmt: skip
    paths = make_lecture(replace(spec, speech="none"), tmp_path)
    truth = json.loads(paths.truth.read_text())

    with av.open(str(paths.video)) as file:
        frames = [(f.time, f.to_ndarray(format="gray")) for f in file.decode(video=0)]
    assert [scene["picture"] for scene in truth["scenes"]] == [str(path) for path in pictures]
    for path, scene in zip(pictures, truth["scenes"], strict=True):
        shown = next(frame for t_s, frame in frames if t_s >= scene["start_s"])[:, 40:280]
        wanted = cv2.resize(cv2.imread(str(path), 0), (240, 240), interpolation=cv2.INTER_CUBIC)
        assert np.abs(shown.astype(int) - wanted).mean() < 8


def test_the_pointer_is_over_the_picture_while_the_pointed_words_are_said(tmp_path: Path) -> None:
    path = written(tmp_path / "one.png", 1)
    spec = case_lecture(0, [Case(path, "Here is the left lung of a child.", "the left lung")])
    truth = json.loads(make_lecture(replace(spec, speech="none"), tmp_path).truth.read_text())

    (phrase,) = truth["phrases"]
    assert phrase["phrase"] == "the left lung"
    x0, y0, x1, y1 = phrase["box_px"]
    pointer = truth["pointer"]
    seen = [
        (x, y)
        for t_s, x, y in zip(pointer["t_s"], pointer["x_px"], pointer["y_px"], strict=True)
        if phrase["start_s"] + 0.1 < t_s < phrase["end_s"] and x is not None
    ]
    assert len(seen) > 5
    assert all(x0 - 12 < x < x1 + 12 and y0 - 12 < y < y1 + 12 for x, y in seen)
    assert 60 <= x0 < x1 <= 420  # the picture's place on the slide
