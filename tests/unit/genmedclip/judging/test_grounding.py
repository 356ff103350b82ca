"""Heat maps against boxes: hand-computed truths, and no free lunch for flat maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.genmedclip.judging.contract import Region
from medpipe.genmedclip.judging.grounding import (
    RASTER_PX,
    Pointed,
    best_threshold,
    centre_map,
    chance_of_grounding,
    judge_regions,
    mask_of,
    score,
)

LEFT = Region("left half", ((0.0, 0.0, 0.5, 1.0),))


def figures(pointed: Pointed) -> dict[str, float]:
    n = len(pointed.pointing)
    measures = judge_regions(pointed, np.arange(n)).measures
    return {name: measure(np.ones(n)) for name, measure in measures.items()}


def heat_of(region: Region) -> np.ndarray:
    return mask_of(region).astype(np.float32)


def test_a_map_that_is_the_box_is_perfect() -> None:
    found = figures(score([heat_of(LEFT)], [mask_of(LEFT)]))

    assert found == pytest.approx({"pointing": 1, "inside_mass": 1, "iou_best": 1, "iou_50": 1})


def test_a_map_of_the_other_side_is_worth_nothing() -> None:
    found = figures(score([1 - heat_of(LEFT)], [mask_of(LEFT)]))

    assert found == pytest.approx({"pointing": 0, "inside_mass": 0, "iou_best": 0, "iou_50": 0})


@given(
    x=st.floats(0, 0.8), y=st.floats(0, 0.8), w=st.floats(0.01, 0.2), h=st.floats(0.01, 0.2),
    level=st.floats(-5, 5),
)  # fmt: skip
def test_a_flat_map_gets_chance(x: float, y: float, w: float, h: float, level: float) -> None:
    mask = mask_of(Region("somewhere", ((x, y, x + w, y + h),)))
    pointed = score([np.full((7, 7), level, np.float32)], [mask])

    assert figures(pointed) == pytest.approx(chance_of_grounding(pointed))


def test_heat_is_a_share_above_the_coldest_place() -> None:
    columns = np.repeat([3.0, 1.0], RASTER_PX // 2)
    warm_left = np.tile(columns, (RASTER_PX, 1)).astype(np.float32)

    assert figures(score([warm_left], [mask_of(LEFT)]))["inside_mass"] == pytest.approx(1)


def test_two_hottest_places_share_the_point() -> None:
    heat = np.zeros((RASTER_PX, RASTER_PX), np.float32)
    heat[10, 10] = heat[10, -10] = 1

    assert figures(score([heat], [mask_of(LEFT)]))["pointing"] == pytest.approx(0.5)


def test_a_tiny_box_has_at_least_one_place() -> None:
    assert mask_of(Region("dot", ((0.5, 0.5, 0.5005, 0.5005),))).sum() == 1


def test_boxes_of_one_region_are_one_mask() -> None:
    two = Region("both", ((0.0, 0.0, 0.25, 1.0), (0.0, 0.0, 0.5, 1.0)))

    assert np.array_equal(mask_of(two), mask_of(LEFT))


def test_one_threshold_serves_the_whole_set() -> None:
    # Each map alone is perfect at some threshold; no single threshold suits both.
    first = np.where(mask_of(LEFT), 1.0, 0.6).astype(np.float32)
    first[0, -1] = 0
    second = np.where(mask_of(LEFT), 0.4, 0.0).astype(np.float32)
    second[0, 0] = 1

    pointed = score([first, second], [mask_of(LEFT)] * 2)

    assert pointed.iou.max(axis=1).min() > 0.99
    assert figures(pointed)["iou_best"] < 0.8
    assert 0 < best_threshold(pointed) < 1


def test_looking_at_the_middle_pays_where_teachers_point_at_the_middle() -> None:
    middle = Region("middle", ((0.4, 0.4, 0.6, 0.6),))
    corner = Region("corner", ((0.0, 0.0, 0.2, 0.2),))

    pointing = score([centre_map()] * 2, [mask_of(middle), mask_of(corner)]).pointing

    assert pointing.tolist() == [1, 0]


def test_stored_rows_are_the_scores() -> None:
    pointed = score([heat_of(LEFT), centre_map()], [mask_of(LEFT)] * 2)

    again = Pointed.of_rows(pointed.rows()).take(np.array([1]))

    assert pointed.rows().shape == (2, Pointed.WIDTH)
    assert again.inside[0] == pointed.inside[1]
    assert np.array_equal(again.iou[0], pointed.iou[1])
