"""The child process that talks to strangers: yt-dlp behind the guard, inside limits.

One process a fetch, started by `process.py`: only a process can be stopped whatever a server or a
regular expression does, and only a process can be given a ceiling of memory and file size.
Protocol: one job as a JSON line on stdin (which then stays open: its end means the parent died);
events as JSON lines on stdout: `entry`, `single`, `file`, `log`, and last `end`, `failed` or `bug`.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yt_dlp
from yt_dlp.networking._urllib import UrllibRH
from yt_dlp.utils import DownloadError, YoutubeDLError

from medpipe.egress import causes, guard
from medpipe.errors import ConfigError, Rejected, Transient
from medpipe.secrets import mask
from medpipe.stages.acquire.config import FetchConfig
from medpipe.stages.acquire.failures import classify_failure, status_of
from medpipe.stages.acquire.formats import is_media_url
from medpipe.stages.acquire.ids import youtube_video
from medpipe.stages.acquire.listing import listing
from medpipe.stages.acquire.options import Emit, options, policy_of, remember_secrets


class Ydl(yt_dlp.YoutubeDL):  # type: ignore[misc]
    """yt-dlp with one network handler: pure Python sockets, which the guard can see."""

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        """Leave out the handlers that bring connections of their own (libcurl, websockets)."""
        return super().build_request_director([UrllibRH], preferences)

    def save_cookies(self) -> None:
        """Keep the user's cookie file as it is: many workers read it."""


def fetch(ydl: Ydl, url: str, folder: Path, max_duration_s: float) -> dict[str, Any]:
    """Download one video into a folder.

    Returns:
        `paths`: one file, or two (picture, sound) to be joined; `title`, `channel`, `licence` as
        the site says, or None.
    """
    info = _one_video(ydl.extract_info(url, download=False, ie_key=_known_extractor(url)))
    _refuse_early(info, max_duration_s)
    paths = []
    for number, stream in enumerate(info.get("requested_formats") or [info]):
        path = folder / f"stream-{number}"
        one = {**info, **stream}
        one.pop("requested_formats", None)
        done, _ = ydl.dl(str(path), one)
        if not done or not path.is_file():
            raise Transient("unreachable", "the download ended without a file")
        paths.append(str(path))
    return {
        "paths": paths,
        "title": info.get("title"),
        "channel": info.get("channel") or info.get("uploader"),
        "licence": info.get("license"),
    }


def _known_extractor(url: str) -> str | None:
    """Name yt-dlp's extractor where the URL tells it; asking all 1,800 takes a quarter second."""
    if youtube_video(url) is not None:
        return "Youtube"
    return "Generic" if is_media_url(url) else None


def _one_video(info: dict[str, Any] | None) -> dict[str, Any]:
    for _ in range(4):
        if info is None:
            break
        if info.get("_type", "video") == "video":
            return info
        entries = [entry for entry in info.get("entries") or () if entry]
        if len(entries) > 1:
            raise Rejected(
                "several_videos", "the page holds several videos; give it as a source of its own"
            )
        info = entries[0] if entries else None
    raise Rejected("not_a_video", "the page holds no video")


def _refuse_early(info: dict[str, Any], max_duration_s: float) -> None:
    state = info.get("live_status")
    if info.get("is_live") or state in ("is_live", "post_live"):
        raise Rejected("live", "it is still being broadcast or cut; try again when it is over")
    if state == "is_upcoming":
        raise Rejected("premiere", "it has not been shown yet")
    duration_s = info.get("duration")
    if isinstance(duration_s, int | float) and duration_s > max_duration_s:
        raise Rejected("too_long", f"{duration_s:.0f} s, the limit is {max_duration_s:.0f} s")


def size_watch(max_bytes: int) -> Callable[[dict[str, Any]], None]:
    """Return a progress hook that stops a download above a size, by promise or by fact."""
    sizes: dict[str, int] = {}

    def hook(progress: dict[str, Any]) -> None:
        name = str(progress.get("filename"))
        known = progress.get("total_bytes") or 0
        sizes[name] = max(int(progress.get("downloaded_bytes") or 0), int(known))
        if sum(sizes.values()) > max_bytes:
            raise Rejected("too_large", f"more than {max_bytes} bytes")

    return hook


def failure_of(error: BaseException) -> Rejected | Transient | None:
    """Return what an exception out of yt-dlp means, or None where it is our bug."""
    chain = list(causes(error))
    for one in chain:
        if isinstance(one, Rejected | Transient):
            return one
        if isinstance(one, MemoryError | RecursionError):
            return Rejected("too_large", "the page needs more memory than a page may")
    if not isinstance(error, YoutubeDLError | OSError):
        kind = type(error).__name__
        return Transient("extractor_failed", kind) if _raised_by_yt_dlp(error) else None
    status = status_of(error)
    response = next((r for one in chain if (r := getattr(one, "response", None))), None)
    host = urlsplit(getattr(response, "url", "") or "").hostname or ""
    if status == 403 and host.endswith(".googlevideo.com"):
        return Transient("rate_limited", "YouTube refused the media address it had just given")
    if any(isinstance(one, TimeoutError) for one in chain):
        return Transient("timed_out", "the server went silent")
    message = str(error) if isinstance(error, DownloadError) else f"{chain[-1]} ({error})"
    found = classify_failure(message, status)
    headers = response.headers if response is not None else {}
    if found.code == "bad_redirect":
        scheme = urlsplit(headers.get("Location") or "").scheme
        return Rejected("unsupported_scheme", f"it redirects to a {scheme[:20] or 'nameless'}: URL")
    wait = headers.get("Retry-After")
    if isinstance(found, Transient) and wait:
        return Transient(found.code, f"{found.detail}; the server asks for {wait[:40]} s")
    return found


def _raised_by_yt_dlp(error: BaseException) -> bool:
    """Whether yt-dlp stumbled over a page: its code is deeper in the traceback than ours."""
    homes = [Path(__file__).parents[2], Path(yt_dlp.__file__).parent]
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    owners = [home for file in files for home in homes if home in file.parents]
    return owners[-1:] == homes[1:]


def run(job: dict[str, Any], emit: Emit, client: type[Ydl] = Ydl) -> None:
    """Do one job and emit its events; `client` is what talks to sites."""
    config = FetchConfig.model_validate(job["fetch"])
    folder = Path(job["folder"]) if job.get("folder") else None
    try:
        remember_secrets(config)
        with guard(policy_of(config), every_thread=True), client(options(config, emit)) as ydl:
            if folder is None:
                listing(ydl, job["url"], config.max_entries, emit)
                emit("end", {})
            else:
                ydl.add_progress_hook(size_watch(config.max_bytes))
                emit("file", fetch(ydl, job["url"], folder, job["max_duration_s"]))
    except ConfigError as error:
        emit("config", {"detail": str(error)})
    except Exception as error:  # noqa: BLE001 - passed on: as the item's failure or as a bug
        found = failure_of(error)
        if found is None:
            emit("bug", {"traceback": mask(traceback.format_exc())})
            return
        kind = "rejected" if isinstance(found, Rejected) else "transient"
        emit("failed", {"kind": kind, "code": found.code, "detail": found.detail})


@contextlib.contextmanager
def _protocol() -> Iterator[Emit]:
    """Take stdout for events, so that nothing that a library prints can disturb them."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def emit(event: str, content: dict[str, Any]) -> None:
        line = json.dumps({"event": event, **content}, default=str)
        with lock:
            out.write(line + "\n")
            out.flush()

    with out:
        yield emit


def _die_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _limit(config: dict[str, Any]) -> None:
    margin = 2**20
    for name, value in (
        ("RLIMIT_DATA", config["max_memory_bytes"]),
        ("RLIMIT_FSIZE", config["max_bytes"] + margin),
        ("RLIMIT_CORE", 0),
    ):
        which = getattr(resource, name)
        _, hard = resource.getrlimit(which)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (ceiling, hard))


def main() -> None:
    """Read one job from stdin, do it, leave."""
    job = json.loads(sys.stdin.buffer.readline())
    _limit(job["fetch"])
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with _protocol() as emit:
        run(job, emit)
    os._exit(0)


if __name__ == "__main__":
    main()
