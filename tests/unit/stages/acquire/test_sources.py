import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medpipe.errors import Transient
from medpipe.records import Item
from medpipe.stages.acquire import AcquireConfig, FetchConfig, Refusal, resolve
from medpipe.stages.acquire.ids import http_id
from tests.support.site import Site


def items(*source: str, config: AcquireConfig | None = None) -> list[Item]:
    found = list(resolve(source, config or AcquireConfig()))
    assert not [one for one in found if isinstance(one, Refusal)]
    return [one for one in found if isinstance(one, Item)]


def codes(*source: str, config: AcquireConfig | None = None) -> list[str]:
    found = list(resolve(source, config or AcquireConfig()))
    return [one.code for one in found if isinstance(one, Refusal)]


def video(path: Path, content: bytes = b"video") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_is_known_by_its_content_and_its_id_tells_no_path(tmp_path: Path) -> None:
    one, other = video(tmp_path / "Chest film.xyz"), video(tmp_path / "copy.mp4")

    first, second = items(str(one), str(other))

    assert first.id == second.id == "file:" + hashlib.sha256(b"video").hexdigest()
    assert (first.title, first.uri) == ("Chest film", str(one))


def test_a_folder_gives_its_videos_in_order_and_leaves_the_rest(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/z.MKV", "a/.hidden.mp4", ".git/x.mp4", "notes.txt", "a/y.webm"):
        video(tmp_path / name, name.encode())

    found = items(str(tmp_path))

    names = [os.path.relpath(item.uri, tmp_path) for item in found]
    assert names == ["b.mp4", "a/y.webm", "a/z.MKV"]


def test_a_folder_that_contains_itself_ends(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4")
    (tmp_path / "again").symlink_to(tmp_path)

    assert len(items(str(tmp_path))) == 1


def test_sources_that_are_nothing_are_refused_and_stop_no_other(tmp_path: Path) -> None:
    good = video(tmp_path / "good.mp4")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")

    found = list(
        resolve(
            [
                str(tmp_path / "absent.mp4"),
                str(tmp_path / "empty"),
                str(tmp_path / "pipe.mp4"),
                "ftp://example.org/a.mp4",
                "http://user:secret@example.org/a.mp4",
                "http://",
                "yt:too-short",
                "pmc:abc",
                "",
                "a\0b",
                "x" * 5000,
                str(good),
            ],
            AcquireConfig(),
        )
    )

    assert [one.code for one in found[:-1] if isinstance(one, Refusal)] == [
        "missing_file",
        "empty_folder",
        "not_a_file",
        "unsupported_scheme",
        "bad_url",
        "bad_url",
        "bad_id",
        "bad_id",
        "bad_source",
        "bad_source",
        "unreadable_file",
    ]
    assert isinstance(found[-1], Item)
    assert not [one for one in found if isinstance(one, Refusal) and "secret" in one.detail]


def test_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    video(tmp_path / os.fsdecode(b"caf\xe9.mp4"))

    found = list(resolve([str(tmp_path)], AcquireConfig()))

    assert [type(one) for one in found] == [Refusal]
    assert found[0].code == "bad_name"  # type: ignore[union-attr]


def test_file_urls_name_paths_on_this_machine(tmp_path: Path) -> None:
    path = video(tmp_path / "a b.mp4")

    assert items(path.as_uri(), f"file://localhost{path.as_uri()[7:]}")[1].uri == str(path)
    assert codes("file://server/share/a.mp4") == ["unsupported_scheme"]
    assert codes("file:relative.mp4") == ["unsupported_scheme"]


def test_ids_and_addresses_of_youtube_and_pmc_need_no_network() -> None:
    found = items(
        "yt:a-b_c123XYZ",
        "https://youtu.be/a-b_c123XYZ?t=4",
        "pmc:123",
        "https://pmc.ncbi.nlm.nih.gov/articles/PMC123/",
    )

    assert [item.id for item in found] == ["yt:a-b_c123XYZ"] * 2 + ["pmc:PMC123"] * 2
    assert found[1].uri == "https://www.youtube.com/watch?v=a-b_c123XYZ"
    assert found[2].uri == "pmc:PMC123"


def test_an_address_of_a_file_needs_no_network() -> None:
    (item,) = items("HTTP://Nowhere.invalid:80/a/../lecture.mp4#t=3")

    assert item.uri == "http://nowhere.invalid/lecture.mp4"
    assert item.id == http_id("http://nowhere.invalid/lecture.mp4")


def test_a_list_gives_its_lines_with_paths_from_where_it_lies(tmp_path: Path) -> None:
    video(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "inner.txt").write_text("a.mp4\n")
    outer = tmp_path / "outer.txt"
    outer.write_text("\ufeff# comment\n\n  yt:a-b_c123XYZ  \n@in/inner.txt\nmissing.mp4\n")

    found = list(resolve([f"@{outer}"], AcquireConfig()))

    assert [one.id[:3] if isinstance(one, Item) else one.code for one in found] == [
        "yt:",
        "fil",
        "missing_file",
    ]


def test_lists_that_lead_back_or_are_none_are_refused(tmp_path: Path) -> None:
    one, other, binary = (tmp_path / name for name in ("1.txt", "2.txt", "3.txt"))
    one.write_text(f"@{other}\nyt:a-b_c123XYZ\n")
    other.write_text("@1.txt\n")
    binary.write_bytes(b"\xff\xfe\x00\x81")

    found = list(resolve([f"@{one}", f"@{binary}", "@absent.txt", f"@{tmp_path}"], AcquireConfig()))

    assert [getattr(one, "code", one.__class__.__name__) for one in found] == [
        "list_loop",
        "Item",
        "bad_list",
        "missing_file",
        "unreadable_file",
    ]


def test_sources_are_read_lazily(tmp_path: Path) -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "yt:a-b_c123XYZ"

    assert isinstance(next(resolve(endless(), AcquireConfig())), Item)


def test_a_page_with_one_video_is_one_item(site: Site, config: AcquireConfig) -> None:
    (item,) = items(f"{site.url}/page", config=config)

    assert item.uri == f"{site.url}/page"
    assert item.title is not None
    assert "Chest X-ray lecture" in item.title


@pytest.mark.parametrize("path", ["/two", "/feed.xml"])
def test_a_page_or_feed_with_several_videos_is_several_items(
    site: Site, config: AcquireConfig, path: str
) -> None:
    found = items(site.url + path, config=config)

    assert [item.uri for item in found] == [f"{site.url}/good.mp4", f"{site.url}/other.mp4"]
    assert len({item.id for item in found}) == 2
    assert all(item.title for item in found)


@pytest.mark.parametrize("path", ["/missing", "/text", "/to-metadata", "/busy", "/laughs.xml"])
def test_a_page_that_cannot_be_read_is_an_item_that_will_say_why(
    site: Site, config: AcquireConfig, path: str
) -> None:
    (item,) = items(site.url + path, config=config)

    assert item.uri == site.url + path


def test_a_page_that_never_answers_is_given_up_in_time(site: Site) -> None:
    fetch = FetchConfig(allow_private_networks=True, resolve_timeout_s=1.5, socket_timeout_s=60)

    (item,) = items(f"{site.url}/hang", config=AcquireConfig(fetch=fetch))

    assert item.uri == f"{site.url}/hang"


def test_an_empty_playlist_is_refused(site: Site, config: AcquireConfig) -> None:
    assert codes(f"{site.url}/empty.xml", config=config) == ["empty_playlist"]


def test_a_playlist_that_goes_on_and_on_is_cut_with_a_refusal(site: Site) -> None:
    fetch = FetchConfig(allow_private_networks=True, max_entries=1)

    found = list(resolve([f"{site.url}/feed.xml"], AcquireConfig(fetch=fetch)))

    assert [getattr(one, "code", "item") for one in found] == ["item", "too_many_entries"]


def test_a_playlist_that_breaks_off_keeps_what_came_and_says_so() -> None:
    def breaks(url: str, config: FetchConfig) -> Iterator[dict[str, Any]]:
        yield {"event": "entry", "url": "https://www.youtube.com/watch?v=a-b_c123XYZ"}
        raise Transient("rate_limited", "too fast")

    playlist = "https://www.youtube.com/playlist?list=PL1"
    found = list(resolve([playlist], AcquireConfig(), reader=breaks))

    assert [getattr(one, "code", getattr(one, "id", "")) for one in found] == [
        "yt:a-b_c123XYZ",
        "rate_limited",
    ]


def test_a_channel_that_cannot_be_read_is_refused() -> None:
    def fails(url: str, config: FetchConfig) -> Iterator[dict[str, Any]]:
        raise Transient("unreachable", "no network")
        yield {}

    (found,) = resolve(["https://www.youtube.com/@radiology"], AcquireConfig(), reader=fails)

    assert isinstance(found, Refusal)
    assert found.code == "unreachable"


def test_a_page_around_a_youtube_video_is_that_video() -> None:
    def embeds(url: str, config: FetchConfig) -> Iterator[dict[str, Any]]:
        yield {"event": "single", "url": "https://www.youtube.com/embed/a-b_c123XYZ", "title": "T"}

    (found,) = resolve(["https://blog.example/post"], AcquireConfig(), reader=embeds)

    assert isinstance(found, Item)
    assert found.id == "yt:a-b_c123XYZ"
