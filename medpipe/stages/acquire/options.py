"""What yt-dlp and the guard are told, from the configuration."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medpipe.errors import ConfigError
from medpipe.stages.acquire.config import FetchConfig
from medpipe.stages.acquire.egress import Policy, gateway
from medpipe.stages.acquire.formats import format_choice

Emit = Callable[[str, dict[str, Any]], None]


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
        "js_runtimes": {name: {} for name in config.js_runtimes},
        "http_headers": {"User-Agent": config.user_agent} if config.user_agent else {},
    }
    if config.cookies_file is not None:
        chosen["cookiefile"] = _cookies(config.cookies_file)
    return chosen


def _cookies(path: str) -> io.StringIO:
    try:
        return io.StringIO(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"fetch.cookies_file cannot be read: {type(error).__name__}") from error


def policy_of(config: FetchConfig) -> Policy:
    """Return the guard's policy for a configuration."""
    allowed = config.allow_private_networks
    return Policy(
        allow_private=allowed is True,
        networks=() if isinstance(allowed, bool) else allowed,
        gateways=gateway(config.proxy.get_secret_value()) if config.proxy else frozenset(),
        programs=frozenset(config.js_runtimes),
    )
