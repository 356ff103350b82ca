from typing import Any

import pytest

from medpipe.errors import Rejected
from medpipe.stages.acquire.listing import listing


class Ydl:
    """Answers like yt-dlp with what it was given."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def extract_info(self, url: str, **_: Any) -> dict[str, Any]:
        self.asked.append(url)
        return self.answers[url]


def events(ydl: Ydl, url: str, max_entries: int = 100) -> list[tuple[str, str | None]]:
    seen: list[tuple[str, str | None]] = []
    listing(ydl, url, max_entries, lambda event, told: seen.append((event, told["url"])))
    return seen


CHANNEL = "https://www.youtube.com/@radiology"
WATCH = "https://www.youtube.com/watch?v="


def youtube(video_id: str) -> dict[str, Any]:
    return {"_type": "url", "ie_key": "Youtube", "id": video_id, "url": WATCH + video_id}


class Paged:
    """A list that is fetched page by page, like yt-dlp's `PagedList`."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = entries

    def getslice(self, start: int, end: int) -> list[dict[str, Any]]:
        return self.entries[start:end]


def test_a_channel_gives_the_videos_of_its_tabs() -> None:
    tab = {"_type": "url", "ie_key": "YoutubeTab", "url": f"{CHANNEL}/videos"}
    ydl = Ydl(
        {
            CHANNEL: {"_type": "playlist", "entries": [tab, None]},
            f"{CHANNEL}/videos": {
                "_type": "playlist",
                "entries": Paged([youtube("aaaaaaaaaaa"), youtube("bbbbbbbbbbb")]),
            },
        }
    )

    assert events(ydl, CHANNEL) == [
        ("entry", f"{WATCH}aaaaaaaaaaa"),
        ("entry", f"{WATCH}bbbbbbbbbbb"),
    ]


def test_a_page_that_points_to_a_youtube_video_asks_no_further() -> None:
    ydl = Ydl({"https://a.org/p": youtube("aaaaaaaaaaa")})

    assert events(ydl, "https://a.org/p") == [("single", f"{WATCH}aaaaaaaaaaa")]
    assert ydl.asked == ["https://a.org/p"]


def test_entries_without_an_address_of_their_own_give_that_of_their_tallest_format() -> None:
    formats = [
        {"url": "https://a.org/low.mp4", "height": 240},
        {"url": "https://a.org/high.mp4", "height": 720},
    ]
    page = {"_type": "playlist", "entries": iter([{"id": "1", "formats": formats}, {"id": "2"}])}

    assert events(Ydl({"https://a.org/p": page}), "https://a.org/p") == [
        ("entry", "https://a.org/high.mp4")
    ]


def test_a_page_that_leads_on_for_ever_is_refused() -> None:
    ydl = Ydl({"https://a.org/p": {"_type": "url", "url": "https://a.org/p"}})

    with pytest.raises(Rejected, match="redirect_loop"):
        events(ydl, "https://a.org/p")


def test_a_channel_that_contains_itself_ends() -> None:
    again = {"_type": "url", "ie_key": "YoutubeTab", "url": CHANNEL}
    ydl = Ydl({CHANNEL: {"_type": "playlist", "entries": [again, youtube("aaaaaaaaaaa")]}})

    assert 1 <= len(events(ydl, CHANNEL)) < 20
