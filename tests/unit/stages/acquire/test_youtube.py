"""The YouTube path for real, down to the sockets: yt-dlp's extractor on canned API answers."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.networking import Response

from medpipe.media.probe import decode_check, probe
from medpipe.stages.acquire import FetchConfig, downloader
from medpipe.stages.acquire.merge import join_streams
from tests.support.site import Site

ID = "a-b_c123XYZ"
DETAILS = {
    "videoId": ID,
    "title": "Chest film",
    "lengthSeconds": "2",
    "author": "Radiology Channel",
    "channelId": "UC" + "a" * 22,
}
OWNER = {
    "contents": {
        "twoColumnWatchNextResults": {
            "results": {
                "results": {
                    "contents": [
                        {
                            "videoSecondaryInfoRenderer": {
                                "owner": {
                                    "videoOwnerRenderer": {
                                        "title": {"runs": [{"text": "Radiology Channel"}]}
                                    }
                                }
                            }
                        }
                    ]
                }
            }
        }
    }
}
Event = tuple[str, dict[str, Any]]


def asked(folder: Path, player: dict[str, Any], **fetch: object) -> list[Event]:
    """Run a download job with this answer of YouTube's player API; return its last event."""

    class Canned(downloader.Ydl):
        def urlopen(self, req: Any) -> Any:
            url = req if isinstance(req, str) else req.url
            if "youtube.com" not in url:
                return super().urlopen(req)
            answer = player if "/v1/player" in url else OWNER if "/v1/next" in url else {}
            body = io.BytesIO(json.dumps(answer).encode())
            return Response(body, url, {"Content-Type": "application/json"})

    config = FetchConfig(allow_private_networks=["127.0.0.1/32"], js_runtimes=(), **fetch)
    job = {
        "url": f"https://www.youtube.com/watch?v={ID}",
        "folder": str(folder),
        "fetch": config.model_dump(mode="json"),
        "max_duration_s": 100,
    }
    events: list[Event] = []
    downloader.run(job, lambda event, told: events.append((event, told)), Canned)
    return [one for one in events if one[0] != "log"]


def refused(status: str, reason: str, **more: Any) -> dict[str, Any]:
    return {
        "playabilityStatus": {"status": status, "reason": reason, **more},
        "videoDetails": DETAILS,
    }


def sub_reason(text: str) -> dict[str, Any]:
    renderer = {"reason": {"simpleText": "Video unavailable"}, "subreason": {"simpleText": text}}
    return {"errorScreen": {"playerErrorMessageRenderer": renderer}}


FAILURES = {
    "private": refused("LOGIN_REQUIRED", "Private video"),
    "rate_limited": refused("LOGIN_REQUIRED", "Sign in to confirm you\u2019re not a bot"),
    "removed": refused(
        "ERROR",
        "Video unavailable",
        **sub_reason("This video has been removed by the uploader"),
    ),
    "geo_blocked": refused(
        "UNPLAYABLE",
        "Video unavailable",
        **sub_reason("The uploader has not made this video available in your country"),
    ),
    "members_only": refused(
        "UNPLAYABLE", "Join this channel to get access to members-only content like this video"
    ),
    "premiere": refused("LIVE_STREAM_OFFLINE", "Premieres in 3 hours"),
    "not_found": refused("ERROR", "Video unavailable"),
    "extractor_failed": {"playabilityStatus": {"status": "OK"}, "videoDetails": DETAILS},
    "drm": {
        "playabilityStatus": {"status": "OK"},
        "videoDetails": DETAILS,
        "streamingData": {"licenseInfos": [{"drmFamily": "WIDEVINE"}]},
    },
}


@pytest.mark.parametrize(("code", "player"), FAILURES.items(), ids=FAILURES)
def test_what_youtube_refuses_has_its_own_reason(
    tmp_path: Path, code: str, player: dict[str, Any]
) -> None:
    events = asked(tmp_path, player)

    assert [event for event, _ in events] == ["failed"]
    assert events[0][1]["code"] == code


def stream(itag: int, url: str, kind: str, codecs: str, **more: Any) -> dict[str, Any]:
    return {
        "itag": itag,
        "url": url,
        "mimeType": f'{kind}/mp4; codecs="{codecs}"',
        "bitrate": 100_000,
        **more,
    }


def playable(site: Site, details: dict[str, Any] | None = None) -> dict[str, Any]:
    low = stream(
        18, f"{site.url}/good.mp4", "video", "avc1.42001E, mp4a.40.2", width=640, height=360
    )
    picture = stream(
        136, f"{site.url}/pair/picture.ts", "video", "avc1.4d401f", width=1280, height=720, fps=25
    )
    huge = stream(137, f"{site.url}/missing", "video", "avc1.640028", width=1920, height=1080)
    sound = stream(140, f"{site.url}/pair/sound.ts", "audio", "mp4a.40.2", audioSampleRate="48000")
    return {
        "playabilityStatus": {"status": "OK"},
        "videoDetails": {**DETAILS, **(details or {})},
        "streamingData": {"formats": [low], "adaptiveFormats": [picture, huge, sound]},
    }


def test_the_wanted_height_is_fetched_as_a_pair_and_joined_without_ffmpeg(
    tmp_path: Path, site: Site
) -> None:
    ((event, told),) = asked(tmp_path, playable(site))

    assert event == "file"
    assert (told["title"], told["channel"]) == ("Chest film", "Radiology Channel")
    picture, sound = (Path(path) for path in told["paths"])
    join_streams(picture, sound, tmp_path / "joined")
    decode_check(tmp_path / "joined")
    facts = probe(tmp_path / "joined")
    assert (facts.container, facts.video_codec, facts.audio_codec) == (
        "matroska,webm",
        "h264",
        "aac",
    )
    assert facts.duration_s == pytest.approx(2, abs=0.4)


def test_a_single_file_is_taken_when_it_is_high_enough(tmp_path: Path, site: Site) -> None:
    ((event, told),) = asked(tmp_path, playable(site), max_height_px=480)

    assert event == "file"
    assert len(told["paths"]) == 1


@pytest.mark.parametrize(
    ("details", "code"),
    [({"isLive": True, "isLiveContent": True}, "live"), ({"lengthSeconds": "101"}, "too_long")],
)
def test_what_can_be_told_beforehand_is_not_downloaded(
    tmp_path: Path,
    site: Site,
    details: dict[str, Any],
    code: str,
) -> None:
    before = len(site.hits)

    ((event, told),) = asked(tmp_path, playable(site, details))

    assert (event, told["code"]) == ("failed", code)
    assert len(site.hits) == before


def test_media_addresses_on_private_networks_are_blocked(tmp_path: Path, site: Site) -> None:
    player = playable(site)
    away = "http://169.254.169.254/latest"
    for one in player["streamingData"]["formats"] + player["streamingData"]["adaptiveFormats"]:
        one["url"] = away

    ((event, told),) = asked(tmp_path, player)

    assert (event, told["code"]) == ("failed", "blocked_address")
