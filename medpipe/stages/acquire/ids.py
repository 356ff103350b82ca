"""Ids that two names of one thing share: canonical URLs, YouTube and PMC ids."""

import hashlib
import re
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit, urlunsplit

_UNRESERVED = re.compile(r"%([0-9A-Fa-f]{2})")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE_IN_PATH = "%/:@!$&'()*+,;=-._~"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?"
_DEFAULT_PORT = {"http": 80, "https": 443}
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_HOST = re.compile(
    r"(?:(?:www|m|music)\.)?youtube\.com|(?:www\.)?youtube-nocookie\.com|(?:www\.)?youtu\.be"
)
_YOUTUBE_PATH = re.compile(r"/(?:embed|shorts|live|v|e)/([^/]+)/?")
_PMC_ID = re.compile(r"(?:PMC)?([0-9]{1,12})", re.IGNORECASE)
_PMC_URL = re.compile(
    r"https?://(?:pmc\.ncbi\.nlm\.nih\.gov|www\.ncbi\.nlm\.nih\.gov/pmc)"
    r"/articles/(PMC[0-9]{1,12})(?:[/?#].*)?",
    re.IGNORECASE,
)
_CONTROLS = re.compile(r"[\x00-\x20\x7f]")


def canonical_url(url: str) -> str:
    """Return the one spelling of an http or https URL that its id is made from.

    Scheme and host in lower case (host names in their ASCII form), default port and fragment
    dropped, dot segments resolved, percent-encoding normalised, the query kept in its order.

    Raises:
        ValueError: It is not http or https, has no host, or carries a user name or password.

    Source:
        RFC 3986, section 6.2.2 and 6.2.3.
    """
    parts = urlsplit(_CONTROLS.sub(lambda found: quote(found.group()), url.strip()))
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORT:
        raise ValueError(f"only http and https can be fetched, not {scheme or 'a bare name'}")
    if "@" in parts.netloc:
        raise ValueError("a URL must not carry a user name or password")
    path = _without_dots(_normal_escapes(parts.path, _SAFE_IN_PATH)) or "/"
    query = _normal_escapes(parts.query, _SAFE_IN_QUERY)
    return urlunsplit((scheme, _canonical_host(parts, scheme), path, query, ""))


def _canonical_host(parts: SplitResult, scheme: str) -> str:
    name = unquote(parts.hostname or "").rstrip(".").lower()
    if not name or re.search(r"[\s/?#@\\]", name):
        raise ValueError("a URL must name a host")
    if "[" in parts.netloc:
        host = f"[{ip_address(name).compressed}]"
    else:
        host = name if name.isascii() else name.encode("idna").decode("ascii")
    if not re.fullmatch(r"\[[0-9a-f:.%]+\]|[a-z0-9._~!$&'()*+,;=-]+", host):
        raise ValueError("the host name holds characters that no host name has")
    port = parts.port
    return host if port is None or port == _DEFAULT_PORT[scheme] else f"{host}:{port}"


def _normal_escapes(text: str, safe: str) -> str:
    decoded = _UNRESERVED.sub(_unescape_plain, text)
    stray = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", decoded)
    return quote(stray, safe=safe, errors="strict")


def _unescape_plain(found: re.Match[str]) -> str:
    character = chr(int(found.group(1), 16))
    return character if character in _PLAIN else found.group().upper()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:] if path.startswith("/") else segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", "..") and (not kept or kept[-1] != ""):
        kept.append("")
    return "/" + "/".join(kept)


def http_id(url: str) -> str:
    """Return `http:` and 32 hex characters of the sha256 of the canonical URL."""
    digest = hashlib.sha256(canonical_url(url).encode()).hexdigest()
    return f"http:{digest[:32]}"


def youtube_video(url: str) -> str | None:
    """Return the video id that a YouTube URL names, or None for any other URL."""
    parts = _youtube_parts(url)
    if parts is None:
        return None
    if (parts.hostname or "").endswith("youtu.be"):
        candidate = parts.path.strip("/").split("/")[0]
    elif parts.path.rstrip("/") in ("/watch", "/watch_popup"):
        candidate = (parse_qs(parts.query).get("v") or [""])[0]
    else:
        found = _YOUTUBE_PATH.fullmatch(parts.path)
        candidate = found.group(1) if found else ""
    return candidate if is_youtube_id(candidate) and candidate != "videoseries" else None


def is_youtube_list(url: str) -> bool:
    """Whether a YouTube URL names a playlist, a channel or a search rather than one video."""
    return _youtube_parts(url) is not None and youtube_video(url) is None


def _youtube_parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if parts.scheme.lower() in _DEFAULT_PORT and _YOUTUBE_HOST.fullmatch(host):
        return parts
    return None


def is_youtube_id(text: str) -> bool:
    """Whether the text has the shape of a YouTube video id."""
    return _YOUTUBE_ID.fullmatch(text) is not None


def watch_url(video_id: str) -> str:
    """Return the address of a YouTube video's page."""
    return f"https://www.youtube.com/watch?v={video_id}"


def pmc_article(source: str) -> str | None:
    """Return `PMC` and digits for a `pmc:` id or an article's URL, or None for anything else."""
    if source[:4].lower() == "pmc:":
        found = _PMC_ID.fullmatch(source[4:].strip())
        return f"PMC{found.group(1)}" if found else None
    found = _PMC_URL.fullmatch(source)
    return found.group(1).upper() if found else None


def scratch_name(item_id: str) -> str:
    """Return a file name made from an item's id alone."""
    return item_id.replace(":", "-")
