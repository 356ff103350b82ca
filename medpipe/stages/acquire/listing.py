"""What a page, feed, playlist or channel holds, entry by entry, as yt-dlp reads it.

Runs in the child process; every request goes through the yt-dlp object it is given.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from yt_dlp.utils import unsmuggle_url

from medpipe.errors import Rejected
from medpipe.stages.acquire.ids import is_youtube_id, is_youtube_list, watch_url, youtube_video

_MAX_DEPTH = 4
_MAX_HOPS = 8


def listing(
    ydl: Any, url: str, max_entries: int, emit: Callable[[str, dict[str, Any]], None]
) -> None:
    """Emit `single` for a page with one video, or an `entry` for each of a list.

    Args:
        ydl: A guarded yt-dlp.
        url: What to read.
        max_entries: Stop after so many; the list is then refused as `too_many_entries`.
        emit: Takes an event's name and content.
    """
    result = _followed(ydl, ydl.extract_info(url, process=False))
    if not _is_list(result):
        emit("single", _described(result))
        return
    for number, entry in enumerate(_flat(ydl, result, _MAX_DEPTH)):
        if number >= max_entries:
            raise Rejected("too_many_entries", f"the list goes on after {max_entries} entries")
        emit("entry", entry)


def _is_list(result: dict[str, Any]) -> bool:
    return str(result.get("_type", "video")) in ("playlist", "multi_video")


def _is_pointer(result: dict[str, Any]) -> bool:
    return result.get("_type") in ("url", "url_transparent")


def _followed(ydl: Any, result: dict[str, Any]) -> dict[str, Any]:
    for _ in range(_MAX_HOPS):
        if not _is_pointer(result) or _youtube_of(result) is not None:
            return result
        result = ydl.extract_info(result["url"], ie_key=result.get("ie_key"), process=False)
    raise Rejected("redirect_loop", f"the page leads on and on, {_MAX_HOPS} times")


def _flat(ydl: Any, result: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    for entry in _entries(result.get("entries")):
        if not entry:
            continue
        if _is_pointer(entry) and depth and _leads_to_list(entry):
            entry = _followed(ydl, entry)  # noqa: PLW2901 - the list instead of its address
        if _is_list(entry):
            if depth:
                yield from _flat(ydl, entry, depth - 1)
        elif (described := _described(entry))["url"]:
            yield described


def _leads_to_list(entry: dict[str, Any]) -> bool:
    return _youtube_of(entry) is None and is_youtube_list(str(entry.get("url")))


def _entries(entries: Any) -> Iterator[dict[str, Any]]:
    if hasattr(entries, "getslice"):
        for index in count():
            page = entries.getslice(index, index + 1)
            if not page:
                return
            yield from page
    else:
        yield from entries or ()


def _youtube_of(result: dict[str, Any]) -> str | None:
    if result.get("ie_key") == "Youtube" and is_youtube_id(str(result.get("id") or "")):
        return str(result["id"])
    return youtube_video(str(result.get("url") or ""))


def _described(result: dict[str, Any]) -> dict[str, Any]:
    video_id = _youtube_of(result)
    if video_id is None and result.get("extractor_key") == "Youtube":
        video_id = str(result.get("id"))
    return {
        "url": watch_url(video_id) if video_id else _address(result),
        "title": result.get("title"),
        "channel": result.get("channel") or result.get("uploader"),
        "licence": result.get("license"),
    }


def _address(result: dict[str, Any]) -> str | None:
    formats = [one for one in result.get("formats") or () if one.get("url")]
    tallest: dict[str, Any] = max(formats, key=lambda one: one.get("height") or 0, default={})
    url = result.get("url") or tallest.get("url") or result.get("webpage_url")
    return unsmuggle_url(str(url))[0] if url else None
