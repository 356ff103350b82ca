"""Which files count as media by their names, and which of a site's formats to take."""

import posixpath
import unicodedata
from urllib.parse import urlsplit

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".ts",
    ".m2ts", ".mts", ".mpg", ".mpeg", ".mpe", ".wmv", ".asf", ".flv",
    ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".vob", ".mxf", ".qt",
})
# fmt: on
_STREAM_SUFFIXES = frozenset({".m3u8", ".mpd"})


def has_video_suffix(name: str) -> bool:
    """Whether a file name ends like a video's."""
    return posixpath.splitext(name.lower())[1] in VIDEO_SUFFIXES


def is_media_url(url: str) -> bool:
    """Whether a URL names one media file or stream, so that no page needs to be asked."""
    suffix = posixpath.splitext(urlsplit(url).path.lower())[1]
    return suffix in VIDEO_SUFFIXES or suffix in _STREAM_SUFFIXES


def format_choice(max_height_px: int) -> str:
    """Return yt-dlp's format selector for a wanted height.

    A single file with picture and sound when it is at least two thirds of the wanted height,
    else the best pair of streams up to it (joined by us without ffmpeg), else whatever there is.
    """
    low, high = max_height_px * 2 // 3, max_height_px
    return "/".join(
        (
            f"b[height<={high}][height>={low}]",
            f"bv*[height<={high}]+ba",
            f"b[height<={high}]",
            f"wv*[height>{high}]+ba",
            f"w[height>{high}]",
            "b",
            "bv*+ba",
            "bv*",
        )
    )


def clean_text(text: object, max_chars: int) -> str | None:
    """Return text of a stranger on one line, without control characters, at most so long.

    Returns:
        None where nothing is left or it was no text.
    """
    if not isinstance(text, str):
        return None
    head = text[: 4 * max_chars]
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in head)
    return " ".join(visible.split())[:max_chars].rstrip() or None
