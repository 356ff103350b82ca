"""The contracts between rooms hold what they promise and refuse the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydantic import ValidationError

from medpipe.records import AudioBlock, Box, Item, Trace, Word

SHARES = st.floats(0, 1, width=32)
TIMES = st.floats(0, 1000, width=32)


def at(*times: float) -> Trace:
    n = len(times)
    return Trace.of(times, [0.5] * n, [0.5] * n, [1] * n, [1] * n)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    t_s = sorted(draw(st.lists(TIMES, max_size=30)))
    shares = npst.arrays(np.float32, len(t_s), elements=SHARES)
    kinds = npst.arrays(np.int8, len(t_s), elements=st.integers(0, 7))
    return Trace.of(t_s, draw(shares), draw(shares), draw(shares), draw(kinds))


@pytest.mark.parametrize(
    "id", ["yt:dQw4w9WgXcQ", "yt:-_a.b", "pmc:PMC123", "http:" + "a" * 64, "file:" + "0" * 128]
)
def test_an_id_is_a_source_and_a_name(id: str) -> None:
    item = Item(id=id, uri="/a.mp4")

    assert item.source == id.split(":")[0]


@pytest.mark.parametrize(
    "id",
    [
        "", "yt:", "yt", "ftp:abc", "YT:abc", "yt:a/b", "yt:../x", "yt:a b", "yt:a\n", "yt:a:b",
        "yt:" + "a" * 129, "yt:é", " yt:a", "yt:a'--",
    ],
)  # fmt: skip
def test_an_id_that_could_be_a_path_or_a_query_is_refused(id: str) -> None:
    with pytest.raises(ValidationError, match="id"):
        Item(id=id, uri="/a.mp4")


@given(st.text(max_size=40))
def test_an_id_that_passes_is_safe_as_a_name_and_in_a_predicate(text: str) -> None:
    try:
        item = Item(id=f"file:{text}", uri="/a.mp4")
    except ValidationError:
        return
    assert not set(item.id) & set("/\\'\"` \n\0")
    assert item.id.count(":") == 1


def test_an_item_needs_a_place_to_fetch_it_from_and_takes_no_unknown_field() -> None:
    with pytest.raises(ValidationError, match="uri"):
        Item(id="yt:a", uri="")
    with pytest.raises(ValidationError, match="extra"):
        Item.model_validate({"id": "yt:a", "uri": "/a", "size": 3})


def test_a_record_is_frozen_and_equal_by_value() -> None:
    word = Word(text="lung", start_s=1, end_s=2, probability=0.5)

    assert word == Word(text="lung", start_s=1, end_s=2, probability=0.5)
    assert Word.model_validate_json(word.model_dump_json()) == word
    with pytest.raises(ValidationError, match="frozen"):
        word.text = "heart"  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf")])
def test_a_time_is_finite_and_not_before_the_start(wrong: float) -> None:
    with pytest.raises(ValidationError, match="start_s"):
        Word(text="lung", start_s=wrong, end_s=2, probability=0.5)


@given(SHARES, SHARES, SHARES, SHARES)
def test_a_box_has_its_corners_in_order_and_a_share_of_the_image(
    x0: float, y0: float, x1: float, y1: float
) -> None:
    if x0 <= x1 and y0 <= y1:
        assert 0 <= Box(x0=x0, y0=y0, x1=x1, y1=y1).area <= 1
    else:
        with pytest.raises(ValidationError, match="out of order"):
            Box(x0=x0, y0=y0, x1=x1, y1=y1)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_box_lies_inside_the_image(wrong: float) -> None:
    with pytest.raises(ValidationError, match="x1"):
        Box(x0=0, y0=0, x1=wrong, y1=1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"t_s": [2, 1]}, "t_s must not fall"),
        ({"t_s": [0, float("nan")]}, "t_s must not fall"),
        ({"x": [0.5, 1.5]}, r"x must lie in \[0, 1\]"),
        ({"y": [-0.5, 0.5]}, r"y must lie in \[0, 1\]"),
        ({"confidence": [0.5, float("nan")]}, r"confidence must lie in \[0, 1\]"),
        ({"x": [0.5]}, r"x must be \(2,\) float32"),
        ({"kind": [1, 1, 1]}, r"kind must be \(2,\) int8"),
    ],
)
def test_a_trace_that_breaks_its_contract_is_refused(
    changed: dict[str, list[float]], said: str
) -> None:
    good: dict[str, list[float]] = {
        "t_s": [0, 1], "x": [0, 1], "y": [0, 1], "confidence": [0, 1], "kind": [0, 1],
    }  # fmt: skip

    with pytest.raises(ValueError, match=said):
        Trace.of(**{**good, **changed})


def test_a_trace_takes_arrays_of_the_promised_types_only() -> None:
    good = at(0, 1)

    with pytest.raises(ValueError, match="float32"):
        Trace(good.t_s.astype(np.float64), good.x, good.y, good.confidence, good.kind)
    with pytest.raises(ValueError, match="int8"):
        Trace(good.t_s, good.x, good.y, good.confidence, good.kind.astype(np.int64))


def test_a_trace_without_points_is_a_trace() -> None:
    assert len(Trace.empty()) == 0
    assert len(Trace.empty().between(0, 10)) == 0


@pytest.mark.parametrize(
    ("start_s", "end_s", "found"),
    [
        (1, 2, [1, 2, 2]),
        (0, 0, [0]),
        (2, 2, [2, 2]),
        (0.5, 0.75, []),
        (3.5, 9, []),
        (-5, 99, [0, 1, 2, 2, 3]),
        (3, 1, []),
    ],
)
def test_between_takes_both_ends(start_s: float, end_s: float, found: list[float]) -> None:
    assert at(0, 1, 2, 2, 3).between(start_s, end_s).t_s.tolist() == found


@given(traces(), TIMES, TIMES)
def test_between_keeps_exactly_the_points_inside_with_all_they_say(
    trace: Trace, start_s: float, end_s: float
) -> None:
    part = trace.between(start_s, end_s)

    inside = (trace.t_s >= start_s) & (trace.t_s <= end_s)
    for name in ("t_s", "x", "y", "confidence", "kind"):
        assert getattr(part, name).tolist() == getattr(trace, name)[inside].tolist()


@given(traces(), TIMES, TIMES)
def test_what_lies_between_lies_between_again(trace: Trace, one: float, other: float) -> None:
    part = trace.between(min(one, other), max(one, other))

    assert part.between(min(one, other), max(one, other)).t_s.tolist() == part.t_s.tolist()


def test_a_block_of_sound_knows_how_long_it_is() -> None:
    assert AudioBlock(np.zeros(8_000, np.int16), 3.0).duration_s == 0.5


@pytest.mark.parametrize(
    ("samples", "start_s"),
    [
        (np.zeros((2, 2), np.int16), 0.0),
        (np.zeros(2, np.float32), 0.0),
        (np.zeros(2, np.int16), -1.0),
        (np.zeros(2, np.int16), float("nan")),
    ],
    ids=["stereo", "float", "before the start", "at no time"],
)
def test_a_block_of_another_kind_is_refused(samples: "np.ndarray", start_s: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        AudioBlock(samples, start_s)
