"""Turns what a user names into items: files, folders, URLs, playlists, ids, lists of those."""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from medpipe.errors import Rejected, Transient
from medpipe.records import Item
from medpipe.secrets import mask
from medpipe.stages.acquire.config import AcquireConfig, FetchConfig, Refusal
from medpipe.stages.acquire.edge import sha256_of
from medpipe.stages.acquire.formats import clean_text, has_video_suffix, is_media_url
from medpipe.stages.acquire.ids import (
    canonical_url,
    http_id,
    is_youtube_id,
    is_youtube_list,
    pmc_article,
    watch_url,
    youtube_video,
)
from medpipe.stages.acquire.process import read_list

_LOG = logging.getLogger(__name__)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MAX_URI = 4096
_MAX_LIST_DEPTH = 8

Found = Item | Refusal
_Read = Callable[[str], Iterator[dict[str, Any]]]


class ListReader(Protocol):
    """What reads the entries behind a URL; see `process.read_list`."""

    def __call__(self, url: str, config: FetchConfig) -> Iterator[dict[str, Any]]:
        """Yield the entries as the site hands them out."""


def resolve(
    sources: Iterable[str], config: AcquireConfig, *, reader: ListReader = read_list
) -> Iterator[Found]:
    """Yield an item for each thing that the sources name, and a refusal for each that is none.

    Lazy: files are hashed and playlists are read as the iterator is advanced. Nothing is
    remembered from one item to the next, so the same video named twice comes twice, under one
    id; the queue sees that.

    Args:
        sources: Paths of files and folders, `file://`, http and https URLs of videos, pages,
            feeds, playlists and channels, `yt:` and `pmc:` ids, `@list.txt`.
        config: How to fetch pages.
        reader: What reads pages and playlists.

    Raises:
        ConfigError: The cookie file cannot be read.
    """
    read = partial(reader, config=config.fetch)
    for source in sources:
        yield from _resolved(source.strip(), read, Path(), ())


def _resolved(source: str, read: _Read, base: Path, lists: tuple[Path, ...]) -> Iterator[Found]:
    if not source or "\0" in source:
        yield _refused(source, "bad_source", "an empty name, or one with a zero byte, is no source")
    elif source.startswith("@"):
        yield from _list(source, read, base / source[1:], lists)
    elif source[:3].lower() == "yt:":
        yield _youtube(source, source[3:])
    elif (article := pmc_article(source)) is not None:
        yield Item(id=f"pmc:{article}", uri=f"pmc:{article}")
    elif source[:4].lower() == "pmc:":
        yield _refused(source, "bad_id", "a PMC id is PMC and digits")
    elif source[:5].lower() == "file:":
        yield from _file_url(source)
    elif (scheme := _SCHEME.match(source)) is None:
        yield from _path(source, base / source)
    elif scheme.group(1).lower() in ("http", "https"):
        yield from _url(source, read)
    else:
        yield _refused(source, "unsupported_scheme", f"cannot fetch {scheme.group(1)}: addresses")


def _refused(source: str, code: str, detail: str) -> Refusal:
    shown = mask(source.encode(errors="replace").decode()[: 2 * _MAX_URI])
    return Refusal(source=shown[:_MAX_URI], code=code, detail=mask(detail))


def _youtube(source: str, video_id: str) -> Found:
    if not is_youtube_id(video_id):
        return _refused(source, "bad_id", "a YouTube id has 11 letters, digits, - or _")
    return Item(id=f"yt:{video_id}", uri=watch_url(video_id))


def _list(source: str, read: _Read, path: Path, lists: tuple[Path, ...]) -> Iterator[Found]:
    place = path.resolve()
    if place in lists or len(lists) >= _MAX_LIST_DEPTH:
        yield _refused(source, "list_loop", "the list leads back to itself, or too deep")
        return
    try:
        with place.open(encoding="utf-8-sig") as lines:
            for line in lines:
                inner = line.strip()
                if inner and not inner.startswith("#"):
                    yield from _resolved(inner, read, place.parent, (*lists, place))
    except FileNotFoundError:
        yield _refused(source, "missing_file", "there is no such list")
    except UnicodeDecodeError:
        yield _refused(source, "bad_list", "the list is not UTF-8 text")
    except OSError as error:
        yield _refused(source, "unreadable_file", f"the list cannot be read: {error.strerror}")


def _file_url(source: str) -> Iterator[Found]:
    parts = urlsplit(source)
    if parts.netloc.lower() not in ("", "localhost") or not parts.path.startswith("/"):
        yield _refused(source, "unsupported_scheme", "file: URLs must name a path on this machine")
        return
    yield from _path(source, Path(unquote(parts.path)))


def _path(source: str, path: Path) -> Iterator[Found]:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        yield _refused(source, "missing_file", "there is no such file or folder")
        return
    except (OSError, ValueError) as error:
        yield _refused(source, "unreadable_file", f"cannot look at it: {error}")
        return
    if stat.S_ISDIR(mode):
        yield from _folder(source, path)
    elif stat.S_ISREG(mode):
        yield _file(source, path)
    else:
        yield _refused(source, "not_a_file", "neither a regular file nor a folder")


def _folder(source: str, folder: Path) -> Iterator[Found]:
    """Yield the videos below a folder in order of their names, hidden ones left out."""
    unread: list[OSError] = []
    empty = True
    for place, folders, names in os.walk(folder, onerror=unread.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if has_video_suffix(name) and not name.startswith(".") and path.is_file():
                empty = False
                yield _file(str(path), path)
    for error in unread:
        yield _refused(str(error.filename), "unreadable_file", f"cannot be read: {error.strerror}")
    if empty and not unread:
        yield _refused(source, "empty_folder", "no file below it has the suffix of a video")


def _file(source: str, path: Path) -> Found:
    uri = str(path.absolute())
    try:
        uri.encode()
        digest = sha256_of(path)
    except UnicodeEncodeError:
        return _refused(source, "bad_name", "the file's name is not UTF-8; rename it")
    except OSError as error:
        return _refused(source, "unreadable_file", f"the file cannot be read: {error.strerror}")
    if len(uri) > _MAX_URI:
        return _refused(source, "bad_name", f"the path has more than {_MAX_URI} characters")
    return Item(id=f"file:{digest}", uri=uri, title=clean_text(path.stem, 300))


def _url(source: str, read: _Read) -> Iterator[Found]:
    video_id = youtube_video(source)
    if video_id is not None:
        yield _youtube(source, video_id)
        return
    page = _of_url(source, {})
    if isinstance(page, Refusal) or is_media_url(page.uri):
        yield page
    else:
        yield from _page(source, page, read)


def _of_url(source: str, told: dict[str, str | None]) -> Found:
    """Make the item of one video's address, with what a list says about it."""
    video_id = youtube_video(source)
    try:
        url = watch_url(video_id) if video_id else canonical_url(source)
        if len(url) > _MAX_URI:
            raise ValueError(f"a URL must not have more than {_MAX_URI} characters")
    except ValueError as error:
        scheme = (_SCHEME.match(source) or [""])[0].lower()
        bad = "bad_url" if scheme in ("http://", "https://") else "unsupported_scheme"
        return _refused(source, bad, str(error))
    return Item(
        id=f"yt:{video_id}" if video_id else http_id(url),
        uri=url,
        title=clean_text(told.get("title"), 300),
        channel=clean_text(told.get("channel"), 200),
        licence=clean_text(told.get("licence"), 200),
    )


def _page(source: str, page: Item, read: _Read) -> Iterator[Found]:
    """Yield what a page leads to; a page that cannot be read is an item that will say why."""
    is_list = is_youtube_list(page.uri)
    count = 0
    try:
        for event in read(page.uri):
            count += 1
            if event["event"] == "single":
                embedded = youtube_video(event.get("url") or "")
                yield _of_url(event["url"] if embedded else page.uri, event)
            else:
                is_list = True
                yield _of_url(event["url"], event)
    except (Rejected, Transient) as error:
        _LOG.info("cannot read %s: %s", page.id, error.code)
        if is_list:
            yield _refused(source, error.code, f"after {count} entries: {error.detail}")
        else:
            yield page
        return
    except RuntimeError:
        _LOG.exception("reading %s broke", page.id)
        yield _refused(source, "reader_broke", f"after {count} entries") if is_list else page
        return
    if count == 0:
        yield _refused(source, "empty_playlist", "the page is a list without entries")
