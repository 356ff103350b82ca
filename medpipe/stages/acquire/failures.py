"""What a failed fetch means: the item's fault, or the world's for now."""

import re

from medpipe.egress import causes
from medpipe.errors import Rejected, Transient

_MAX_DETAIL = 300
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = re.compile(r"^(?:ERROR:\s*)?(?:\[[A-Za-z0-9:_+-]+\]\s*(?:[^\s:]+:\s+)?)?")
_CAUSED = re.compile(r"\s*\(caused by .*", re.DOTALL)
_YOUTUBE = re.compile(r"^(?:ERROR:\s*)?\[youtube\b")
_NO_FORMATS = re.compile(r"requested format is not available|no video formats", re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"https?://\S+")
_REPORT = re.compile(r"[;.]?\s*please report this issue on\b.*", re.IGNORECASE | re.DOTALL)
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
_HTTP_STATUS = re.compile(r"HTTP Error (\d{3})")

_REJECTED = {
    401: "forbidden",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    410: "not_found",
    451: "removed",
}
_TRANSIENT = {408: "timed_out", 425: "unreachable", 429: "rate_limited"}

# Order counts: the first that fits wins. Messages are those of YouTube's player (passed on by
# yt-dlp), of yt-dlp itself and of Python's network layer.
_MESSAGES: tuple[tuple[type[Rejected] | type[Transient], str, str], ...] = (
    (Transient, "rate_limited", r"not a bot|captcha challenge|rate.?limit|too many requests"),
    (Transient, "rate_limited", r"isn.t available, try again later"),
    (Transient, "not_ready", r"(?:processing|preparing) this video|check back later"),
    (Rejected, "private", r"private video|(?:video|playlist) is private"),
    (Rejected, "age_restricted", r"confirm your age|age.restricted|inappropriate for some users"),
    (Rejected, "payment_required", r"requires payment|\brent|purchase|music premium"),
    (Rejected, "members_only", r"members.only|channel.s members|join this channel|premium members"),
    (Rejected, "geo_blocked", r"(?:in|from|at) your (?:country|location|region|territory)"),
    (Rejected, "geo_blocked", r"geo.?restrict"),
    (Rejected, "premiere", r"premieres? (?:in\b|will begin)|premiering"),
    (
        Rejected,
        "live",
        r"live event (?:will begin|has ended)|livestream|\bis (?:currently )?live\b",
    ),
    (Rejected, "live", r"live HLS streams|not currently live|stream (?:is )?offline"),
    (Rejected, "removed", r"(?:been|was) (?:removed|terminated|deleted|closed|taken down)"),
    (Rejected, "removed", r"copyright|recording is not available|for violat|has closed"),
    (Rejected, "removed", r"no longer available|(?:is not|isn.t) available any ?more"),
    (Rejected, "drm", r"\bDRM\b|widevine|playready"),
    (Rejected, "forbidden", r"playback on other (?:websites|apps)"),
    (Rejected, "sign_in_required", r"sign in|\blog ?in\b|registered users|account credentials"),
    (Rejected, "not_found", r"video (?:is )?(?:un|not )available|(?:does not|doesn.t) exist"),
    (Rejected, "not_found", r"incomplete youtube id|looks truncated"),
    (Rejected, "redirect_loop", r"redirect loop|infinite loop|too many redirects"),
    (Rejected, "not_a_video", r"unsupported URL|no media found|no video (?:could be )?found"),
    (Rejected, "not_a_video", r"no valid formats|is not a valid URL"),
    (Rejected, "no_video", r"no video formats|requested format is not available|only images are"),
    (Rejected, "empty_file", r"did not get any data blocks|downloaded file is empty"),
    (Rejected, "unsupported_scheme", r"unsupported url scheme|unknown url type|file:// URLs"),
    (Rejected, "unsupported_stream", r"primarily used for piracy|rtmpdump|unsupported features"),
    (
        Rejected,
        "unsupported_stream",
        r"ffmpeg (?:could )?not (?:be )?found|ffmpeg is not installed",
    ),
    (Transient, "disk_full", r"no space left|disk quota exceeded"),
    (Rejected, "too_large", r"file too large|larger than max.filesize"),
    (Transient, "timed_out", r"timed? ?out|took too long"),
    (Transient, "unreachable", r"resolve|name or service|name resolution|getaddrinfo|no route"),
    (Transient, "unreachable", r"refused|reset by peer|broken pipe|remote end closed|EOF occurred"),
    (Transient, "unreachable", r"more expected|content too short|bytes read|expected \d+ bytes"),
    (Transient, "unreachable", r"certificate|\bSSL|bad status line|proxy|tunnel|unreachable"),
    (Transient, "unreachable", r"page needs to be reloaded|unable to download|unavailable"),
)
_COMPILED = tuple((kind, code, re.compile(text, re.IGNORECASE)) for kind, code, text in _MESSAGES)


def classify_failure(message: str, status: int | None = None) -> Rejected | Transient:
    """Return what the failure of a fetch means.

    Args:
        message: What yt-dlp, the site or the network layer said.
        status: HTTP status, where the failure was one; looked for in the message otherwise.

    Returns:
        `Rejected` where another try would end the same way, else `Transient`. A message that
        nobody knows is `Transient` with code `extractor_failed`: mostly a site has changed and
        yt-dlp needs an update, after which `retry --reason extractor_failed` helps.
    """
    detail = clean_message(message)
    if status is None and (found := _HTTP_STATUS.search(message)):
        status = int(found.group(1))
    youtube = _YOUTUBE.match(_ANSI.sub("", message)) is not None
    if status is not None and status >= 300:
        return _of_youtube(status, detail) if youtube else _of_status(status, detail)
    text = _WEB_ADDRESS.sub("", detail)
    if youtube and _NO_FORMATS.search(text):
        return Transient("extractor_failed", f"{detail}; is a JavaScript runtime installed?")
    for kind, code, pattern in _COMPILED:
        if pattern.search(text):
            return kind(code, detail)
    return Transient("extractor_failed", detail)


def _of_youtube(status: int, detail: str) -> Rejected | Transient:
    """YouTube says what is wrong with a video in words; its statuses speak of the session."""
    if status in (403, 429):
        return Transient("rate_limited", detail)
    return Transient("unreachable" if status >= 500 else "extractor_failed", detail)


def _of_status(status: int, detail: str) -> Rejected | Transient:
    if status < 400:
        looped = "loop" in detail.lower()
        return Rejected("redirect_loop" if looped else "bad_redirect", detail)
    if status in _REJECTED:
        return Rejected(_REJECTED[status], detail)
    if status in _TRANSIENT:
        return Transient(_TRANSIENT[status], detail)
    if status >= 500:
        return Transient("unreachable", detail)
    return Rejected("refused_by_server", detail)


def clean_message(message: str) -> str:
    """Return a message as a row may keep it: no colours, passwords or advice, one short line."""
    text = _PREFIX.sub("", _ANSI.sub("", message).strip())
    text = _CAUSED.sub("", _REPORT.sub("", text))
    text = " ".join(_PASSWORD.sub("", text).split())
    return text[:_MAX_DETAIL] or "no message"


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error, or None where there was none."""
    for one in causes(error):
        status = getattr(one, "status", None)
        if isinstance(status, int):
            return status
    return None
