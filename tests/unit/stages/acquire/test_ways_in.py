"""Ways that lead from a stranger's URL or page to the inside, tried on listeners that count."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medpipe.stages.acquire import FetchConfig, downloader
from tests.support.canary import Canary
from tests.support.pages import media_playlist
from tests.support.site import Site

END = "#EXT-X-ENDLIST\n"
HLS = "application/vnd.apple.mpegurl"

SPELLINGS = [
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "127.0.0.1.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "example.org@127.0.0.1",
    "example.org:80@127.0.0.1",
    "127.0.0.1%23.example.org",
]


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as canary:
        yield canary


def asked(url: str, folder: Path, **fetch: Any) -> tuple[str, dict[str, Any]]:
    """Run one download job and return its last event."""
    settings = {"allow_private_networks": False, "js_runtimes": (), "socket_timeout_s": 5, **fetch}
    config = FetchConfig(**settings).model_dump(mode="json")
    if settings.get("proxy"):
        config["proxy"] = settings["proxy"]
    job = {"url": url, "folder": str(folder), "fetch": config, "max_duration_s": 100}
    events: list[tuple[str, dict[str, Any]]] = []
    downloader.run(job, lambda event, told: events.append((event, told)))
    return [one for one in events if one[0] != "log"][-1]


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("path", ["/video.mp4", "/page"])
def test_no_spelling_of_this_machine_is_reached(
    canary: Canary, tmp_path: Path, host: str, path: str
) -> None:
    event, told = asked(canary.url(host, path), tmp_path)

    assert event == "failed", told
    assert canary.touched == []


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher", "rtmp", "mms", "ws", "wss", "data"])
def test_no_other_scheme_leads_inside(canary: Canary, tmp_path: Path, scheme: str) -> None:
    event, told = asked(canary.url(scheme=scheme), tmp_path)

    assert event == "failed", told
    assert canary.touched == []


INSIDE = ["{inside}/x.ts", "file:///etc/passwd", "ftp:{there}/x.ts", "data:video/mp2t;base64,AAAA"]


@pytest.mark.parametrize("segment", INSIDE)
def test_a_playlist_does_not_lead_inside(
    site: Site, canary: Canary, tmp_path: Path, segment: str
) -> None:
    inside = canary.url("127.0.0.3", "")
    target = segment.format(inside=inside, there=inside.removeprefix("http:"))
    segments = site.put("/way/segment.m3u8", media_playlist(target) + END, HLS)
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'
    locked = media_playlist("/stream/0.ts").replace("#EXTINF", key, 1)
    locked_url = site.put("/way/key.m3u8", locked + END, HLS)
    start = f'#EXT-X-MAP:URI="{target}"\n#EXTINF'
    mapped = media_playlist("/stream/0.ts").replace("#EXTINF", start, 1)
    mapped_url = site.put("/way/map.m3u8", mapped + END, HLS)
    variants = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{target}\n"
    master = site.put("/way/master.m3u8", variants, HLS)

    for url in (segments, locked_url, mapped_url, master):
        event, told = asked(url, tmp_path, allow_private_networks=["127.0.0.1/32"])
        leaked = [p for p in tmp_path.iterdir() if b"root:" in p.read_bytes()]
        assert leaked == []
        if not segment.startswith("data:"):
            assert event == "failed", (url, told)
    assert canary.touched == []


def test_a_dash_manifest_does_not_lead_inside(site: Site, canary: Canary, tmp_path: Path) -> None:
    wanted = {canary.url("127.0.0.3", "/"): "blocked_address", "file:///etc/": "not_found"}
    for base, code in wanted.items():
        manifest = (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
            ' mediaPresentationDuration="PT2S"><Period><BaseURL>'
            f"{base}</BaseURL>"
            '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000"'
            ' width="160" height="120" codecs="avc1.64001f"><BaseURL>passwd</BaseURL>'
            "</Representation></AdaptationSet></Period></MPD>"
        )
        url = site.put("/way/lecture.mpd", manifest, "application/dash+xml")

        event, told = asked(url, tmp_path, allow_private_networks=["127.0.0.1/32"])

        assert (event, told.get("code")) == ("failed", code), told
    assert canary.touched == []


PAGES = {
    "video": "<video src='{url}'></video>",
    "source": "<video><source src='{url}' type='video/mp4'></video>",
    "JSON-LD": '<script type="application/ld+json">{{"@context":"https://schema.org",'
    '"@type":"VideoObject","name":"x","contentUrl":"{url}"}}</script>',
    "player": "<script>jwplayer('x').setup({{file: '{url}'}})</script>",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("host", ["127.0.0.3", "[::1]", "2130706691"])
def test_a_page_does_not_lead_inside(
    site: Site, canary: Canary, tmp_path: Path, page: str, host: str
) -> None:
    target = page.format(url=canary.url(host))
    url = site.put("/way/page", f"<html><head><title>X-ray</title>{target}</head></html>")

    event, _ = asked(url, tmp_path, allow_private_networks=["127.0.0.1/32"])

    assert event == "failed"
    assert canary.touched == []


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.3:{port}/video.mp4",
        "//127.0.0.3:{port}/video.mp4",
        "http://[::1]:{port}/video.mp4",
        "http://2130706435:{port}/video.mp4",
        "http://127.0.0.1:{own}@127.0.0.3:{port}/video.mp4",
        "http://127.0.0.3:{port}\\@127.0.0.1/video.mp4",
        "/x%0d%0aHost:%20127.0.0.3",
        "/x\rSet-Cookie: a=b",
        "http://127.0.0.3:{port}/\thidden",
        "ftp://127.0.0.3:{port}/video.mp4",
        "gopher://127.0.0.3:{port}/1",
        "http://[",
        "http://127.0.0.3:99999/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_does_not_lead_inside(
    site: Site, canary: Canary, tmp_path: Path, location: str, status: int
) -> None:
    target = location.format(port=canary.port, own=site.port)
    url = site.put("/way/redirect.mp4", b"", status=status, Location=target)

    event, told = asked(url, tmp_path, allow_private_networks=["127.0.0.1/32"])

    assert event == "failed", told
    assert canary.touched == []


def test_cookies_stay_with_their_host(site: Site, tmp_path: Path) -> None:
    jar = tmp_path / "jar.txt"
    jar.write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t1999999999\tSID\tmine-alone\n"
    )
    with Site(tmp_path, host="127.0.0.4") as other:
        url = site.put("/way/jar.mp4", b"", status=302, Location=f"{other.url}/good.mp4")
        before = len(site.hits)
        event, told = asked(url, tmp_path, allow_private_networks=True, cookies_file=str(jar))

    assert event == "file", told
    sent = [headers.get("Cookie") for path, headers in site.hits[before:]]
    assert sent
    assert set(sent) == {"SID=mine-alone"}
    assert {headers.get("Cookie") for _, headers in other.hits} == {None}


def test_a_proxy_is_not_used_to_reach_the_inside(
    site: Site, canary: Canary, tmp_path: Path
) -> None:
    before = len(site.hits)
    for host in ("127.0.0.3", "2130706435", "metadata.google.internal", "[::1]", "nas.local"):
        event, told = asked(canary.url(host), tmp_path, proxy=site.url)
        assert (event, told.get("code")) == ("failed", "blocked_address"), (host, told)
    assert len(site.hits) == before
    assert canary.touched == []


def test_without_the_guard_these_ways_do_lead_inside(site: Site, tmp_path: Path) -> None:
    """Otherwise the tests above would show nothing."""
    spelled = ["127.1.2.3", "2130706433", "0177.0.0.1", "localhost"]
    with Canary() as canary:
        spelled += ["[::1]", "[::ffff:127.0.0.1]"] if "::1" in canary.addresses else []
    real = {
        **{host: lambda canary, host=host: canary.url(host) for host in spelled},
        **{
            name: lambda canary, page=page: site.put("/way/open", page.format(url=canary.url()))
            for name, page in PAGES.items()
        },
        "segment": lambda canary: site.put(
            "/way/open.m3u8", media_playlist(canary.url()) + END, HLS
        ),
        "redirect": lambda canary: site.put(
            "/way/open.mp4", b"", status=302, Location=canary.url("127.0.0.3")
        ),
    }
    unreached = []
    for name, way in real.items():
        with Canary() as canary:
            asked(way(canary), tmp_path, allow_private_networks=True)
        if not canary.touched:
            unreached.append(name)

    assert unreached == []
