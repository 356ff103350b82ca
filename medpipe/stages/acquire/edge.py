"""Fetches one item's video onto this worker's disk and makes sure that it is one."""

import errno
import hashlib
import logging
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medpipe.errors import Rejected, Transient
from medpipe.media.probe import Probe, decode_check, probe
from medpipe.records import Item, Video
from medpipe.stages.acquire.config import AcquireConfig
from medpipe.stages.acquire.formats import clean_text
from medpipe.stages.acquire.ids import (
    canonical_url,
    http_id,
    is_youtube_id,
    scratch_name,
    watch_url,
)
from medpipe.stages.acquire.merge import join_streams
from medpipe.stages.acquire.process import download

_LOG = logging.getLogger(__name__)
_BLOCK = 2**20


def acquire(item: Item, scratch_dir: Path, config: AcquireConfig) -> Video:
    """Fetch an item's video, or find it on disk, and check that it can be worked on.

    Args:
        item: A `yt:`, `http:` or `file:` item; articles are fetched by another room.
        scratch_dir: Where a download goes, under a name made from the item's id alone; the
            caller deletes it when the item is done. A local file stays where it is.
        config: Limits and how to fetch.

    Raises:
        Rejected: The item's fault, with its reason code.
        Transient: The world's fault; nothing of the try is left on disk.
        ConfigError: The cookie file cannot be read.
    """
    if item.source == "pmc":
        raise Rejected("not_a_video", "an article; videos are yt:, http: or file:")
    if item.source == "file":
        return _local(item, config)
    url = _address(item)
    target = scratch_dir / f"{scratch_name(item.id)}.video"
    with _cleared_on_failure(target):
        told = _fetched(url, target, config)
        facts = _checked(target, config)
        digest = sha256_of(target)
        known = _with_metadata(item, told)
        return _video(known, target, url, digest, facts)


def _local(item: Item, config: AcquireConfig) -> Video:
    path = Path(item.uri)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise Rejected("not_a_file", "the path is not a regular file any more")
        digest = sha256_of(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Rejected("missing_file", "the file is not there any more") from error
    except PermissionError as error:
        raise Rejected("unreadable_file", "the file may not be read") from error
    if f"file:{digest}" != item.id:
        raise Rejected("content_changed", "the file's content is not what it was when it was added")
    facts = _checked(path, config)
    return _video(_with_metadata(item, {"title": path.stem}), path.absolute(), None, digest, facts)


def _address(item: Item) -> str:
    """Return where to fetch, from the id where the id says it, so that no uri can lead astray."""
    name = item.id.split(":", 1)[1]
    if item.source == "yt":
        if not is_youtube_id(name):
            raise Rejected("bad_id", "a YouTube id has 11 letters, digits, - or _")
        return watch_url(name)
    try:
        url = canonical_url(item.uri)
    except ValueError as error:
        raise Rejected("unsupported_scheme", str(error)) from error
    if http_id(url) != item.id:
        raise Rejected("bad_id", "the id is not the one of the item's URL")
    return url


def _fetched(url: str, target: Path, config: AcquireConfig) -> dict[str, Any]:
    """Download into a folder of its own beside the target, then put the result in its place."""
    folder = target.with_suffix(".part")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        told = download(url, folder, config.fetch, config.max_duration_s)
        paths = [Path(path) for path in told["paths"]]
        if len(paths) == 2:
            join_streams(paths[0], paths[1], folder / "joined")
            paths = [folder / "joined"]
        paths[0].replace(target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = "disk_full" if full else "scratch_failed"
        raise Transient(code, f"cannot write to scratch: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return told


@contextmanager
def _cleared_on_failure(target: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise


def _checked(path: Path, config: AcquireConfig) -> Probe:
    facts = probe(path)
    if config.require_audio and facts.audio_codec is None:
        raise Rejected("no_audio", "there is a picture but no sound")
    if facts.duration_s < config.min_duration_s:
        raise Rejected("too_short", f"{facts.duration_s:.2f} s long")
    if facts.duration_s > config.max_duration_s:
        raise Rejected("too_long", f"{facts.duration_s:.0f} s long")
    decode_check(path)
    return facts


def _with_metadata(item: Item, told: dict[str, Any]) -> Item:
    """Fill in what the source says; what the item says already stands where it says nothing."""
    return item.model_copy(
        update={
            "title": clean_text(told.get("title"), 300) or item.title,
            "channel": clean_text(told.get("channel"), 200) or item.channel,
            "licence": clean_text(told.get("licence"), 200) or item.licence,
        }
    )


def _video(item: Item, path: Path, url: str | None, digest: str, facts: Probe) -> Video:
    _LOG.info("acquired %s: %.0f s, %d bytes", item.id, facts.duration_s, facts.size_bytes)
    return Video(
        item=item,
        path=str(path.absolute()),
        url=url,
        sha256=digest,
        size_bytes=facts.size_bytes,
        fetched_at=datetime.now(UTC),
        duration_s=facts.duration_s,
        width_px=facts.width_px,
        height_px=facts.height_px,
        frame_rate=facts.frame_rate,
        video_codec=facts.video_codec,
        audio_codec=facts.audio_codec or "none",
    )


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content in hex, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
