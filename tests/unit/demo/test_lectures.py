"""The bundled lectures: what medpipe promises about them."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

FOLDER = Path(__file__).parents[3] / "medpipe" / "demo" / "lectures"
NAMES = ("fundus", "ct_stack", "histology")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def known(name: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((FOLDER / f"{name}.truth.json").read_text())
    return truth


def test_all_of_them_together_stay_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 6_000_000


def test_every_frame_has_a_truth(name: str, known: dict[str, Any]) -> None:
    with av.open(str(FOLDER / f"{name}.mp4")) as file:
        stamps = sorted(
            float(packet.pts * packet.time_base)
            for packet in file.demux(video=0)
            if packet.pts is not None
        )

    assert known["pointer"]["t_s"] == pytest.approx(stamps, abs=1e-5)


def test_the_pointer_is_away_a_fifth_of_the_time(known: dict[str, Any]) -> None:
    assert np.mean(known["pointer"]["visible"]) <= 0.8


def test_every_phrase_is_pointed_at_while_it_is_said(known: dict[str, Any]) -> None:
    pointer, t_s = known["pointer"], np.array(known["pointer"]["t_s"])

    for phrase in known["phrases"]:
        while_said = (t_s >= phrase["start_s"]) & (t_s <= phrase["end_s"])
        x, y = (np.array(pointer[axis], np.float64)[while_said] for axis in ("x_px", "y_px"))
        x0, y0, x1, y1 = phrase["box_px"]
        inside = (x >= x0 - 1) & (x <= x1 + 1) & (y >= y0 - 1) & (y <= y1 + 1)
        assert inside.mean() > 0.9, phrase["phrase"]
        assert 0.04 <= (x1 - x0) / known["video"]["width_px"] <= 0.3, phrase["phrase"]


def test_words_make_up_the_text_and_hold_every_phrase(known: dict[str, Any]) -> None:
    said = [word["text"] for word in known["words"]]
    starts = {word["start_s"] for word in known["words"]}

    assert said == [word.strip(".,:;") for word in known["text"].split()]
    assert all(phrase["start_s"] in starts for phrase in known["phrases"])
    assert known["word_times"] == "aligned"


def test_every_scene_has_a_clean_picture(known: dict[str, Any]) -> None:
    assert known["scenes"]
    assert all((FOLDER / scene["clean"]).is_file() for scene in known["scenes"])
    assert all(scene["end_s"] - scene["start_s"] >= 1 for scene in known["scenes"])


def test_every_picture_used_has_its_licence_written_down(known: dict[str, Any]) -> None:
    written = (FOLDER / "LICENCES.md").read_text()

    assert all(f"`{source['picture']}`" in written for source in known["sources"])
