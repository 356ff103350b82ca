"""What is said about a picture in one epoch."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from medpipe.genmedclip import DataConfig
from medpipe.genmedclip.captions import WHOLE, choose, relative, whole

BOX = {"xyxy": [0.5, 0.5, 0.7, 0.8]}
TRACE = {"t_s": [0.0, 0.1, 2.0], "x": [0.5, 0.6, 0.7], "y": [0.5] * 3, "confidence": [1.0] * 3}


def narration(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "text": text, "negated": False, "boxes": [], "trace": TRACE} | more


SAID = [
    narration("medical", "a film of the chest"),
    narration("roi", "one"), narration("roi", "two"), narration("roi", "three"),
]  # fmt: skip


def drawn(config: DataConfig, said: list[dict[str, Any]] = SAID, n: int = 2000) -> Counter[str]:
    return Counter(choose(said, config, Random(seed)).text for seed in range(n))


def test_kinds_are_drawn_by_weight_however_many_of_each_there_are() -> None:
    counts = drawn(DataConfig(medical_weight=3, roi_weight=1))
    assert counts["a film of the chest"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert all(counts[text] / 2000 == pytest.approx(1 / 12, abs=0.03) for text in ("one", "two"))


def test_a_kind_without_weight_is_never_drawn() -> None:
    assert set(drawn(DataConfig(roi_weight=0))) == {"a film of the chest"}


def test_what_is_not_there_is_no_caption_unless_asked_for() -> None:
    said = [narration("medical", "no mass", negated=True), narration("medical", "a film")]
    assert set(drawn(DataConfig(), said)) == {"a film"}
    assert set(drawn(DataConfig(negated=True), said)) == {"a film", "no mass"}


def test_a_cut_around_a_box_holds_the_box_and_says_its_phrase() -> None:
    said = [narration("medical", "a film"), narration("roi", "this nodule", boxes=[BOX])]
    config = DataConfig(crop_share=1.0, crop_margin=0.5)
    choice = choose(said, config, Random(0))
    assert choice.text == choice.phrase == "this nodule"
    x0, y0, x1, y1 = choice.crop
    assert x0 < 0.5
    assert x1 > 0.7
    assert y0 < 0.5
    assert y1 > 0.8
    assert (x1 - x0) * (y1 - y0) < 0.4


def test_a_box_of_what_is_not_there_is_no_place_to_learn_it_from() -> None:
    said = [
        narration("medical", "no mass is seen", negated=True),
        narration("roi", "mass", negated=True, boxes=[BOX]),
    ]
    choice = choose(said, DataConfig(negated=True, crop_share=1.0), Random(0))
    assert (choice.phrase, choice.box) == ("", WHOLE)


def test_cuts_keep_at_least_the_smallest_share_of_the_picture() -> None:
    for seed in range(200):
        crop = choose(SAID, DataConfig(min_scale=0.5), Random(seed)).crop
        assert 0 <= crop[0] < crop[2] <= 1
        assert 0 <= crop[1] < crop[3] <= 1
        assert (crop[2] - crop[0]) * (crop[3] - crop[1]) > 0.4


def test_the_pointer_counts_by_the_time_it_rested_and_a_gap_is_no_rest() -> None:
    said = [narration("medical", "a film"), narration("roi", "this", boxes=[BOX])]
    trace = choose(said, DataConfig(), Random(0)).trace
    assert trace[:, 2].tolist() == pytest.approx([0.1, 0.25, 0.02])


def test_validation_sees_the_whole_picture_and_the_heaviest_caption() -> None:
    choice = whole(SAID[::-1], DataConfig())
    assert (choice.crop, choice.text) == (WHOLE, "a film of the chest")


def test_a_box_is_told_in_shares_of_the_cut() -> None:
    inside = relative((0.5, 0.5, 0.75, 1.0), (0.5, 0.0, 1.0, 1.0))
    assert inside == pytest.approx((0.0, 0.5, 0.5, 1.0))
    outside = relative((0.0, 0.0, 0.2, 0.2), (0.5, 0.5, 1.0, 1.0))
    assert outside == (0.0, 0.0, 0.0, 0.0)
