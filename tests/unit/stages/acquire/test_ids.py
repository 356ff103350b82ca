import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medpipe.records import Item
from medpipe.stages.acquire.ids import (
    canonical_url,
    http_id,
    is_youtube_list,
    pmc_article,
    scratch_name,
    youtube_video,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80/a", "http://example.org/a"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("https://example.org:80/a", "https://example.org:80/a"),
        ("http://example.org./a", "http://example.org/a"),
        ("http://example.org/a#t=10", "http://example.org/a"),
        ("http://example.org/a/./b/../c.mp4", "http://example.org/a/c.mp4"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/a/.", "http://example.org/a/"),
        ("http://example.org/%7euser/%c3%a9%2f", "http://example.org/~user/%C3%A9%2F"),
        ("http://example.org/é x", "http://example.org/%C3%A9%20x"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/a/%2e%2e/b", "http://example.org/b"),
        ("http://example.org/a?b=2&a=1", "http://example.org/a?b=2&a=1"),
        ("http://example.org?q=a b", "http://example.org/?q=a%20b"),
        ("http://bücher.example/a", "http://xn--bcher-kva.example/a"),
        ("http://[::0001]:80/a", "http://[::1]/a"),
        ("  http://example.org/a  ", "http://example.org/a"),
    ],
)
def test_two_spellings_of_an_address_have_one_canonical_form(written: str, canonical: str) -> None:
    assert canonical_url(written) == canonical


@pytest.mark.parametrize(
    "bad",
    [
        "ftp://example.org/a",
        "example.org/a",
        "http://user:secret@example.org/a",
        "http://user@example.org/a",
        "http:///a",
        "http://exa mple.org/",
        "http://example.org:99999/",
        "http://[::1/",
        "http://%2f/",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_cannot_be_fetched_has_no_canonical_form(bad: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        canonical_url(bad)

    assert "secret" not in str(caught.value)


HOSTS = st.from_regex(r"[A-Za-z0-9]{1,8}(\.[A-Za-z0-9]{1,8}){0,2}\.?(:[0-9]{1,4})?", fullmatch=True)
TEXT = st.text(max_size=30) | st.from_regex(
    r"([a-z./%?&=#:@;+-]|%[0-9a-fA-F]{2}){0,30}", fullmatch=True
)


@given(st.sampled_from(["http", "HTTPS"]), HOSTS, TEXT)
@example("http", "h", "/..//x")
@example("http", "h", "/%252e%252e/")
@example("http", "h", "/a/..;/%")
def test_the_canonical_form_is_its_own_canonical_form(scheme: str, host: str, rest: str) -> None:
    url = f"{scheme}://{host}/{rest}"
    try:
        canonical = canonical_url(url)
    except ValueError:
        return

    assert canonical_url(canonical) == canonical
    assert re.fullmatch(r"https?://[!-~]+", canonical)
    assert "#" not in canonical
    assert not {"..", "."} & set(canonical.split("?")[0].split("/"))


@given(st.text(max_size=40))
def test_no_text_at_all_breaks_the_canonical_form(text: str) -> None:
    try:
        canonical = canonical_url(text)
    except ValueError:
        return

    assert canonical_url(canonical) == canonical


def test_an_id_is_the_same_for_all_spellings_and_fits_the_record() -> None:
    one, other = http_id("HTTP://a.org:80/x/../y.mp4#t"), http_id("http://a.org/y.mp4")

    assert one == other
    assert re.fullmatch(r"http:[0-9a-f]{32}", one)
    assert Item(id=one, uri="http://a.org/y.mp4").source == "http"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=a-b_c123XYZ",
        "https://www.youtube.com/watch?list=PL1&v=a-b_c123XYZ&t=5s",
        "http://m.youtube.com/watch?v=a-b_c123XYZ",
        "https://music.youtube.com/watch?v=a-b_c123XYZ",
        "https://youtu.be/a-b_c123XYZ?si=abc",
        "https://www.youtube.com/shorts/a-b_c123XYZ",
        "https://www.youtube.com/live/a-b_c123XYZ?feature=share",
        "https://www.youtube.com/embed/a-b_c123XYZ",
        "https://www.youtube-nocookie.com/embed/a-b_c123XYZ",
        "HTTPS://WWW.YouTube.com/v/a-b_c123XYZ",
    ],
)
def test_every_address_of_a_youtube_video_names_its_id(url: str) -> None:
    assert youtube_video(url) == "a-b_c123XYZ"
    assert not is_youtube_list(url)


@pytest.mark.parametrize(
    ("url", "is_list"),
    [
        ("https://www.youtube.com/playlist?list=PL123", True),
        ("https://www.youtube.com/@radiology", True),
        ("https://www.youtube.com/channel/UC123/videos", True),
        ("https://www.youtube.com/embed/videoseries?list=PL123", True),
        ("https://www.youtube.com/watch?v=short", True),
        ("https://youtube.com.evil.org/watch?v=a-b_c123XYZ", False),
        ("https://evil.org/watch?v=a-b_c123XYZ", False),
        ("ftp://www.youtube.com/watch?v=a-b_c123XYZ", False),
        ("http://[broken", False),
    ],
)
def test_other_addresses_name_no_youtube_video(url: str, is_list: bool) -> None:
    assert youtube_video(url) is None
    assert is_youtube_list(url) is is_list


@pytest.mark.parametrize(
    ("source", "article"),
    [
        ("pmc:PMC123", "PMC123"),
        ("pmc:123", "PMC123"),
        ("PMC:pmc123", "PMC123"),
        ("https://pmc.ncbi.nlm.nih.gov/articles/PMC123/", "PMC123"),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/pmc123?x=1", "PMC123"),
        ("pmc:../etc", None),
        ("https://evil.org/pmc/articles/PMC123", None),
    ],
)
def test_an_article_has_one_id(source: str, article: str | None) -> None:
    assert pmc_article(source) == article


def test_a_scratch_name_is_one_plain_file_name() -> None:
    assert scratch_name("yt:-_abc") == "yt--_abc"
