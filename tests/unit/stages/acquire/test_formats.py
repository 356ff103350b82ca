import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.stages.acquire.formats import clean_text, has_video_suffix, is_media_url


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("http://a.org/x.MP4?token=1", True),
        ("http://a.org/x.m3u8", True),
        ("http://a.org/x.html", False),
        ("http://a.org/watch?file=x.mp4", False),
        ("http://a.org/", False),
    ],
)
def test_an_address_of_media_is_told_by_its_path(url: str, media: bool) -> None:
    assert is_media_url(url) is media


def test_video_files_are_told_by_their_suffix_in_any_case() -> None:
    assert has_video_suffix("a.MKV")
    assert not has_video_suffix("mp4")
    assert not has_video_suffix("notes.txt")


@given(st.text())
def test_text_of_strangers_is_one_visible_line_of_bounded_length(text: str) -> None:
    clean = clean_text(text, 20)

    assert clean is None or (0 < len(clean) <= 20 and clean.isprintable())


def test_text_that_is_none_stays_none() -> None:
    assert clean_text({"a": 1}, 20) is None
    assert clean_text("\x00\u202e \n", 20) is None
    assert clean_text("Chest\u202e X-ray\x1b[31m\n1", 40) == "Chest X-ray [31m 1"
