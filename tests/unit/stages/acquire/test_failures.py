# ruff: noqa: E501 - messages stand as they come
import pytest

from medpipe.egress import causes
from medpipe.errors import Rejected, Transient
from medpipe.stages.acquire.failures import classify_failure, clean_message, status_of

COOKIES = (
    ". Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/"
    "yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to manually pass cookies"
)
YOUTUBE = [
    (
        Rejected,
        "private",
        "Private video. Sign in if you've been granted access to this video" + COOKIES,
    ),
    (Rejected, "private", "Video unavailable. This video is private"),
    (
        Rejected,
        "age_restricted",
        "Sign in to confirm your age. This video may be inappropriate for some users" + COOKIES,
    ),
    (Transient, "rate_limited", "Sign in to confirm you\u2019re not a bot" + COOKIES),
    (
        Transient,
        "rate_limited",
        "This content isn't available, try again later. The current session has been rate-limited by YouTube for up to an hour.",
    ),
    (
        Transient,
        "rate_limited",
        "Video unavailable. YouTube is requiring a captcha challenge before playback",
    ),
    (
        Rejected,
        "members_only",
        "Join this channel to get access to members-only content like this video, and other exclusive perks.",
    ),
    (
        Rejected,
        "members_only",
        "This video is available to this channel's members on level: Resident (or any higher level).",
    ),
    (Rejected, "payment_required", "This video requires payment to watch."),
    (Rejected, "payment_required", "This video is only available to Music Premium members"),
    (
        Rejected,
        "geo_blocked",
        "Video unavailable. The uploader has not made this video available in your country",
    ),
    (
        Rejected,
        "geo_blocked",
        "Video unavailable. This video contains content from SME, who has blocked it in your country on copyright grounds",
    ),
    (
        Rejected,
        "geo_blocked",
        "This video is not available from your location due to geo restriction",
    ),
    (Rejected, "premiere", "Premieres in 3 hours"),
    (Rejected, "premiere", "Premiere will begin shortly"),
    (Rejected, "live", "This live event will begin in 2 days."),
    (Rejected, "live", "This live event has ended."),
    (Rejected, "live", "The channel is not currently live"),
    (Rejected, "removed", "Video unavailable. This video has been removed by the uploader"),
    (Rejected, "removed", "This video has been removed for violating YouTube's Terms of Service"),
    (
        Rejected,
        "removed",
        "Video unavailable. This video is no longer available because the YouTube account associated with this video has been terminated.",
    ),
    (
        Rejected,
        "removed",
        "Video unavailable. This video is no longer available due to a copyright claim by X",
    ),
    (Rejected, "removed", "This video isn't available anymore"),
    (Rejected, "removed", "This live stream recording is not available."),
    (Rejected, "not_found", "Video unavailable"),
    (Rejected, "not_found", "This video is unavailable"),
    (Rejected, "not_found", "This video is not available"),
    (
        Rejected,
        "forbidden",
        "Video unavailable. Playback on other websites has been disabled by the video owner",
    ),
    (Rejected, "drm", "This video is DRM protected"),
    (Rejected, "sign_in_required", "Please sign in" + COOKIES),
    (Transient, "not_ready", "We're processing this video. Check back later."),
    (Transient, "unreachable", "The page needs to be reloaded."),
    (
        Transient,
        "extractor_failed",
        "Requested format is not available. Use --list-formats for a list of available formats",
    ),
    (
        Transient,
        "extractor_failed",
        "The following content is not available on this app. Watch on the latest version of YouTube.",
    ),
]
GENERAL = [
    (Rejected, "not_a_video", "ERROR: Unsupported URL: https://a.org/login?private=video"),
    (
        Rejected,
        "no_video",
        "ERROR: [generic] x: Requested format is not available. Use --list-formats",
    ),
    (
        Rejected,
        "sign_in_required",
        "ERROR: [vimeo] 1: This video is only available for registered users. Use --cookies",
    ),
    (Rejected, "drm", "This format is DRM protected; Try selecting another format with --format"),
    (Rejected, "empty_file", "Did not get any data blocks"),
    (
        Rejected,
        "unsupported_stream",
        "m3u8 download detected but ffmpeg could not be found. Please install",
    ),
    (Rejected, "redirect_loop", "HTTP Error 302: Found (redirect loop detected)"),
    (Rejected, "too_large", "unable to write data: [Errno 27] File too large"),
    (Transient, "disk_full", "unable to write data: [Errno 28] No space left on device"),
    (Transient, "unreachable", "[Errno 111] Connection refused"),
    (Transient, "unreachable", "[Errno 104] Connection reset by peer"),
    (Transient, "unreachable", "Failed to resolve 'a.org' ([Errno -2] Name or service not known)"),
    (Transient, "unreachable", "[Errno -3] Temporary failure in name resolution"),
    (Transient, "unreachable", "[Errno 113] No route to host"),
    (Transient, "unreachable", "EOF occurred in violation of protocol (_ssl.c:997)"),
    (
        Transient,
        "unreachable",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: expired",
    ),
    (Transient, "unreachable", "5000 bytes read, 95000 more expected"),
    (Transient, "unreachable", "Got error: Downloaded 232949 bytes, expected 237949 bytes"),
    (Transient, "timed_out", "The read operation timed out"),
    (Transient, "timed_out", "[Errno 110] Connection timed out"),
    (
        Transient,
        "extractor_failed",
        "Unable to extract player version; please report this issue on https://x",
    ),
    (Transient, "extractor_failed", ""),
]
STATUS = [
    (Rejected, "forbidden", 401),
    (Rejected, "payment_required", 402),
    (Rejected, "forbidden", 403),
    (Rejected, "not_found", 404),
    (Transient, "timed_out", 408),
    (Rejected, "not_found", 410),
    (Rejected, "refused_by_server", 418),
    (Transient, "rate_limited", 429),
    (Rejected, "removed", 451),
    (Transient, "unreachable", 500),
    (Transient, "unreachable", 503),
    (Rejected, "bad_redirect", 302),
]


@pytest.mark.parametrize(("kind", "code", "message"), YOUTUBE)
def test_youtube_says_in_words_what_is_wrong(
    kind: type[Rejected] | type[Transient], code: str, message: str
) -> None:
    found = classify_failure(f"\x1b[0;31mERROR:\x1b[0m [youtube] dQw4w9WgXcQ: {message}")

    assert (type(found), found.code) == (kind, code)
    assert not found.detail.startswith(("ERROR", "[youtube]", "dQw4w9WgXcQ"))


@pytest.mark.parametrize(("kind", "code", "message"), GENERAL)
def test_other_sites_and_the_network_are_understood(
    kind: type[Rejected] | type[Transient], code: str, message: str
) -> None:
    found = classify_failure(message)

    assert (type(found), found.code) == (kind, code)


@pytest.mark.parametrize(("kind", "code", "status"), STATUS)
def test_a_status_decides_whatever_the_server_wrote_beside_it(
    kind: type[Rejected] | type[Transient], code: str, status: int
) -> None:
    by_number = classify_failure("This video is private", status)
    by_text = classify_failure(f"Unable to download webpage: HTTP Error {status}: not a bot")

    assert (type(by_number), by_number.code) == (kind, code)
    assert (type(by_text), by_text.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "rate_limited"), (429, "rate_limited"), (404, "extractor_failed"), (502, "unreachable")],
)
def test_youtube_statuses_speak_of_the_session_and_not_of_the_video(status: int, code: str) -> None:
    found = classify_failure("ERROR: [youtube] abc: Unable to download API page", status)

    assert (type(found), found.code) == (Transient, code)


def test_details_keep_no_password_no_colour_and_no_advice() -> None:
    message = (
        "\x1b[31mERROR:\x1b[0m [generic] x: Unable to connect to proxy http://me:secret@p:1/ "
        "(caused by TransportError('http://me:secret@p')); please report this issue on  https://x"
    )

    assert clean_message(message) == "Unable to connect to proxy http://p:1/"
    assert len(clean_message("a" * 10_000)) == 300


def test_a_status_is_found_behind_other_errors() -> None:
    class RefusedError(Exception):
        status = 429

    outer = RuntimeError("download failed")
    outer.exc_info = (RuntimeError, RuntimeError("extractor"), None)  # type: ignore[attr-defined]
    outer.exc_info[1].cause = RefusedError("no")  # type: ignore[attr-defined]

    assert status_of(outer) == 429
    assert [type(one) for one in causes(outer)] == [RuntimeError, RuntimeError, RefusedError]
    assert status_of(RuntimeError("none")) is None


def test_a_ring_of_causes_ends() -> None:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__cause__, other.__cause__ = other, one

    assert list(causes(one)) == [one, other]
