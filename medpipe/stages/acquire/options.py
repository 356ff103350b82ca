"""What yt-dlp and the guard are told, from the configuration."""

import io
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from medpipe.egress import Policy, policy_for
from medpipe.egress.cell import write_launcher
from medpipe.errors import ConfigError
from medpipe.secrets import remember, remember_url
from medpipe.stages.acquire.config import FetchConfig
from medpipe.stages.acquire.formats import format_choice

Emit = Callable[[str, dict[str, Any]], None]

_COOKIE_FIELDS = 7  # of a line in a Netscape cookie jar


class _Log:
    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def debug(self, message: str) -> None:
        """Drop yt-dlp's running commentary."""

    def info(self, message: str) -> None:
        """Drop yt-dlp's running commentary."""

    def warning(self, message: str) -> None:
        """Pass a warning on."""
        self._emit("log", {"message": message})

    def error(self, message: str) -> None:
        """Drop it: the same text arrives as an exception."""


_ALWAYS: dict[str, Any] = {
    "quiet": True,
    "noprogress": True,
    "color": "never",
    "cachedir": False,
    "ignoreerrors": False,
    "noplaylist": True,
    "playlist_items": "1:2",
    "retries": 0,
    "fragment_retries": 1,
    "extractor_retries": 0,
    "file_access_retries": 0,
    "skip_unavailable_fragments": False,
    "continuedl": False,
    "nopart": True,
    "updatetime": False,
    "hls_prefer_native": True,
    "external_downloader": {},
    "concurrent_fragment_downloads": 1,
    "fixup": "never",
    "enable_file_urls": False,
    "geo_bypass": False,
    "usenetrc": False,
}


def options(config: FetchConfig, emit: Emit) -> dict[str, Any]:
    """Return what yt-dlp is told."""
    chosen: dict[str, Any] = {
        **_ALWAYS,
        "logger": _Log(emit),
        "format": format_choice(config.max_height_px),
        "socket_timeout": config.socket_timeout_s,
        "proxy": config.proxy.get_secret_value() if config.proxy else "",
        "ratelimit": config.rate_limit_bytes_s,
        "sleep_interval_requests": config.request_pause_s,
        "js_runtimes": _runtimes(config.js_runtimes),
        "http_headers": {"User-Agent": config.user_agent} if config.user_agent else {},
    }
    if config.cookies_file is not None:
        chosen["cookiefile"] = _cookies(config.cookies_file)
    return chosen


def _runtimes(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Let a site's script run only where there is no network."""
    found = {name: shutil.which(name) for name in names}
    if not any(found.values()):
        return {}
    folder = Path(tempfile.mkdtemp(prefix="cells-"))
    return {
        name: {"path": str(write_launcher(folder, program))}
        for name, program in found.items()
        if program is not None
    }


def _cookies(path: str) -> io.StringIO:
    """The cookie jar as text in memory, so that nobody writes the user's file."""
    return io.StringIO(_cookie_text(path))


def _cookie_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"fetch.cookies_file cannot be read: {type(error).__name__}") from error


def remember_secrets(config: FetchConfig) -> None:
    """Have the secrets of a configuration masked in all that this process says from now on.

    Raises:
        ConfigError: The cookie file cannot be read.
    """
    if config.proxy is not None:
        remember_url(config.proxy.get_secret_value())
    if config.cookies_file is not None:
        lines = (line.split("\t") for line in _cookie_text(config.cookies_file).splitlines())
        remember(*(fields[6] for fields in lines if len(fields) == _COOKIE_FIELDS))


def policy_of(config: FetchConfig) -> Policy:
    """Return the guard's policy for a configuration."""
    proxy = config.proxy.get_secret_value() if config.proxy else None
    return policy_for(config.allow_private_networks, proxy, config.js_runtimes)
