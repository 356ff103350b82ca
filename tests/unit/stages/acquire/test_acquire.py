import logging
import time
from pathlib import Path

import pytest

from medpipe.errors import ConfigError, Rejected, Transient
from medpipe.records import Item
from medpipe.stages.acquire import AcquireConfig, FetchConfig, acquire, resolve
from medpipe.stages.acquire.edge import sha256_of
from medpipe.stages.acquire.ids import http_id
from tests.support.site import Site, free_port


def at(url: str) -> Item:
    return Item(id=http_id(url), uri=url)


def with_fetch(config: AcquireConfig, **changed: object) -> AcquireConfig:
    fetch = FetchConfig.model_validate({**config.fetch.model_dump(), **changed})
    return config.model_copy(update={"fetch": fetch})


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("path", "codecs"),
    [
        ("/good.mp4", ("h264", "aac")),
        ("/film.webm", ("vp8", "opus")),
        ("/stream/index.m3u8", ("h264", "aac")),
        ("/pair/master.m3u8", ("h264", "aac")),
        ("/to-good", ("h264", "aac")),
    ],
)
def test_a_video_on_the_web_is_fetched_in_every_wrapping(
    site: Site, tmp_path: Path, config: AcquireConfig, path: str, codecs: tuple[str, str]
) -> None:
    item = at(site.url + path)

    video = acquire(item, tmp_path, config)

    assert left_in(tmp_path) == [item.id.replace(":", "-") + ".video"]
    assert (video.video_codec, video.audio_codec) == codecs
    assert video.url == item.uri
    assert video.sha256 == sha256_of(Path(video.path))
    assert video.duration_s == pytest.approx(2, abs=0.3)


def test_a_page_is_fetched_with_its_title_after_resolving(
    site: Site, tmp_path: Path, config: AcquireConfig
) -> None:
    url = site.put("/titled", "<title>Chest\u202e \x07film</title><video src='/good.mp4'></video>")
    (item,) = resolve([url], config)
    assert isinstance(item, Item)

    video = acquire(item, tmp_path, config)

    assert video.item.id == item.id
    assert video.item.title is not None
    assert video.item.title.startswith("Chest film")


REJECTED = {
    "/missing": "not_found",
    "/gone.mp4": "not_found",
    "/forbidden.mp4": "forbidden",
    "/secret.mp4": "forbidden",
    "/legal.mp4": "removed",
    "/teapot.mp4": "refused_by_server",
    "/text": "not_a_video",
    "/html.mp4": "web_page",
    "/random.mp4": "not_a_video",
    "/empty.mp4": "empty_file",
    "/truncated.mp4": "truncated",
    "/headless.mp4": "truncated",
    "/silent.mp4": "no_audio",
    "/sound.mp4": "no_video",
    "/liar.mp4": "too_large",
    "/endless.mp4": "too_large",
    "/live/index.m3u8": "live",
    "/gap/index.m3u8": "not_found",
    "/two": "several_videos",
    "/loop.mp4": "redirect_loop",
    "/to-file.mp4": "unsupported_scheme",
    "/to-metadata.mp4": "blocked_address",
    "/to-other-host.mp4": "blocked_address",
    "/embeds-private": "blocked_address",
    "/astray/index.m3u8": "blocked_address",
    "/astray/key.m3u8": "blocked_address",
    "/bomb": "too_large",
}


@pytest.mark.parametrize(("path", "code"), REJECTED.items(), ids=REJECTED)
def test_what_a_site_cannot_give_is_rejected_with_its_reason(
    site: Site, tmp_path: Path, config: AcquireConfig, path: str, code: str
) -> None:
    with pytest.raises(Rejected) as caught:
        acquire(at(site.url + path), tmp_path, config)

    assert (caught.value.code, left_in(tmp_path)) == (code, [])


@pytest.mark.parametrize("address", ["http://127.0.0.1:99999/x.mp4", "http://[::1/x.mp4", "//"])
def test_a_page_over_which_yt_dlp_stumbles_is_the_page_s_fault(
    site: Site, tmp_path: Path, config: AcquireConfig, address: str
) -> None:
    url = site.put("/stumble", f"<title>T</title><video src='{address}'></video>")

    with pytest.raises((Rejected, Transient)):
        acquire(at(url), tmp_path, config)


@pytest.mark.parametrize(
    ("path", "code"),
    [("/busy.mp4", "rate_limited"), ("/broken.mp4", "unreachable"), ("/short.mp4", "unreachable")],
)
def test_what_a_site_cannot_give_for_now_is_transient(
    site: Site, tmp_path: Path, config: AcquireConfig, path: str, code: str
) -> None:
    with pytest.raises(Transient) as caught:
        acquire(at(site.url + path), tmp_path, config)

    assert (caught.value.code, left_in(tmp_path)) == (code, [])
    if code == "rate_limited":
        assert "120 s" in caught.value.detail


def test_nobody_listening_is_transient(tmp_path: Path, config: AcquireConfig) -> None:
    with pytest.raises(Transient, match="unreachable"):
        acquire(at(f"http://127.0.0.1:{free_port()}/a.mp4"), tmp_path, config)


@pytest.mark.parametrize("path", ["/drip.mp4", "/hang.mp4", "/headers.mp4"])
def test_a_server_that_takes_its_time_gets_no_more_than_the_budget(
    site: Site, tmp_path: Path, config: AcquireConfig, path: str
) -> None:
    hasty = with_fetch(config, download_timeout_s=3, socket_timeout_s=60)
    start = time.monotonic()

    with pytest.raises(Transient, match="timed_out"):
        acquire(at(site.url + path), tmp_path, hasty)

    assert site.asked(path)
    assert time.monotonic() - start < 15
    assert left_in(tmp_path) == []


def test_private_addresses_are_blocked_unless_opened(site: Site, tmp_path: Path) -> None:
    before = len(site.hits)

    with pytest.raises(Rejected, match="blocked_address"):
        acquire(at(f"{site.url}/good.mp4"), tmp_path, AcquireConfig())

    assert len(site.hits) == before


def test_proxies_of_the_environment_are_not_used(
    site: Site, tmp_path: Path, config: AcquireConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    assert acquire(at(f"{site.url}/good.mp4"), tmp_path, config).duration_s > 1


def test_a_configured_proxy_is_used_and_leads_to_no_private_address(
    site: Site, tmp_path: Path
) -> None:
    config = AcquireConfig(fetch=FetchConfig(proxy=site.url))

    assert acquire(at("http://8.8.8.8/good.mp4"), tmp_path, config).url == "http://8.8.8.8/good.mp4"
    with pytest.raises(Rejected, match="blocked_address"):
        acquire(at("http://10.0.0.1/good.mp4"), tmp_path, config)


def test_secrets_appear_in_no_error_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = f"http://me:hunter2@127.0.0.1:{free_port()}"
    config = AcquireConfig(fetch=FetchConfig(proxy=proxy))

    with caplog.at_level(logging.DEBUG), pytest.raises(Transient) as caught:
        acquire(at("http://8.8.8.8/a.mp4"), tmp_path, config)

    assert "hunter2" not in f"{caught.value!r} {caplog.text} {config!r} {config.model_dump_json()}"


def test_cookies_are_sent_and_their_file_is_left_as_it_was(
    site: Site, tmp_path: Path, config: AcquireConfig
) -> None:
    jar = tmp_path / "cookies.txt"
    jar.write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tsession\tabc\n"
    )
    before = jar.read_bytes()
    agent = with_fetch(config, cookies_file=str(jar), user_agent="medpipe-test/1")

    acquire(at(f"{site.url}/film.webm?cookies"), tmp_path / "scratch", agent)

    sent = [headers for path, headers in site.hits if path == "/film.webm"][-1]
    assert (sent["Cookie"], sent["User-Agent"]) == ("session=abc", "medpipe-test/1")
    assert jar.read_bytes() == before


def test_cookies_that_cannot_be_read_are_a_fault_of_the_config(
    site: Site, tmp_path: Path, config: AcquireConfig
) -> None:
    missing = with_fetch(config, cookies_file=str(tmp_path / "none.txt"))

    with pytest.raises(ConfigError, match="cookies_file"):
        acquire(at(f"{site.url}/good.mp4"), tmp_path, missing)


def test_an_id_that_does_not_belong_to_its_address_is_rejected(
    tmp_path: Path, config: AcquireConfig
) -> None:
    other = Item(id=http_id("http://a.org/a.mp4"), uri="http://b.org/b.mp4")
    inside = Item(id="http:" + "0" * 32, uri="file:///etc/passwd")

    with pytest.raises(Rejected, match="bad_id"):
        acquire(other, tmp_path, config)
    with pytest.raises(Rejected, match="unsupported_scheme"):
        acquire(inside, tmp_path, config)
    with pytest.raises(Rejected, match="bad_id"):
        acquire(Item(id="yt:nope", uri="http://b.org/b.mp4"), tmp_path, config)


def test_an_article_is_not_for_this_room(tmp_path: Path, config: AcquireConfig) -> None:
    with pytest.raises(Rejected, match="not_a_video: an article"):
        acquire(Item(id="pmc:PMC1", uri="pmc:PMC1"), tmp_path, config)


def test_a_scratch_disk_that_cannot_be_written_is_transient(
    site: Site, tmp_path: Path, config: AcquireConfig
) -> None:
    (tmp_path / "scratch").write_text("a file where a folder should be")

    with pytest.raises(Transient, match="scratch_failed"):
        acquire(at(f"{site.url}/good.mp4"), tmp_path / "scratch", config)
